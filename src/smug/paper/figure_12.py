"""Figure 12: which samples Weighted SMUG trusts, and what its weights are worth."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smug.data.scan import Scan
from smug.evaluation.conditions import Condition
from smug.models.reconstructors import WeightedSMUG
from smug.reconstructor import Reconstructor
from smug.reports.tables import fixed
from smug.training.runs import Model

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


from collections.abc import Iterator
from statistics import fmean
from typing import Any

from smug.data.simulate import named_seed
from smug.evaluation.conditions import clean
from smug.paper.cells import Block, Found
from smug.paper.curves import about
from smug.paper.exhibit import Exhibit, Result, flat
from smug.paper.figures_8_to_13 import EPSILON, pgd
from smug.paper.runs import Run
from smug.paper.style import captioned
from smug.paper.table_text import pipes
from smug.paper.workshop import Workshop

SCANS = 5
"""The paper's number of scans; ours are evenly spread over the test split."""


def _fig12(workshop: Workshop) -> Result:
    # One trained model, and as many scans as the paper shows.
    few = workshop.few(SCANS)
    conditions = {base.name: pair(base) for base in (clean(), pgd(EPSILON))}
    block = Block("knee", 4.0, ("weighted-smug",), tuple(c for both in conditions.values() for c in both))
    found = few.found([block])
    model = cast(Model, sampled(few.model(Run("knee", 4.0, "weighted-smug", few.scale.seeds[0])).to(few.device)))
    scans = [scan.to(few.device) for scan in few.test("knee", 4.0).scans]
    shown = [weighed(model, scan, _seeds(scan, workshop.seed)) for scan in scans]
    gains = {name: _gains(found, *both) for name, both in conditions.items()}
    said = (
        f"{about(few, block, found)} Left: the last unrolling step on clean measurements, {SAMPLES} iid samples. The "
        "RMSE of a denoised sample is per pixel, of the target's maximum; a scan's mean stands in the legend, with the "
        "effective number of samples, 1/Σw², and Spearman's ρ of weight and RMSE (of 10 samples, chance alone gives "
        "|ρ| > 0.65 in one case of twenty). Right: PSNR with the learned weights minus that with all weights 1: same "
        "denoiser, same noise, an attack made for each."
    )
    records = [*_records(shown), *({"kind": "cell"} | each for each in flat(found))]
    return Result(records, captioned(weights_figure(shown, gains), said), _text(shown, gains), (said,))


def _seeds(scan: Scan, seed: int) -> Tensor:
    return torch.tensor([named_seed(f"weights:{name}", seed) for name in scan.id], dtype=torch.int64)


def _gains(found: Sequence[Found], learned: Condition, equal: Condition) -> dict[str, float]:
    """Return by slice how much more PSNR in dB the learned weights give than equal ones."""
    psnr = {(each.row.condition, each.row.slice): each.row.psnr for each in found}
    return {name: psnr[learned.name, name] - psnr[equal.name, name] for name in dict.fromkeys(n for _, n in psnr)}


Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Weighed:
    """The samples of a scan in the last unrolling step: ``weights`` that sum to 1, and ``errors``, both ``(sample,)``.

    An error is the RMSE per pixel of the denoised sample, relative to the target's maximum.
    """

    slice: str
    weights: Array
    errors: Array

    @property
    def ratio(self) -> float:
        """The largest weight over the smallest."""
        return float(self.weights.max() / self.weights.min())

    @property
    def effective_samples(self) -> float:
        """``1 / sum w^2``: how many equal weights average as much; from 1 to the number of samples."""
        return float(1 / np.square(self.weights).sum())

    @property
    def rank_correlation(self) -> float:
        """Spearman's, of weights with errors: -1 where less error always has more weight; NaN for equal ones."""
        from scipy.stats import rankdata

        a, b = (rankdata(values) - (len(values) + 1) / 2 for values in (self.weights, self.errors))
        norm = math.sqrt(float(a @ a) * float(b @ b))
        return float(a @ b) / norm if norm else math.nan


def _records(shown: Sequence[Weighed]) -> Iterator[dict[str, Any]]:
    for w in shown:
        yield {"kind": "scan", "slice": w.slice, **summary(w)}
        for sample, (weight, error) in enumerate(zip(w.weights.tolist(), w.errors.tolist(), strict=True)):
            yield {"kind": "sample", "slice": w.slice, "sample": sample, "weight": weight, "rmse": error}


def summary(w: Weighed) -> dict[str, float]:
    """Return the numbers of a scan."""
    return {
        "rmse": float(w.errors.mean()),
        "max_over_min": w.ratio,
        "effective_samples": w.effective_samples,
        "rank_correlation": w.rank_correlation,
    }


