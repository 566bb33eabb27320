"""Clean against attacked PSNR: what robustness costs."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from smug.evaluation.summary import Summary, error_bar, error_bar_label, grid
from smug.reports.axes import SIZE, legend, limits, no_interval, short
from smug.reports.labels import place_labels
from smug.reports.palette import Style, styles

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def front(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points that no other surpasses in one number without falling behind in the other, by the first.

    >>> front([(1, 3), (2, 2), (1, 2), (3, 0)])
    [(1, 3), (2, 2), (3, 0)]
    """
    kept: list[tuple[float, float]] = []
    for x, y in sorted(set(points), reverse=True):
        if not kept or y > kept[-1][1]:
            kept.append((x, y))
    return kept[::-1]


def pareto_figure(summaries: Sequence[Summary], attacked: str, clean: str = "clean", *, title: str = "") -> "Figure":
    """Return mean PSNR under a condition against that on clean measurements, with 95 % intervals of both.

    These are the intervals of :func:`smug.evaluation.summary.error_bar`; the axes follow the means. The line is the
    Pareto front: what lies below and left of it is surpassed. Raises ValueError where no model has finite PSNR under
    both conditions.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    models, _, cells = grid(summaries)
    shown = [
        (before, after)
        for model in models
        if (before := cells.get((model, clean))) and (after := cells.get((model, attacked)))
        if math.isfinite(before.psnr.mean) and math.isfinite(after.psnr.mean)
    ]
    if not shown:
        raise ValueError(f"expected a model with finite PSNR under {clean} and {attacked}, got none")
    figure = Figure(figsize=SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.add_subplot()
    _draw(axis, shown, styles(models))
    if said := error_bar_label(summaries):
        axis.plot([], [], color="0.35", linewidth=1, marker="+", markersize=9, label=said)
    no_interval(axis, summaries)
    axis.set_xlabel(f"PSNR, {clean} (dB)", parse_math=False)
    axis.set_ylabel(f"PSNR, {attacked} (dB)", parse_math=False)
    if title:
        axis.set_title(title, fontsize=10, parse_math=False)
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    legend(figure)
    place_labels(axis, [(short(before.model), before.psnr.mean, after.psnr.mean) for before, after in shown])
    return figure


def _draw(axis: "Axes", shown: Sequence[tuple[Summary, Summary]], looks: Mapping[str, Style]) -> None:
    """Draw the front, each model, and its intervals, which the axes follow only so far."""
    alone = len(looks) == 1
    places = [(before.psnr.mean, after.psnr.mean) for before, after in shown]
    if len(best := front(places)) > 1:
        axis.plot(*zip(*best, strict=True), color="0.5", linewidth=1, label="Pareto front", zorder=1)
    across, up = ([error_bar(s, alone=alone) for s in side] for side in zip(*shown, strict=True))
    for (before, _), (x, y), (left, right), (low, high) in zip(shown, places, across, up, strict=True):
        look = looks[before.model]
        axis.plot([left, right, math.nan, x, x], [y, y, math.nan, low, high], color=look.colour, linewidth=1)
        axis.plot(x, y, color=look.colour, marker=look.marker, markersize=7, linestyle="none")
    axis.set_xlim(limits([x for x, _ in places], [end for ends in across for end in ends]))
    axis.set_ylim(limits([y for _, y in places], [end for ends in up for end in ends]))
