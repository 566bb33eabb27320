"""The look of Figure 12: weights over denoising errors, and what the weights are worth."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from smug.evaluation.tables import fixed
from smug.paper.weighing import Weighed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Gains = Mapping[str, Mapping[str, float]]
"""PSNR in dB with the learned weights minus that with equal ones, by condition and slice."""

LOOKS = (("#000000", "o"), ("#E69F00", "s"), ("#0072B2", "^"), ("#D55E00", "D"), ("#009E73", "v"))
"""Colour and marker of a scan; these are scans, not methods."""


def weights_figure(shown: Sequence[Weighed], gains: Gains) -> "Figure":
    """Return weights over errors on the left, a marker per scan, and gains on the right."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    legend = 0.1 + 0.18 * len(shown)
    height = legend + 0.55 + 3.0
    figure = Figure(figsize=(8.0, height))
    FigureCanvasAgg(figure)
    margins = {"left": 0.1, "right": 0.985, "bottom": (legend + 0.5) / height, "top": 1 - 0.3 / height}
    left, right = figure.subplots(1, 2, gridspec_kw=margins | {"wspace": 0.32, "width_ratios": (1.6, 1)})
    for w, (colour, marker) in zip(shown, LOOKS, strict=False):
        deviation = 100 * (w.errors / w.errors.mean() - 1)
        left.plot(
            deviation,
            w.weights * len(w.weights),
            marker,
            color=colour,
            markersize=5,
            markeredgecolor="white",
            markeredgewidth=0.5,
            label=_told(w),
        )
        for place, slices in enumerate(gains.values()):
            right.plot(
                place, slices[w.slice], marker, color=colour, markersize=5, markeredgecolor="white", markeredgewidth=0.5
            )
    left.axhline(1, color="0.4", linewidth=0.8, linestyle=":", zorder=0)
    for place, slices in enumerate(gains.values()):
        right.hlines(sum(slices.values()) / len(slices), place - 0.2, place + 0.2, color="0.3", linewidth=1.2, zorder=0)
    right.axhline(0, color="0.4", linewidth=0.8, linestyle=":", zorder=0)
    right.set_xlim(-0.6, len(gains) - 0.4)
    right.set_xticks(range(len(gains)), list(gains))
    _frame(left, "weights of the last unrolling step", "weight / mean weight")
    left.set_xlabel("RMSE of the denoised sample, above the scan's mean (%)", fontsize=9)
    _frame(right, "learned weights minus equal ones", "difference of PSNR (dB)")
    right.set_xlabel("measurements; the bar is the mean", fontsize=9)
    figure.legend(*left.get_legend_handles_labels(), loc="lower center", frameon=False, fontsize=7.5, labelspacing=0.25)
    return figure


def _told(w: Weighed) -> str:
    return (
        f"{w.slice}: mean RMSE {100 * w.errors.mean():.2f} %, largest / smallest weight {w.ratio:.4f}, "
        f"{w.effective_samples:.3f} effective samples, ρ = {fixed(w.rank_correlation, 2, '+')}"
    )


def _frame(axes: "Axes", title: str, label: str) -> None:
    axes.set_title(title, fontsize=9, loc="left")
    axes.set_ylabel(label, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3, linewidth=0.5)
    axes.ticklabel_format(axis="y", useOffset=False)
