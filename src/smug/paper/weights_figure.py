"""The figure of sample weights over denoising errors, and of what the weights gain."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from smug.paper.sample_weights import SampleWeights
from smug.reports.tables import fixed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Gains = Mapping[str, Mapping[str, float]]
"""PSNR in dB with the learned weights minus that with equal ones, by condition and slice."""

LOOKS = (("#000000", "o"), ("#E69F00", "s"), ("#0072B2", "^"), ("#D55E00", "D"), ("#009E73", "v"))
"""Colours and markers of slices; these are not methods."""

SIDESTEP = 0.08
"""Distance between the markers of slices at one place."""

LEAST_RANGE = 1e-3
"""In dB: the axis of gains reaches at least so far."""


def weights_figure(shown: Sequence[SampleWeights], gains: Gains) -> "Figure":
    """Return weights over errors on the left, a marker per scan, and gains on the right."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    legend, below, above = 0.17 * len(shown), 0.6, 0.3  # inches
    height = legend + below + 3.0 + above
    figure = Figure(figsize=(8.0, height))
    FigureCanvasAgg(figure)
    place = {"left": 0.1, "right": 0.985, "bottom": (legend + below) / height, "top": 1 - above / height}
    left, right = figure.subplots(1, 2, gridspec_kw=place | {"wspace": 0.32, "width_ratios": (1.6, 1)})
    for axes, level in ((left, 1), (right, 0)):
        axes.axhline(level, color="0.4", linewidth=0.8, linestyle=":", zorder=0)
    for number, (w, (colour, marker)) in enumerate(zip(shown, LOOKS, strict=False)):
        dots = {"color": colour, "marker": marker, "markersize": 5, "markeredgecolor": "white", "markeredgewidth": 0.5}
        above_mean = 100 * (w.errors / w.errors.mean() - 1)
        left.plot(above_mean, w.weights * len(w.weights), linestyle="", label=_legend_line(w), **dots)
        aside = SIDESTEP * (number - (len(shown) - 1) / 2)
        right.plot(
            [x + aside for x in range(len(gains))], [gain[w.slice] for gain in gains.values()], linestyle="", **dots
        )
    means = [sum(gain.values()) / len(gain) for gain in gains.values()]
    right.hlines(
        means, [x - 0.3 for x in range(len(gains))], [x + 0.3 for x in range(len(gains))], color="0.3", linewidth=1.2
    )
    right.set(xlim=(-0.6, len(gains) - 0.4), xticks=range(len(gains)), xticklabels=list(gains))
    reach = max(LEAST_RANGE, *(1.15 * abs(each) for gain in gains.values() for each in gain.values()))
    right.set_ylim(-reach, reach)
    _frame(left, "weights of the last unrolling step", "weight / mean weight")
    left.set_xlabel("RMSE of the denoised sample, above the scan's mean (%)", fontsize=9)
    _frame(right, "learned weights minus equal ones", "difference of PSNR (dB)")
    right.set_xlabel("measurements; bars are means", fontsize=9)
    lines = left.get_legend_handles_labels()
    figure.legend(*lines, loc="lower center", frameon=False, fontsize=7.5, labelspacing=0.25, borderaxespad=0)
    return figure


def _legend_line(w: SampleWeights) -> str:
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
