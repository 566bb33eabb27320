"""Functions in somebody's own Python file: ``FILE.py:function``."""

from collections.abc import Callable
from importlib import util
from pathlib import Path
from typing import Any

from torch import nn


def is_function(name: str) -> bool:
    """Tell whether a name means a function in a file."""
    return ".py:" in name


def load_function(name: str, what: str) -> Callable[..., Any]:
    """Execute the file of ``FILE.py:function`` and return the function; ``what`` it is begins the errors.

    Raises FileNotFoundError, and ValueError for what is no Python file or has no such function.
    """
    file, _, attribute = name.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise FileNotFoundError(f"{what}: no such file: {path}")
    spec = util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{what}: {path} is not a Python file")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function = getattr(module, attribute, None)
    if not callable(function):
        raise ValueError(f"{what}: {path} has no function {attribute!r}")
    result: Callable[..., Any] = function
    return result


def load_network(name: str, what: str) -> nn.Module:
    """Return the network that the function of ``FILE.py:function`` returns.

    Raises like :func:`load_function`, and ValueError where it returns anything else than a module.
    """
    network = load_function(name, what)()
    if not isinstance(network, nn.Module):
        raise ValueError(f"{what}: expected {name} to return a torch module, got {type(network).__name__}")
    return network
