"""Functions and networks from a user's Python file: ``FILE.py:function``.

The file is executed as Python would import it: with what lies beside it importable, in ``sys.modules`` while it runs
(dataclasses and pickle look it up there), and inside its package where it imports relatively. It has the module name
that it would have for an ``import`` beside it, so that other processes can unpickle what it defines; where that name
is taken, by an installed package or by a file of the same name in another folder, it gets one of its own.
"""

import ast
import hashlib
import importlib
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from functools import reduce
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

Stamp = tuple[str, int, int]
"""A file as it is now: its path, time of change, and size."""

_EXECUTED: dict[Stamp, ModuleType] = {}
"""The files that were executed."""

_BESIDE: dict[Path, dict[str, ModuleType]] = {}
"""By folder: the modules that files in it have imported from it."""


def is_function(name: str) -> bool:
    """Tell whether a name means something in a Python file."""
    return ".py:" in name or name.endswith(".py")


def load_function(name: str, what: str) -> Callable[..., Any]:
    """Execute the file of ``FILE.py:function`` and return the function; ``what`` it is begins the errors.

    Anything that can be called will do: a function, a ``functools.partial``, an object or a network; dots lead to
    attributes. A file that did not change is executed once. Raises FileNotFoundError, and ValueError for a file that
    cannot be executed, for a name that it does not have, and for a class, which has no settings or weights yet.
    """
    path, found = _found(name, what)
    attribute = name.rpartition(":")[2]
    if isinstance(found, type):
        raise ValueError(
            f"{what}: {attribute} in {path} is a class, expected a function or an object that can be called; make one "
            f"in the file, with its settings and weights (net = {attribute}(...)), and name it: {path}:net"
        )
    if not callable(found):
        raise ValueError(f"{what}: {attribute} in {path} is no function, got {type(found).__name__}")
    return found  # type: ignore[no-any-return]  # whatever the file holds


def load_object(name: str, what: str) -> Any:
    """Return the object ``FILE.py:name``, of any kind; otherwise raises like :func:`load_function`."""
    return _found(name, what)[1]


def load_network(name: str, what: str) -> nn.Module:
    """Return the network of ``FILE.py:function``: what the function, or a class of networks, makes without arguments.

    Raises like :func:`load_function`, and ValueError where that fails or is anything else than a module.
    """
    path, made = _found(name, what)
    if isinstance(made, nn.Module):
        return made
    if not callable(made):
        raise ValueError(f"{what}: expected {name} to be a function that returns a network, got {type(made).__name__}")
    try:
        with importing_beside(path):
            network = made()
    except Exception as error:
        raise ValueError(f"{what}: {name} could not be called without arguments: {place_of(error, path)}") from error
    if not isinstance(network, nn.Module):
        raise ValueError(f"{what}: expected {name} to return a torch module, got {type(network).__name__}")
    return network


def place_of(error: BaseException, path: Path | None = None) -> str:
    """Tell an error of a user's code in one line: where, in a file beside ``path`` if that is given, and what."""
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if path is not None:
        frames = [frame for frame in frames if path.resolve().parent in Path(frame[0]).parents]
    where = frames[-1] if frames else None
    if isinstance(error, SyntaxError) and error.filename:
        where = (error.filename, error.lineno)
    text = str(error.msg if isinstance(error, SyntaxError) else error).split("\n")[0].strip()
    told = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return told if where is None else f"{where[0]}, line {where[1]}: {told}"


@contextmanager
def importing_beside(path: Path) -> Iterator[None]:
    """Let ``import`` find what lies beside a file, and not its namesake that a file elsewhere has imported.

    What is beside it comes first, as for a script, unless it has the name of something that is loaded or built in.
    """
    folder = path.resolve().parent
    places = [str(folder)]
    if (folder / "__init__.py").is_file():
        places.append(str(_package(path)[0]))
    own = _BESIDE.setdefault(folder, {})
    others = [item for other, modules in _BESIDE.items() if other != folder for item in modules.items()]
    aside = {name: m for name, m in others if sys.modules.get(name) is m and _provides(folder, name)}
    for name in aside:
        del sys.modules[name]
    known = set(sys.modules)
    added = [place for place in places if place not in sys.path]
    end = len(sys.path) if _shadows(folder, known) else 0
    sys.path[end:end] = added
    sys.modules.update(own)
    try:
        yield
    finally:
        for place in added:
            if place in sys.path:
                sys.path.remove(place)
        new = {name: sys.modules[name] for name in set(sys.modules) - known}
        own.update((name, module) for name, module in new.items() if _lies_in(module, folder))
        for name in own.keys() & aside.keys():
            del sys.modules[name]
        sys.modules.update(aside)


@contextmanager
def settings_kept() -> Iterator[None]:
    """Undo what somebody's code does to torch's settings for all: whether gradients are recorded, the default dtype."""
    dtype = torch.get_default_dtype()
    try:
        with torch.set_grad_enabled(torch.is_grad_enabled()):
            yield
    finally:
        torch.set_default_dtype(dtype)


