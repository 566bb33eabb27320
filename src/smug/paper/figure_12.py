"""Figure 12: the weights that Weighted SMUG gives its samples, and what they gain."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, cast

import torch
from torch import Tensor

from smug.data.simulate import named_seed
from smug.evaluation.conditions import Condition, clean
from smug.paper.conditions import EPSILON, pgd
from smug.paper.exhibit import Content, Drawing, Exhibit, about
from smug.paper.experiment import Experiment
from smug.paper.measurement import Cells, Results
from smug.paper.runs import Run
from smug.paper.sample_weights import SampleWeights, sample_weights, summarised
from smug.paper.scales import Scale
from smug.paper.scores import Score, Scores, records
from smug.paper.style import captioned
from smug.paper.weights_figure import Gains, weights_figure
from smug.reconstructor import Reconstructor
from smug.reports.tables import fixed
from smug.system.table import Table, simple_table
from smug.training.runs import Model

SCANS = 5
"""The paper's number of scans; ours are evenly spread over the test split."""

SAMPLES = 10
"""iid samples, as in the paper."""


@dataclass(frozen=True)
class LearnedWeights:
    """The weights of a trained Weighted SMUG on clean measurements of some test slices."""

    anatomy: str
    acceleration: float
    slices: int

    def cells(self, scale: Scale) -> Sequence[Cells]:
        """Return nothing: it takes little, and the scores of the same model are counted."""
        return ()

    def score(self, experiment: Experiment, results: Results) -> list[SampleWeights]:
        """Return the weights, slice by slice."""
        run = Run(self.anatomy, self.acceleration, "weighted-smug", experiment.scale.seeds[0])
        model = cast(Model, with_iid_samples(experiment.model(run).to(experiment.device)))
        test = experiment.test(self.anatomy, self.acceleration, count=self.slices)
        return [
            sample_weights(model, scan.to(experiment.device), _seeds(scan.id, experiment.seed)) for scan in test.scans
        ]


def with_iid_samples(f: Reconstructor) -> Reconstructor:
    """Return Weighted SMUG with the paper's samples."""
    model = cast(Model, f)
    return model.replace(noise="iid", num_samples=SAMPLES)


def unweighted(f: Reconstructor) -> Reconstructor:
    """Return the same with all weights set to 1: SMUG, with the denoiser of Weighted SMUG."""
    return cast(Model, with_iid_samples(f)).replace(encoder=lambda x: x.real.new_ones(len(x)))


def weight_pair(base: Condition) -> tuple[Condition, Condition]:
    """Return a condition for Weighted SMUG with the paper's samples: with learned weights, and with equal ones."""
    return _with(base, "learned"), _with(base, "equal")


def _with(base: Condition, weights: str) -> Condition:
    name = f"{SAMPLES} iid samples, {weights} weights"
    return replace(
        base,
        name=f"{base.name}, {weights} weights",
        description=f"{base.description}, {name}",
        recipe=f"{name}, {base.recipe}",
        change={"learned": with_iid_samples, "equal": unweighted}[weights],
    )


def _content(scale: Scale) -> Content:
    # One trained model, and as many scans as the paper shows.
    conditions = {base.name: weight_pair(base) for base in (clean(), pgd(EPSILON))}
    every = tuple(condition for both in conditions.values() for condition in both)
    measured = Scores("knee", 4.0, ("weighted-smug",), every, slices=SCANS)
    weights = LearnedWeights("knee", 4.0, SCANS)

    def draw(results: Results) -> Drawing:
        scores, shown = results.of(measured), results.of(weights)
        gains = {name: _gains(scores, *both) for name, both in conditions.items()}
        caption = (
            f"{about(scale, measured, scores)} Left: the last unrolling step on clean measurements, {SAMPLES} iid "
            "samples. The RMSE of a denoised sample is per pixel, of the target's maximum; a scan's mean stands in the "
            "legend, with the effective number of samples, 1/Σw², and Spearman's ρ of weight and RMSE (of 10 samples, "
            "chance alone gives |ρ| > 0.65 in one case of twenty). Right: PSNR with the learned weights minus that "
            "with all weights 1: same denoiser, same noise, an attack made for each."
        )
        lines = [*_weight_records(shown), *({"kind": "cell"} | each for each in records(scores))]
        means = ", ".join(f"{name} {fmean(slices.values()):+.4f} dB" for name, slices in gains.items())
        body: list[str | Table] = [_table(shown, gains), f"Learned weights minus equal ones, mean over scans: {means}."]
        return Drawing(lines, captioned(weights_figure(shown, gains), caption), body, (caption,))

    return Content([measured, weights], draw)


def _seeds(names: Sequence[str], seed: int) -> Tensor:
    return torch.tensor([named_seed(f"weights:{name}", seed) for name in names], dtype=torch.int64)


def _gains(scores: Sequence[Score], learned: Condition, equal: Condition) -> Mapping[str, float]:
    """Return by slice how much more PSNR in dB the learned weights give than equal ones."""
    psnr = {(each.row.condition, each.row.slice): each.row.psnr for each in scores}
    return {name: psnr[learned.name, name] - psnr[equal.name, name] for name in dict.fromkeys(n for _, n in psnr)}


def _weight_records(shown: Sequence[SampleWeights]) -> Iterator[dict[str, Any]]:
    for w in shown:
        yield {"kind": "scan", "slice": w.slice, **summarised(w)}
        for sample, (weight, error) in enumerate(zip(w.weights.tolist(), w.errors.tolist(), strict=True)):
            yield {"kind": "sample", "slice": w.slice, "sample": sample, "weight": weight, "rmse": error}


def _table(shown: Sequence[SampleWeights], gains: Gains) -> Table:
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
    return simple_table(head, lines)


FIG12 = Exhibit("fig12", "Fig. 12: learned weights against denoising error", "knee", _content)
