"""The look of Figure 11: errors over the smoothing noise."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from smug.evaluation.statistics import Interval
from smug.paper.style import STYLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROBUSTNESS = "robustness error"

Curves = Mapping[tuple[str, str], Mapping[float, Interval]]
"""Means over slices in per cent, by method and what is drawn, over sigma."""


def sigma_figure(curves: Curves, made_at: float) -> "Figure":
    """Return the errors on the left and robustness errors on the right, with 95 % intervals in the worst case."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 3.4))
    FigureCanvasAgg(figure)
    left, right = figure.subplots(
        1, 2, gridspec_kw={"left": 0.08, "right": 0.985, "bottom": 0.15, "top": 0.92, "wspace": 0.2}
    )
    for (method, name), points in curves.items():
        axes = right if name == ROBUSTNESS else left
        label = STYLES[method].label if axes is right else f"{STYLES[method].label}, {name}"
        look = STYLES[method].line | (
            {"markerfacecolor": "white", "markeredgecolor": STYLES[method].colour, "linewidth": 1.0}
            if name == "clean"
            else {}
        )
        axes.plot(list(points), [point.mean for point in points.values()], label=label, **look)
        low, high = ([getattr(point, end) for point in points.values()] for end in ("low", "high"))
        if name != "clean":
            axes.fill_between(list(points), low, high, color=STYLES[method].colour, alpha=0.12, linewidth=0)
    sigmas = list(next(iter(curves.values())))
    _frame(left, sigmas, made_at, "error against the ground truth", "RMSE / norm of the target (%)")
    _frame(right, sigmas, made_at, "robustness error: with δ against without", "difference / norm of the image (%)")
    return figure


def _frame(axes: "Axes", sigmas: Sequence[float], made_at: float, title: str, label: str) -> None:
    """Sigma from zero on, its values as far apart as their logarithms."""
    axes.set_xscale("symlog", linthresh=sigmas[1])
    axes.set_xticks(sigmas, [f"{s:g}" for s in sigmas])
    axes.minorticks_off()
    axes.axvline(made_at, color="0.4", linewidth=0.8, linestyle=":", zorder=0)
    axes.text(
        made_at,
        0.01,
        " δ made, and trained",
        transform=axes.get_xaxis_transform(),
        fontsize=6.5,
        color="0.3",
        va="bottom",
    )
    axes.set_xlabel("σ of the smoothing at test, per part of the normalised image", fontsize=9)
    axes.set_ylabel(label, fontsize=9)
    axes.set_title(title, fontsize=9, loc="left")
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3, linewidth=0.5)
    axes.legend(fontsize=8, frameon=False, handlelength=3.5)
