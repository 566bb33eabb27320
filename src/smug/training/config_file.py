"""Configurations in files and on the command line."""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from smug.data.acquisition import Acquisition, AcquisitionRange
from smug.system.arguments import check_arguments
from smug.training.config import Config
from smug.training.presets import PRESETS

SCHEMA = "smug-config-2"

NOT_LEARNED = "compute"
"""The part of a configuration that may change while a run goes on."""

T = TypeVar("T")


@check_arguments
def load_config(name: str, overrides: Sequence[str] = ()) -> Config:
    """Return a preset or the configuration of a file, with ``KEY=VALUE`` overrides such as ``optimizer.updates=300``.

    A TOML file replaces values of the preset that its ``preset`` names, by default "small"; a ``config.json`` of a run
    folder is complete. A list for a value of ``data.acquisition`` is a range: see
    :class:`smug.data.acquisition.AcquisitionRange`. Raises ValueError for keys that do not exist, with the
    nearest one that does, and FileNotFoundError.
    """
    config = PRESETS[name] if name in PRESETS else _read(Path(name))
    changes: dict[str, Any] = {}
    for override in overrides:
        _put(changes, override)
    return merge(config, changes)


def merge(config: T, changes: Mapping[str, Any], where: str = "") -> T:
    """Return the configuration with some values replaced; tables replace values inside the nested dataclass."""
    known = {field.name: getattr(config, field.name) for field in fields(config)}  # type: ignore[arg-type]
    types = get_type_hints(type(config))
    values: dict[str, Any] = {}
    for key, value in changes.items():
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
            raise ValueError(f"configuration: unknown key {where + key!r}{hint}")
        may_be_open = type(None) in get_args(types[key])
        values[key] = None if value is None and may_be_open else _converted(known[key], value, where + key)
    return replace(config, **values)  # type: ignore[type-var]


def to_dict(config: Config) -> dict[str, Any]:
    """Return the configuration as plain values for JSON, with the version of their schema."""
    return {"schema": SCHEMA, **asdict(config)}


def from_dict(table: Mapping[str, Any]) -> Config:
    """Return the configuration of :func:`to_dict`, of this or an older schema.

    Raises ValueError for another one, and for values that do not fit.
    """
    values = dict(table)
    schema = values.pop("schema", "smug-config-1")
    if schema == "smug-config-1":  # had a switch that is now compute.recompute
        values["smoothing"] = {k: v for k, v in dict(values.get("smoothing", {})).items() if k != "recompute"}
    elif schema != SCHEMA:
        raise ValueError(f"configuration: expected schema {SCHEMA}, got {schema!r}")
    return merge(Config(), values)


def digest(config: Config) -> str:
    """Return a hash of all that is learned from: of everything but ``compute``."""
    learned = {key: value for key, value in to_dict(config).items() if key != NOT_LEARNED}
    return hashlib.sha256(json.dumps(learned, sort_keys=True).encode()).hexdigest()


def differences(one: Config, other: Config) -> list[str]:
    """Return the keys, dotted, of the values in which two configurations differ, ``compute`` aside."""
    a, b = _flat(asdict(one)), _flat(asdict(other))
    return [key for key in a if a[key] != b[key] and not key.startswith(f"{NOT_LEARNED}.")]


def _flat(table: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in table.items():
        values.update(_flat(value, f"{where}{key}.") if isinstance(value, Mapping) else {where + key: value})
    return values


def _read(path: Path) -> Config:
    if not path.is_file():
        raise FileNotFoundError(
            f"configuration: expected one of {', '.join(PRESETS)} or a TOML file, got {str(path)!r}"
        )
    try:
        text = path.read_text(encoding="utf-8")
        table = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (tomllib.TOMLDecodeError, json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise ValueError(f"{path}: not a {kind} file: {error}") from error
    try:
        return _from_preset(table) if path.suffix != ".json" else from_dict(_table(table))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _table(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"expected a configuration, got {type(value).__name__}")
    return value


def _acquisition(old: Acquisition | AcquisitionRange, changes: Mapping[str, Any], where: str) -> Any:
    """Return the acquisition with some values replaced: a range where any value is a list, of the ends or kinds."""
    values = {field.name: getattr(old, field.name) for field in fields(old)}
    for key, new in changes.items():
        several = isinstance(new, list | tuple)
        each = [getattr(merge(Acquisition(), {key: value}, where), key) for value in (new if several else [new])]
        values[key] = tuple(each) if several else each[0]
    fixed = not any(isinstance(value, tuple) for value in values.values())
    return Acquisition(**values) if fixed else AcquisitionRange(**values)


def _from_preset(table: dict[str, Any]) -> Config:
    preset = table.pop("preset", "small")
    if not isinstance(preset, str) or preset not in PRESETS:
        raise ValueError(f"preset: expected one of {', '.join(PRESETS)}, got {preset!r}")
    return merge(PRESETS[preset], table)


def read_override(override: str, example: str) -> tuple[tuple[str, ...], Any]:
    """Return the parts of the key and the value of ``a.b=value``; a value that is no TOML is a text.

    Raises ValueError for anything else, with an example.
    """
    key, equals, text = override.partition("=")
    parts = tuple(key.split("."))
    if not equals or not all(part.isidentifier() for part in parts):
        raise ValueError(f"--set {override}: expected KEY=VALUE, such as {example}")
    try:
        return parts, tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return parts, text


def _put(table: dict[str, Any], override: str) -> None:
    """Put the value of ``a.b=value`` into nested tables."""
    (*tables, last), value = read_override(override, "optimizer.updates=300")
    for part in tables:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise ValueError(f"--set {override}: {part} has a value already")
    table[last] = value


def _converted(old: Any, new: Any, where: str) -> Any:
    if is_dataclass(old):
        if not isinstance(new, Mapping):
            raise ValueError(f"configuration: {where}: expected a table, got {new!r}")
        if isinstance(old, Acquisition | AcquisitionRange):
            return _acquisition(old, new, f"{where}.")
        return merge(old, new, f"{where}.")
    if isinstance(old, tuple) and isinstance(new, list | tuple):
        return tuple(tuple(value) if isinstance(value, list) else value for value in new)
    if isinstance(old, float) and isinstance(new, int) and not isinstance(new, bool):
        return float(new)
    if old is None and not isinstance(new, int | float):  # what may be left open are numbers
        raise ValueError(f"configuration: {where}: expected a number, got {new!r}")
    if old is not None and type(new) is not type(old):
        raise ValueError(f"configuration: {where}: expected {type(old).__name__}, got {new!r}")
    return new
