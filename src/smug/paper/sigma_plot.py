"""The look of Figure 11: errors over the smoothing noise."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from smug.evaluation.statistics import Interval
from smug.paper.style import STYLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CLEAN, PERTURBED, ROBUSTNESS = "clean", "perturbed", "robustness error"
"""What is drawn of a method."""

Curves = Mapping[tuple[str, str], Mapping[float, Interval]]
"""Means over slices in per cent, by method and what is drawn, over sigma."""


def sigma_figure(curves: Curves, made_at: float) -> "Figure":
    """Return the errors on the left and robustness errors on the right; bands are 95 % intervals in the worst case."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 3.4))
    FigureCanvasAgg(figure)
    place = {"left": 0.08, "right": 0.985, "bottom": 0.16, "top": 0.92, "wspace": 0.22}
    left, right = figure.subplots(1, 2, gridspec_kw=place)
    for (method, name), points in curves.items():
        style, xs, axes = STYLES[method], list(points), right if name == ROBUSTNESS else left
        label = style.label if axes is right else f"{style.label}, {name}"
        thin = {"markerfacecolor": "white", "markeredgecolor": style.colour, "linewidth": 0.9} if name == CLEAN else {}
        axes.plot(xs, [point.mean for point in points.values()], label=label, **(style.line | thin))
        if name != CLEAN:
            low, high = ([getattr(point, end) for point in points.values()] for end in ("low", "high"))
            axes.fill_between(xs, low, high, color=style.colour, alpha=0.12, linewidth=0)
    sigmas = list(next(iter(curves.values())))
    _frame(left, sigmas, made_at, "error against the ground truth", "RMSE / norm of the target (%)")
    _frame(right, sigmas, made_at, "robustness error: with δ against without", "difference / norm of the image (%)")
    return figure


def _frame(axes: "Axes", sigmas: Sequence[float], made_at: float, title: str, label: str) -> None:
    """Show sigma from zero on, above the smallest by its logarithm."""
    axes.set_xscale("symlog", linthresh=sigmas[1], linscale=0.4)
    axes.set_xticks(sigmas, [f"{s:g}" for s in sigmas], fontsize=7.5)
    axes.minorticks_off()
    axes.axvline(made_at, color="0.4", linewidth=0.8, linestyle=":", zorder=0)
    told = {"transform": axes.get_xaxis_transform(), "fontsize": 6.5, "color": "0.3", "va": "bottom"}
    axes.text(made_at, 0.01, " δ made, and trained", **told)
    axes.set_xlabel("σ of the smoothing at test", fontsize=9)
    axes.set_ylabel(label, fontsize=9)
    axes.set_title(title, fontsize=9, loc="left")
    axes.tick_params(axis="y", labelsize=8)
    axes.grid(alpha=0.3, linewidth=0.5)
    axes.legend(fontsize=8, frameon=False, handlelength=4)
