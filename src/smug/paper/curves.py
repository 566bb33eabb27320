"""Curves: mean PSNR of methods over a quantity that is varied, as numbers and as tables."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean, stdev
from typing import Any

from smug.evaluation.conditions import Condition
from smug.evaluation.statistics import Interval, interval, paired
from smug.paper.scores import Score, mean_over_seeds
from smug.paper.style import STYLES
from smug.paper.table_text import signed
from smug.system.table import Table, simple_table


@dataclass(frozen=True)
class Axis:
    """The quantity that is varied: ``column`` in records, ``label`` below figures, and how its values are written.

    ``trained`` is the value that the models were trained at.
    """

    column: str
    label: str
    written: Callable[[float], str]
    trained: float | None = None


@dataclass(frozen=True)
class Sweep:
    """Conditions by their value on an axis: one curve per method."""

    conditions: Mapping[float, Condition]
    title: str = ""


@dataclass(frozen=True)
class Point:
    """Mean PSNR in dB of a method at ``x``: over slices, after the mean over training seeds of each slice.

    ``difference`` is that to the reference method, paired by slice, None where there is none; ``sd`` the standard
    deviation over slices, ``seeds`` the means of the single training seeds.
    """

    x: float
    psnr: Interval
    difference: Interval | None
    sd: float
    seeds: Sequence[float]


Curves = Mapping[str, Sequence[Point]]
"""Points by method."""


def curves(scores: Iterable[Score], sweep: Sweep, reference: str) -> Curves:
    """Return the curves of a sweep, of every method that has cells in it, in the order in which they first occur."""
    cells: dict[tuple[str, str], list[Score]] = {}
    for each in scores:
        cells.setdefault((each.method, each.row.condition), []).append(each)
    found: dict[str, list[Point]] = {}
    for method in dict.fromkeys(method for method, _ in cells):
        for x, condition in sorted(sweep.conditions.items()):
            if here := cells.get((method, condition.name)):
                found.setdefault(method, []).append(_point(x, here, cells.get((reference, condition.name), ())))
    return found


def sweep_records(scores: Iterable[Score], sweeps: Iterable[Sweep], axis: Axis) -> list[dict[str, Any]]:
    """Return scored cells as records, with their place on the axis."""
    place = {condition.name: x for sweep in sweeps for x, condition in sweep.conditions.items()}
    return [{axis.column: place[each.row.condition]} | each.record() for each in scores]


def curve_tables(drawn: Curves, axis: Axis, reference: str) -> tuple[Table, Table]:
    """Return the curves as tables: means, and differences to the reference method."""
    places = sorted({point.x for points in drawn.values() for point in points})
    head = (axis.column, *(axis.written(x).replace("\n", ", ") for x in places))

    def table(title: str, write: Callable[[Point], str]) -> Table:
        texts = {method: {point.x: write(point) for point in points} for method, points in drawn.items()}
        lines = [[STYLES[m].label, *(at.get(x, "") for x in places)] for m, at in texts.items() if any(at.values())]
        return simple_table(head, lines, title=title)

    return (
        table(
            "PSNR in dB, mean ± SD over slices",
            lambda point: f"{point.psnr.mean:.2f}" + (f" ± {point.sd:.2f}" if math.isfinite(point.sd) else ""),
        ),
        table(
            f"Minus that of {STYLES[reference].label}, in dB, with 95 % intervals",
            lambda point: "" if point.difference is None else signed(point.difference),
        ),
    )


def _point(x: float, scores: Sequence[Score], reference: Sequence[Score]) -> Point:
    rows = mean_over_seeds(scores)
    values, subjects = [row.psnr for row in rows], [row.subject for row in rows]
    by_seed = groupby(sorted(scores, key=lambda each: each.seed), key=lambda each: each.seed)
    return Point(
        x,
        interval(values, subjects),
        paired(rows, mean_over_seeds(reference)) if reference and reference[0].method != scores[0].method else None,
        stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else math.nan,
        [fmean(each.row.psnr for each in members) for _, members in by_seed],
    )
