"""Cells: what is scored for an exhibit, and what came out."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from statistics import fmean
from typing import Any

from torch import Tensor

from smug.evaluation.conditions import Condition
from smug.evaluation.row import Row


@dataclass(frozen=True)
class Block:
    """Methods x conditions x the test slices of an anatomy whose models were trained at an acceleration.

    ``methods`` are names of :data:`smug.paper.runs.METHODS`, for which every training seed is scored, or of
    :data:`CLASSICAL`. ``images`` of the first slices are wanted too.
    """

    anatomy: str
    acceleration: float
    methods: tuple[str, ...]
    conditions: tuple[Condition, ...]
    images: int = 0


CLASSICAL = ("cg-sense", "tv", "zero-filled")
"""Methods that nobody trains; lam is tuned on validation slices."""


@dataclass(frozen=True)
class Found:
    """A scored cell."""

    anatomy: str
    acceleration: float
    method: str
    seed: int
    row: Row

    def flat(self) -> dict[str, Any]:
        """Return it as one record of plain values."""
        own = {key: value for key, value in asdict(self).items() if key != "row"}
        return own | {key: value for key, value in self.row.to_json().items() if key != "model"}


@dataclass(frozen=True, eq=False)
class Seen:
    """The image of a cell, ``(y, x)``, and its target."""

    found: Found
    image: Tensor
    target: Tensor


def mean_psnr(found: list[Found]) -> Mapping[tuple[str, str], float]:
    """Return mean PSNR by method and condition, over slices and training seeds."""
    cells: dict[tuple[str, str], list[float]] = {}
    for f in found:
        cells.setdefault((f.method, f.row.condition), []).append(f.row.psnr)
    return {key: sum(values) / len(values) for key, values in cells.items()}


def averaged(found: Iterable[Found]) -> list[Row]:
    """Return a row per method, condition and slice, whose numbers are means over training seeds; models are methods.

    Flags are those that any seed raised.
    """
    cells: dict[tuple[str, str, str], list[Row]] = {}
    for each in found:
        cells.setdefault((each.method, each.row.condition, each.row.slice), []).append(each.row)
    return [_mean(method, rows) for (method, *_), rows in cells.items()]


def _mean(method: str, rows: Sequence[Row]) -> Row:
    numbers: dict[str, Any] = {name: _fmean([getattr(row, name) for row in rows]) for name in NUMBERS}
    flags = tuple(dict.fromkeys(flag for row in rows for flag in row.flags))
    return replace(rows[0], model=method, flags=flags, **numbers)


def _fmean(values: Sequence[float]) -> float:
    return fmean(values) if all(map(math.isfinite, values)) else math.nan


NUMBERS = tuple(field.name for field in fields(Row) if field.type is float)
