"""The public names, their signatures and the command line, against ``tests/public_api.txt``.

A change there is a change for users. Make it on purpose, with ``pytest --update-snapshot``, and record it in
CHANGELOG.md.
"""

import contextlib
import dataclasses
import inspect
import io
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import smug
import smug.cli
from smug.commands.table import COMMANDS

SNAPSHOT = Path(__file__).with_name("public_api.txt")
SUBMODULES = ["attacks", "bounds", "diagnosis", "foreign", "losses", "maps", "masks", "metrics", "shifts", "training"]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")


def public_names(module: ModuleType) -> list[str]:
    """``__all__``, or else the names without underscore that are the module's own."""
    own = (n for n, v in vars(module).items() if getattr(v, "__module__", None) == module.__name__)
    return sorted(getattr(module, "__all__", (n for n in own if not n.startswith("_"))))


def stable(text: str) -> str:
    """On one line, without what differs between interpreters, systems and runs: the home of Path, addresses."""
    text = re.sub(r"\bpathlib\.(_local\.)?Path\b|\b(Posix|Windows)Path\b", "Path", text)
    return re.sub(r" at 0x[0-9a-f]+", "", re.sub(r"\n\s*", " ", text))


def signature(value: Any) -> str:
    try:
        return stable(str(inspect.signature(value)))
    except (TypeError, ValueError):  # not callable, or a C type
        return f": {type(value).__name__}"


def fields(cls: type) -> Iterator[str]:
    for field in dataclasses.fields(cls):
        kind = inspect.formatannotation(field.type)
        made = field.default_factory is not dataclasses.MISSING
        default = field.default_factory() if made else field.default
        yield stable(f"{field.name}: {kind}" + ("" if default is dataclasses.MISSING else f" = {default!r}"))


def members(cls: type) -> Iterator[str]:
    """The public methods and properties that this package defines; those of torch's classes are not ours."""
    for name, value in inspect.getmembers_static(cls):
        owner = next(base for base in cls.__mro__ if name in vars(base))
        if owner.__module__.split(".")[0] != "smug" or (name.startswith("_") and name != "__call__"):
            continue
        if isinstance(value, property):
            yield f"{name}: property"
        elif isinstance(value, staticmethod | classmethod) or inspect.isfunction(value):
            yield name + signature(getattr(cls, name))


def describe(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, ModuleType):
        yield f"{name}: module"
        return
    if isinstance(value, str | int | float | tuple):
        yield f"{name}: {type(value).__name__}"
        return
    yield name + signature(value)
    if inspect.isclass(value):
        yield from (f"    {line}" for line in (fields(value) if dataclasses.is_dataclass(value) else ()))
        yield from (f"    {line}" for line in members(value))


def options(command: str) -> list[str]:
    """The option spellings that ``smug COMMAND --help`` shows."""
    with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.suppress(SystemExit):
        smug.cli.main([command, "--help"])
    return sorted(set(OPTION.findall(shown.getvalue())))


def public_api() -> Iterator[str]:
    for module in [smug, *(getattr(smug, name) for name in SUBMODULES)]:
        prefix = "smug" if module is smug else f"smug.{module.__name__.rpartition('.')[2]}"
        for name in public_names(module):
            yield from describe(f"{prefix}.{name}", getattr(module, name))
    for command, entry in sorted(COMMANDS.items()):
        yield f"$ smug {command} " + " ".join(options(command))
        yield from (f"    {line}" for line in fields(entry.load()))


def test_public_api_is_the_recorded_one(request, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")  # no option is broken across lines
    found = "\n".join(public_api()) + "\n"
    if request.config.getoption("update_snapshot"):
        SNAPSHOT.write_text(found, encoding="utf-8")
    assert SNAPSHOT.exists(), "no snapshot: make it with pytest --update-snapshot"
    assert found.splitlines() == SNAPSHOT.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", smug.__all__)
def test_every_public_name_is_there_and_documented(name):
    value = getattr(smug, name)
    if inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value):
        assert inspect.getdoc(value)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_frozen_dataclasses(command):
    cls = COMMANDS[command].load()
    assert dataclasses.is_dataclass(cls)
    assert cls.__dataclass_params__.frozen
