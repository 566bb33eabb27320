"""One row per slice, whatever the number of training seeds: seeds are not slices."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from statistics import fmean
from typing import Any

from smug.evaluation.row import Row
from smug.paper.cells import Found


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
