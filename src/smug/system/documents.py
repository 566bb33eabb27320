"""JSON documents: one head for all, plain values, and reading back as dataclasses with checked types."""

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path, PurePath
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from smug.version import __version__

RESEARCH = "For research use only: not for diagnosis, treatment or any other clinical decision."


def plainly(value: Any) -> Any:
    """Return nested values as JSON has them: lists, string keys, text for paths, None for NaN and infinity."""
    match value:
        case float():
            return float(value) if math.isfinite(value) else None
        case Mapping():
            return {str(key): plainly(item) for key, item in value.items()}
        case list() | tuple():
            return [plainly(item) for item in value]
        case PurePath():
            return str(value)
    return value


def document(schema: str, **values: Any) -> dict[str, Any]:
    """Return a JSON document under the head of all of ours: its schema, the library's version, and what it is for."""
    head = {"schema": schema, "version": __version__, "use": RESEARCH}
    plain: dict[str, Any] = plainly(head | values)
    return plain


def read_document(path: Path, schema: str) -> dict[str, Any]:
    """Read a JSON document of one schema; raises FileNotFoundError, and ValueError for anything else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: expected JSON of schema {schema}: {error}") from None
    told = found.get("schema") if isinstance(found, dict) else None
    if told != schema:
        raise ValueError(f"{path}: expected JSON of schema {schema}, got {told!r}")
    return dict(found)


def from_json(kind: Any, value: Any, where: str = "") -> Any:
    """Return plain JSON values as ``kind``: a dataclass, tuple, mapping, union with None, literal or plain type.

    Null is NaN where a float is expected. Raises ValueError, with the place, for a value that does not fit, and for
    keys that are missing or unknown.

    >>> from_json(tuple[float, ...], [1, None])
    (1.0, nan)
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _built(kind, _of(dict, value, where), where)
    if origin in (Union, UnionType):
        (inner,) = (argument for argument in arguments if argument is not NoneType)
        return None if value is None else from_json(inner, value, where)
    if origin is tuple:
        return tuple(from_json(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(_of(list, value, where)))
    if origin is Mapping:
        return {
            key: from_json(arguments[1], item, _inside(where, key)) for key, item in _of(dict, value, where).items()
        }
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{where}: expected one of {', '.join(map(repr, arguments))}, got {value!r}")
        return value
    if kind is float:
        return math.nan if value is None else float(value if type(value) is int else _of(float, value, where))
    return _of(kind, value, where)


def _built(kind: Any, values: Mapping[str, Any], where: str) -> Any:
    types = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}
    for name in values.keys() - known.keys():
        raise ValueError(f"{_inside(where, name)}: unknown; known are {', '.join(known)}")
    for name, field in known.items():
        if name not in values and field.default is MISSING:
            raise ValueError(f"{_inside(where, name)}: is missing")
    return kind(**{name: from_json(types[name], value, _inside(where, name)) for name, value in values.items()})


def _of(kind: type, value: Any, where: str) -> Any:
    if type(value) is not kind:
        raise ValueError(f"{where}: expected {kind.__name__}, got {type(value).__name__} {str(value)[:40]!r}")
    return value


def _inside(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
