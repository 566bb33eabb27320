"""The figure of errors over the smoothing noise at test time."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from smug.evaluation.statistics import Interval
from smug.paper.style import STYLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CLEAN, PERTURBED, ROBUSTNESS = "clean", "perturbed", "robustness error"
"""The kinds of error: RMSE without and with a perturbation on the left, robustness error on the right."""

Errors = Mapping[tuple[str, str], Mapping[float, Interval]]
"""Errors in per cent over sigma, by method (or :data:`DIFFERENCE`) and kind of error."""


def sigma_figure(curves: Errors, methods: Sequence[str], difference: str, trained: float) -> "Figure":
    """Return errors on the left and robustness errors on the right; below, the difference of the two methods."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 5.2))
    FigureCanvasAgg(figure)
    place = {"left": 0.095, "right": 0.985, "bottom": 0.1, "top": 0.95, "wspace": 0.24, "hspace": 0.1}
    axes = figure.subplots(2, 2, sharex=True, gridspec_kw=place | {"height_ratios": (1.5, 1)})
    for column, names in enumerate(((CLEAN, PERTURBED), (ROBUSTNESS,))):
        above, below = axes[:, column]
        for name in names:
            for method in methods:
                label = STYLES[method].label + (f", {name}" if len(names) > 1 else "")
                _draw(above, curves[method, name], STYLES[method].line, STYLES[method].colour, name, label)
            points = curves[difference, name]
            _draw(below, points, {"color": "0.25", "marker": "o", "markersize": 4.5}, "0.25", name, name)
            ends = [point.low for point in points.values()], [point.high for point in points.values()]
            below.vlines(list(points), *ends, color="0.65" if name == CLEAN else "0.25", linewidth=0.9, zorder=1)
        below.axhline(0, color="0.4", linewidth=0.8, linestyle=":", zorder=0)
        _widen(above)
        _frame((above, below), list(points), trained)
    label = " minus ".join(STYLES[method].label for method in reversed(methods))
    axes[0, 0].set_title("error against the ground truth", fontsize=9, loc="left")
    axes[0, 1].set_title("robustness error: with δ against without", fontsize=9, loc="left")
    axes[0, 0].set_ylabel("RMSE / norm of the target (%)", fontsize=9)
    axes[0, 1].set_ylabel("difference / norm of the image (%)", fontsize=9)
    axes[1, 0].set_ylabel(f"{label} (%)", fontsize=9)
    axes[1, 1].set_ylabel(f"{label} (%)", fontsize=9)
    for legend in (axes[0, 0], axes[0, 1], axes[1, 0]):
        legend.legend(fontsize=8, framealpha=0.8, edgecolor="none", handlelength=4)
    return figure


def _draw(
    axes: "Axes", points: Mapping[float, Interval], line: Mapping[str, Any], colour: str, name: str, label: str
) -> None:
    """Draw means; what is clean has thin lines and open markers."""
    thin = {"markerfacecolor": "white", "markeredgecolor": colour, "linewidth": 0.9} if name == CLEAN else {}
    axes.plot(list(points), [point.mean for point in points.values()], label=label, **{**line, **thin})


def _widen(axes: "Axes") -> None:
    """Let the axis span a tenth of its values at least: less is nothing that would be worth a steep line."""
    low, high = axes.get_ylim()
    middle, half = (low + high) / 2, (high - low) / 2
    axes.set_ylim(middle - max(half, 0.05 * middle), middle + max(half, 0.05 * middle))


def _frame(panels: Iterable["Axes"], sigmas: Sequence[float], trained: float) -> None:
    """Show sigma from zero on, above the smallest by its logarithm."""
    for axes in panels:
        axes.set_xscale("symlog", linthresh=sigmas[1], linscale=0.4)
        axes.set_xticks(sigmas, [f"{s:g}" for s in sigmas])
        axes.minorticks_off()
        axes.axvline(trained, color="0.4", linewidth=0.8, linestyle=":", zorder=0)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3, linewidth=0.5)
        axes.ticklabel_format(axis="y", useOffset=False)
    axes.set_xlabel("σ of the smoothing at test", fontsize=9)
    above = axes.get_xaxis_transform()
    axes.text(trained, 0.01, " δ made, and trained", transform=above, fontsize=6.5, color="0.3", va="bottom")