Gains = Mapping[str, Mapping[str, float]]
"""PSNR in dB with the learned weights minus that with equal ones, by condition and slice."""


def _text(shown: Sequence[Weighed], gains: Gains) -> str:
    head = (
        "scan",
        "RMSE / maximum",
        "largest / smallest weight",
        "effective samples",
        "rank correlation",
        *(f"gain, {name} (dB)" for name in gains),
    )
    lines = [
        [
            w.slice,
            f"{w.errors.mean():.4f}",
            f"{w.ratio:.4f}",
            f"{w.effective_samples:.3f}",
            fixed(w.rank_correlation, 2, "+"),
            *(f"{slices[w.slice]:+.4f}" for slices in gains.values()),
        ]
        for w in shown
    ]
    means = ", ".join(f"{name} {fmean(slices.values()):+.4f} dB" for name, slices in gains.items())
    return f"{pipes(head, lines)}\n\nLearned weights minus equal ones, mean over scans: {means}.\n"


FIG12 = Exhibit("fig12", "Fig. 12: learned weights against denoising error", "knee", _fig12)

LOOKS = (("#000000", "o"), ("#E69F00", "s"), ("#0072B2", "^"), ("#D55E00", "D"), ("#009E73", "v"))
"""Colour and marker of a scan; these are scans, not methods."""

SIDESTEP = 0.08
"""Between scans at one place."""

NOTHING = 1e-3
"""dB: the scale of gains never shows less than this."""


def weights_figure(shown: Sequence[Weighed], gains: Gains) -> "Figure":
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
        left.plot(above_mean, w.weights * len(w.weights), linestyle="", label=_told(w), **dots)
        aside = SIDESTEP * (number - (len(shown) - 1) / 2)
        right.plot(
            [x + aside for x in range(len(gains))], [gain[w.slice] for gain in gains.values()], linestyle="", **dots
        )
    means = [sum(gain.values()) / len(gain) for gain in gains.values()]
    right.hlines(
        means, [x - 0.3 for x in range(len(gains))], [x + 0.3 for x in range(len(gains))], color="0.3", linewidth=1.2
    )
    right.set(xlim=(-0.6, len(gains) - 0.4), xticks=range(len(gains)), xticklabels=list(gains))
    reach = max(NOTHING, *(1.15 * abs(each) for gain in gains.values() for each in gain.values()))
    right.set_ylim(-reach, reach)
    _frame(left, "weights of the last unrolling step", "weight / mean weight")
    left.set_xlabel("RMSE of the denoised sample, above the scan's mean (%)", fontsize=9)
    _frame(right, "learned weights minus equal ones", "difference of PSNR (dB)")
    right.set_xlabel("measurements; bars are means", fontsize=9)
    lines = left.get_legend_handles_labels()
    figure.legend(*lines, loc="lower center", frameon=False, fontsize=7.5, labelspacing=0.25, borderaxespad=0)
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


SAMPLES = 10
"""iid samples, as in the paper."""


@torch.no_grad()
def weighed(model: Model, scan: Scan, seeds: Tensor) -> Weighed:
    """Return what Weighted SMUG does in its last unrolling step on a scan of one slice; the seeds address its noise."""
    scan = scan.normalised()
    *_, step = cast(WeightedSMUG, model.reconstructor).iterate(scan.y, scan.A, seeds)
    if step.z.weights is None:
        raise ValueError(f"{model.name}: expected a reconstructor that weights its samples")
    difference = (step.z.samples - scan.truth)[:, 0].to(torch.complex128)
    errors = difference.abs().square().mean((-2, -1)).sqrt() / scan.truth.abs().max()
    weights = step.z.weights[:, 0].double()
    return Weighed(scan.id[0], (weights / weights.sum()).cpu().numpy(), errors.cpu().numpy())


def sampled(f: Reconstructor) -> Reconstructor:
    """Return Weighted SMUG with the paper's samples."""
    model = cast(Model, f)
    return model.replace(noise="iid", num_samples=SAMPLES)


def unweighted(f: Reconstructor) -> Reconstructor:
    """Return the same with all weights set to 1: SMUG, with the denoiser of Weighted SMUG."""
    return cast(Model, sampled(f)).replace(encoder=lambda x: x.real.new_ones(len(x)))


def pair(base: Condition) -> tuple[Condition, Condition]:
    """Return a condition for Weighted SMUG with the paper's samples: with learned weights, and with equal ones."""
    return _with(base, "learned"), _with(base, "equal")


def _with(base: Condition, weights: str) -> Condition:
    name = f"{SAMPLES} iid samples, {weights} weights"
    return replace(
        base,
        name=f"{base.name}, {weights} weights",
        description=f"{base.description}, {name}",
        recipe=f"{name}, {base.recipe}",
        change={"learned": sampled, "equal": unweighted}[weights],
    )
