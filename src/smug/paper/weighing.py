"""The samples of Weighted SMUG: what it thinks of them, and what they are."""

import math
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smug.data.scan import Scan
from smug.evaluation.conditions import Condition
from smug.models.reconstructors import WeightedSMUG
from smug.reconstructor import Reconstructor
from smug.training.runs import Model

SAMPLES = 10
"""iid samples, as in the paper."""

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
