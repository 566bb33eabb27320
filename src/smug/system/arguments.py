"""Checks of arguments: each raises one ValueError that says which argument, what was expected and what was got."""

import math
from numbers import Integral, Real
from typing import Any


def check_integer(name: str, value: Any, least: int | None = None) -> None:
    """Raise ValueError unless ``value`` is an integer of at least ``least``: one of numpy's may be, a bool is none."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise ValueError(f"{name}: expected {_at_least('an integer', least)}, got {shown(value)}")
    if least is not None and value < least:
        raise ValueError(f"{name}: expected {_at_least('an integer', least)}, got {value}")


def check_number(name: str, value: Any, least: float | None = None, *, above: float | None = None) -> None:
    """Raise ValueError unless ``value`` is a finite real number, of at least ``least`` or greater than ``above``."""
    expected = _at_least("a finite number", least) if above is None else f"a finite number > {above:g}"
    if not isinstance(value, Real) or isinstance(value, bool):
        raise ValueError(f"{name}: expected {expected}, got {shown(value)}")
    if not math.isfinite(value) or (least is not None and value < least) or (above is not None and value <= above):
        raise ValueError(f"{name}: expected {expected}, got {value}")


def check_instance(name: str, value: Any, kind: type, expected: str) -> None:
    """Raise ValueError unless ``value`` is of a class, which ``expected`` names with its article."""
    if not isinstance(value, kind):
        raise ValueError(f"{name}: expected {expected}, got {shown(value)}")


def check_callable(name: str, value: Any, expected: str) -> None:
    """Raise ValueError unless ``value`` can be called."""
    if not callable(value):
        raise ValueError(f"{name}: expected {expected}, got {shown(value)}")


def shown(value: Any) -> str:
    """Return a value's type and, where it is short, the value: "float 2.5", "Tensor", "NoneType None"."""
    text = repr(value)
    return f"{type(value).__name__} {text}" if len(text) <= 40 and "\n" not in text else type(value).__name__


def _at_least(kind: str, least: float | None) -> str:
    return kind if least is None else f"{kind} of at least {least:g}"