def file_of(function: object) -> Path | None:
    """Return the file of :func:`load_function` that a function, or an object's class, is from; None for any other.

    It is what :func:`importing_beside` takes, for imports that are made when the function is called.
    """
    module = sys.modules.get(home_of(function))
    scope = getattr(function, "__globals__", None) or (vars(module) if module in _EXECUTED.values() else {})
    file = scope.get("__file__")
    return Path(file) if file and Path(file).resolve().parent in _BESIDE else None


def home_of(function: object) -> str:
    """Return the name of the module that the code of a function, or the class of an object, is written in."""
    scope: Mapping[str, Any] | None = getattr(function, "__globals__", None)
    return str(type(function).__module__ if scope is None else scope.get("__name__", ""))


def _found(name: str, what: str) -> tuple[Path, Any]:
    """Return the file and what the name means in it."""
    file, _, attribute = name.rpartition(":") if ".py:" in name else (name, "", "")
    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(f"{what}: no such file: {path}")
    if path.suffix != ".py":
        raise ValueError(f"{what}: {path} is not a Python file")
    module = _executed(path, what)
    try:
        if attribute:
            return path, reduce(getattr, attribute.split("."), module)
    except AttributeError:
        pass
    known = sorted(key for key, value in vars(module).items() if _own(value, module) and not key.startswith("_"))
    near = get_close_matches(attribute, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(known[:8]) or 'none'}"
    asked = f"{path} has no function {attribute!r}" if attribute else f"expected {path}:function, got {path}"
    raise ValueError(f"{what}: {asked}{hint}")


def _own(value: object, module: ModuleType) -> bool:
    return callable(value) and not isinstance(value, type) and home_of(value) == module.__name__


def _executed(path: Path, what: str) -> ModuleType:
    """Return the module of a file, executed unless it was and has not changed."""
    full = path.resolve()
    stamp = (str(full), full.stat().st_mtime_ns, full.stat().st_size)
    if stamp not in _EXECUTED:
        importlib.invalidate_caches()
        try:
            _EXECUTED[stamp] = _run(full, stamp)
        except (Exception, SystemExit) as error:
            raise ValueError(f"{what}: {path} could not be executed: {place_of(error, full)}") from error
    return _EXECUTED[stamp]


def _run(path: Path, stamp: Stamp) -> ModuleType:
    root, top, inner = _package(path) if _imports_relatively(path) else (path.parent, path.stem, "")
    bare = bool(inner) and not (root / top / "__init__.py").is_file()
    name = top if not bare and _free(top, root) else f"_{re.sub(r'[^0-9A-Za-z_]', '_', top)}_{_hash(stamp)}"
    with importing_beside(path), settings_kept():
        if not inner:
            return _execute(name, path)
        if bare:
            sys.modules[name] = _folder_as_package(name, root / top)
        elif name != top:
            _execute(name, root / top / "__init__.py", package=root / top)
        return importlib.import_module(f"{name}.{inner}")


def _execute(name: str, path: Path, package: Path | None = None) -> ModuleType:
    places = None if package is None else [str(package)]
    spec = util.spec_from_file_location(name, path, submodule_search_locations=places)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _folder_as_package(name: str, folder: Path) -> ModuleType:
    """Return a package of a folder that has no ``__init__.py``, so that its files can import each other relatively."""
    package = ModuleType(name)
    package.__path__ = [str(folder)]
    return package


def _package(path: Path) -> tuple[Path, str, str]:
    """Return the folder that the outermost package of a file lies in, its name, and the dotted rest."""
    top = path.resolve().parent
    while (top.parent / "__init__.py").is_file():
        top = top.parent
    return top.parent, top.name, ".".join(path.resolve().relative_to(top).with_suffix("").parts)


def _imports_relatively(path: Path) -> bool:
    """Whether a file has a relative import."""
    nodes = ast.walk(ast.parse(path.read_bytes(), str(path)))
    return any(isinstance(node, ast.ImportFrom) and node.level > 0 for node in nodes)


def _free(name: str, root: Path) -> bool:
    """Whether a module name can only mean the one in ``root``, a folder that is importable now."""
    if not name.isidentifier() or name in sys.modules or name in sys.stdlib_module_names:
        return False
    try:
        spec = util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return False
    return spec is None or spec.origin is None or root in Path(spec.origin).resolve().parents


def _provides(folder: Path, name: str) -> bool:
    """Whether a folder has a module or package with the first name of a dotted one."""
    top = folder / name.partition(".")[0]
    return top.is_dir() or top.with_name(f"{top.name}.py").is_file()


def _shadows(folder: Path, loaded: set[str]) -> bool:
    """Whether something in a folder has the name of a module that is loaded from elsewhere, or built in."""
    names = {item.stem for item in folder.iterdir() if item.suffix == ".py" or item.is_dir()}
    return any(
        name in sys.stdlib_module_names or (name in loaded and not _lies_in(sys.modules[name], folder))
        for name in names
    )


def _lies_in(module: ModuleType, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return bool(file) and folder in Path(str(file)).resolve().parents


def _hash(stamp: Stamp) -> str:
    return hashlib.sha256(repr(stamp).encode()).hexdigest()[:8]
