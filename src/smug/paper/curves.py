"""Curves: mean PSNR of methods over something that is varied, as numbers and as tables."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from smug.evaluation.statistics import sentence
from smug.evaluation.summary import per_cent
from smug.paper.cells import CLASSICAL, Block, Found
from smug.paper.exhibit import Result
from smug.paper.regime import counted
from smug.paper.style import STYLES, captioned
from smug.paper.workshop import Workshop

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from statistics import fmean, stdev
from typing import Any

from smug.evaluation.conditions import Condition
from smug.evaluation.statistics import Interval, interval, paired
from smug.paper.cells import averaged
from smug.paper.table_text import pipes, signed


@dataclass(frozen=True)
class Axis:
    """What is varied: ``column`` in records, ``label`` below figures, and how its values are written.

    ``trained`` is the value that the models were trained at.
    """

    column: str
    label: str
    written: Callable[[float], str]
    trained: float | None = None


@dataclass(frozen=True)
class Sweep:
    """Conditions by their place on an axis: one curve per method."""

    conditions: Mapping[float, Condition]
    title: str = ""


@dataclass(frozen=True)
class Point:
    """Mean PSNR in dB of a method at ``x``, over slices, of each of which the training seeds' mean is taken.

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


def curves(found: Iterable[Found], sweep: Sweep, reference: str) -> Curves:
    """Return the curves of a sweep, of every method that has cells in it, in the order in which they first occur."""
    cells: dict[tuple[str, str], list[Found]] = {}
    for each in found:
        cells.setdefault((each.method, each.row.condition), []).append(each)
    drawn: dict[str, list[Point]] = {}
    for method in dict.fromkeys(method for method, _ in cells):
        for x, condition in sorted(sweep.conditions.items()):
            if here := cells.get((method, condition.name)):
                drawn.setdefault(method, []).append(_point(x, here, cells.get((reference, condition.name), ())))
    return drawn


def records(found: Iterable[Found], sweeps: Iterable[Sweep], axis: Axis) -> list[dict[str, Any]]:
    """Return scored cells as records, with their place on the axis."""
    place = {condition.name: x for sweep in sweeps for x, condition in sweep.conditions.items()}
    return [{axis.column: place[each.row.condition]} | each.flat() for each in found]


def _point(x: float, found: Sequence[Found], reference: Sequence[Found]) -> Point:
    rows = averaged(found)
    values, subjects = [row.psnr for row in rows], [row.subject for row in rows]
    by_seed = groupby(sorted(found, key=lambda each: each.seed), key=lambda each: each.seed)
    return Point(
        x,
        interval(values, subjects),
        paired(rows, averaged(reference)) if reference and reference[0].method != found[0].method else None,
        stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else math.nan,
        [fmean(each.row.psnr for each in members) for _, members in by_seed],
    )


def tables(drawn: Curves, axis: Axis, reference: str) -> str:
    """Return the curves as two tables in markdown: means, and differences to the reference method."""
    places = sorted({point.x for points in drawn.values() for point in points})
    heads = [axis.written(x).replace("\n", ", ") for x in places]
    head = (axis.column, *heads)

    def table(write: Callable[[Point], str]) -> str:
        cells = {method: {point.x: write(point) for point in points} for method, points in drawn.items()}
        lines = [
            [STYLES[m].label, *(told.get(x, "") for x in places)] for m, told in cells.items() if any(told.values())
        ]
        return pipes(head, lines) + "\n"

    return "\n".join(
        [
            "PSNR in dB, mean ± SD over slices:\n",
            table(lambda point: f"{point.psnr.mean:.2f}" + (f" ± {point.sd:.2f}" if math.isfinite(point.sd) else "")),
            f"Minus that of {STYLES[reference].label}, in dB, with 95 % intervals:\n",
            table(lambda point: "" if point.difference is None else signed(point.difference)),
        ]
    )


WIDTH, LEGEND = 8.0, 0.2  # inches
ROWS = {1: 3.5, 2: 2.5}  # height of a row in inches, by their number
COLUMNS = 4  # of the legend
SIDESTEP = 0.009  # of the axis, between the bars of neighbouring methods


