"""Figure 12: which samples Weighted SMUG trusts, and what its weights are worth."""

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any, cast

import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.data.simulate import named_seed
from smug.evaluation.conditions import Condition, clean
from smug.evaluation.tables import fixed
from smug.paper.cells import Block, Found
from smug.paper.exhibit import Exhibit, Result, flat
from smug.paper.runs import Run
from smug.paper.strength import EPSILON, pgd
from smug.paper.style import captioned
from smug.paper.sweeps import about
from smug.paper.table_text import pipes
from smug.paper.weighing import SAMPLES, Weighed, pair, sampled, weighed
from smug.paper.weights_plot import Gains, weights_figure
from smug.paper.workshop import Workshop
from smug.training.runs import Model

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
