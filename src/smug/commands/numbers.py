"""Which numbers an option takes, said where the option is declared and checked before anything starts."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from tyro.conf import UseAppendAction

MOST = 2**31 - 1
"""The largest number that an option takes: more is taken for a typing error."""


@dataclass(frozen=True, repr=False)
class Within:
    """The finite numbers from ``low`` to ``high``, or strictly ``inside`` of these."""

    low: float
    high: float = math.inf
    inside: bool = False

    def __contains__(self, value: float) -> bool:
        if not math.isfinite(value):
            return False
        return self.low < value < self.high if self.inside else self.low <= value <= self.high

    def __str__(self) -> str:
        if self.inside:
            return "a positive number" if self.high == math.inf else f"a number between {self.low:g} and {self.high:g}"
        return f"at least {self.low:g}" + ("" if self.high >= MOST else f", at most {self.high:g}")

    __repr__ = __str__


Count = Annotated[int, Within(1, MOST)]
"""How many of something."""
Threads = Annotated[int, Within(1, 1024)]
Size = Annotated[int, Within(8, 4096)]
"""Side of a square matrix."""
Seed = Annotated[int, Within(0, 2**63 - 1)]
Positive = Annotated[float, Within(0, inside=True)]
NotNegative = Annotated[float, Within(0)]
Probability = Annotated[float, Within(0, 1, inside=True)]
Share = Annotated[float, Within(0, 1)]
Rate = Annotated[float, Within(1)]
"""An acceleration."""


def check_numbers(options: Any) -> None:
    """Check all numbers of a dataclass of options against what their annotations say.

    Raises ValueError that names the option, for NaN and infinity too, and TypeError for one that says nothing.
    """
    for name, hint in get_type_hints(type(options), include_extras=True).items():
        for value, within in numbers(getattr(options, name, None), hint):
            if value not in within:
                finite = "" if math.isfinite(value) else ", and a finite one"
                raise ValueError(f"--{name.replace('_', '-')}: expected {within}{finite}, got {value}")


def check_once(options: Any, given: Sequence[str]) -> None:
    """Raise ValueError for an option that is ``given`` twice but takes one value, or is given the same value twice.

    Of values such as ``KEY=VALUE`` the keys are compared. A path called None would be none.
    """
    hints = get_type_hints(type(options), include_extras=True)
    repeated = [name for name, hint in hints.items() if UseAppendAction in getattr(hint, "__metadata__", ())]
    for name, times in Counter(given).items():
        if times > 1 and name not in repeated:
            raise ValueError(f"--{name.replace('_', '-')}: expected once, got it {times} times")
        if getattr(options, name, ...) is None and Path in get_args(hints[name]):
            raise ValueError(f"--{name.replace('_', '-')}: expected a path, got None; a file of that name is ./None")
    for name in repeated:
        values = Counter(str(value).partition("=")[0] if name == "set" else value for value in getattr(options, name))
        for value, times in values.items():
            if times > 1:
                raise ValueError(f"--{name.replace('_', '-')} {value}: expected once, got it {times} times")


def numbers(value: Any, hint: Any, within: Within | None = None) -> Iterator[tuple[float, Within]]:
    """Yield every number in a value of a type, with what its annotation allows."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        said = next((note for note in arguments[1:] if isinstance(note, Within)), within)
        yield from numbers(value, arguments[0], said)
    elif origin in (Union, UnionType):
        if value is not None:
            (inner,) = (argument for argument in arguments if argument is not NoneType)
            yield from numbers(value, inner, within)
    elif origin is tuple:
        inner = arguments[0]
        for item in value:
            yield from numbers(item, inner, within)
    elif hint in (int, float) and value is not None:
        if within is None:
            raise TypeError(f"{value}: expected an annotation that says which numbers are allowed")
        yield value, within
