"""The figure of curves: means on the left, differences to a reference method on the right."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from smug.paper.curves import Axis, Curves
from smug.paper.runs import CLASSICAL
from smug.paper.style import STYLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