def curve_figure(panels: Mapping[str, Curves], axis: Axis, reference: str) -> "Figure":
    """Return a figure with a row of panels for each title.

    On the left mean PSNR, the 95 % interval of the reference method's, and the range of training seeds; on the right
    differences to it with their intervals.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    methods = {method for drawn in panels.values() for method in drawn}
    legend, below, above = 0.1 + LEGEND * -(-len(methods) // COLUMNS), 0.55, 0.25
    height = legend + below + len(panels) * ROWS[len(panels)] + above
    figure = Figure(figsize=(WIDTH, height))
    FigureCanvasAgg(figure)
    place = {"left": 0.08, "right": 0.985, "bottom": (legend + below) / height, "top": 1 - above / height}
    rows = figure.subplots(len(panels), 2, sharex=True, squeeze=False, gridspec_kw=place | {"wspace": 0.22})
    for (title, drawn), (left, right) in zip(panels.items(), rows, strict=True):
        _draw_means(left, drawn, reference)
        _draw_differences(right, drawn, reference)
        left.set_title(title, fontsize=9, loc="left")
        _frame(left, "mean PSNR (dB)", axis)
        _frame(right, f"difference to {STYLES[reference].label} (dB)", axis)
    places = sorted({point.x for drawn in panels.values() for points in drawn.values() for point in points})
    for bottom in rows[-1]:
        bottom.set_xticks(places, [axis.written(x) for x in places], fontsize=7.5)
        bottom.set_xlabel(axis.label, fontsize=9)
    lines = rows[0, 0].get_legend_handles_labels()
    figure.legend(*lines, loc="lower center", ncols=COLUMNS, frameon=False, fontsize=8, handlelength=4)
    return figure


def _draw_means(axes: "Axes", drawn: Curves, reference: str) -> None:
    for method, points in drawn.items():
        style, xs = STYLES[method], [point.x for point in points]
        axes.plot(xs, [point.psnr.mean for point in points], label=style.label, **style.line)
        axes.vlines(xs, *_ends(point.seeds for point in points), color=style.colour, linewidth=1.0)
        if method == reference:
            band = _ends((point.psnr.low, point.psnr.high) for point in points)
            axes.fill_between(xs, *band, color=style.colour, alpha=0.12, linewidth=0)


def _draw_differences(axes: "Axes", drawn: Curves, reference: str) -> None:
    axes.axhline(0, color=STYLES[reference].colour, linewidth=1.0)
    methods = [method for method in drawn if method not in (reference, *CLASSICAL)]
    reach = max(point.x for points in drawn.values() for point in points)
    for number, method in enumerate(methods):
        style, aside = STYLES[method], (number - (len(methods) - 1) / 2) * SIDESTEP * reach
        shown = [(point.x + aside, point.difference) for point in drawn[method] if point.difference is not None]
        xs = [x for x, _ in shown]
        axes.plot(xs, [difference.mean for _, difference in shown], **style.line)
        axes.vlines(xs, *_ends((each.low, each.high) for _, each in shown), color=style.colour, linewidth=0.9)


def _ends(ranges: Iterable[Sequence[float]]) -> tuple[list[float], list[float]]:
    """Return the lower and the upper ends of ranges."""
    listed = list(ranges)
    return [min(each) for each in listed], [max(each) for each in listed]


def _frame(axes: "Axes", label: str, axis: Axis) -> None:
    axes.set_ylabel(label, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    if axis.trained is not None:
        axes.axvline(axis.trained, color="0.4", linewidth=0.8, linestyle=":", zorder=0)
        text = axes.text(axis.trained, 0.01, " as trained", fontsize=6.5, color="0.3", va="bottom")
        text.set_transform(axes.get_xaxis_transform())


ALL = ("modl", "rs-e2e", "smug", "weighted-smug", "jitter", "adversarial", "cg-sense")
"""The methods of Figs. 8 to 10: the paper's, what we set beside them, and CG-SENSE for reference."""


def swept(
    workshop: Workshop,
    methods: tuple[str, ...],
    sweeps: Sequence[Sweep],
    axis: Axis,
    *,
    reference: str = "modl",
    notes: Sequence[str] = (),
) -> Result:
    """Score methods under sweeps at 4x on the knee set, as in the paper, and draw a row of panels for each sweep.

    ``reference`` is the method that the others are compared with; ``notes`` stand below the figure.
    """
    block = Block("knee", 4.0, methods, tuple(c for sweep in sweeps for c in sweep.conditions.values()))
    found = workshop.found([block])
    panels = {sweep.title: curves(found, sweep, reference) for sweep in sweeps}
    legend = _legend(panels, STYLES[reference].label)
    said = [about(workshop, block, found), legend, workshop.scale.sampling, *_sizes(found), *notes]
    figure = captioned(curve_figure(panels, axis, reference), " ".join(said))
    text = "\n".join(_headed(title, tables(drawn, axis, reference)) for title, drawn in panels.items())
    intervals = [point.psnr for drawn in panels.values() for points in drawn.values() for point in points]
    return Result(records(found, sweeps, axis), figure, text, [*said, sentence(intervals)])


def about(workshop: Workshop, block: Block, found: Sequence[Found]) -> str:
    """Return what was measured on what: the sentence that stands below every figure."""
    note = workshop.scale.anatomy(block.anatomy).note
    slices = {each.row.slice for each in found}
    subjects = {each.row.subject for each in found} - {""}
    seeds = {each.seed for each in found}
    whose = f" of {counted(len(subjects), 'subject')}" if subjects else ""
    return (
        f"Data set {block.anatomy}{f': {note}' if note else ''}. {counted(len(slices), 'test slice')}{whose}; "
        f"models trained at {block.acceleration:g}x, {counted(len(seeds), 'training seed')}"
        f"{' from one warm start' if len(seeds) > 1 else ''}."
    )


def _sizes(found: Sequence[Found]) -> list[str]:
    sizes = [each.row.relative_l2 for each in found if each.row.attack]
    return [f"Worst cases have {per_cent(sizes)} of the measurements' l2 norm."] if sizes else []


def _headed(title: str, text: str) -> str:
    return f"## {title}\n\n{text}" if title else text


def _legend(panels: Mapping[str, Curves], reference: str) -> str:
    points = [point for drawn in panels.values() for points in drawn.values() for point in points]
    seeds = ", bars the range of training seeds" if any(len(point.seeds) > 1 for point in points) else ""
    units = " and ".join(sorted({f"{point.psnr.unit}s" for point in points}))
    return (
        f"Left: means over slices; band, 95 % interval of {reference}'s{seeds}. Right: means and 95 % intervals of "
        f"differences that are paired by slice, moved apart sideways. Intervals are over {units}."
    )
