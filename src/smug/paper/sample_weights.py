"""What Weighted SMUG does in its last unrolling step: the weights of its samples, and their errors."""

import math
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smug.data.scan import Scan
from smug.models.reconstructors import WeightedSMUG
from smug.training.runs import Model

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SampleWeights:
    """The samples of a slice in the last unrolling step: ``weights`` that sum to 1, and ``errors``, both ``(sample,)``.

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


def summarised(w: SampleWeights) -> dict[str, float]:
    """Return the numbers of a slice as a record."""
    return {
        "rmse": float(w.errors.mean()),
        "max_over_min": w.ratio,
        "effective_samples": w.effective_samples,
        "rank_correlation": w.rank_correlation,
    }


@torch.no_grad()
def sample_weights(model: Model, scan: Scan, seeds: Tensor) -> SampleWeights:
    """Return the weights and errors of a scan of one slice; the seeds address the smoothing noise.

    Raises ValueError for a model that does not weight its samples.
    """
    scan = scan.normalised()
    *_, step = cast(WeightedSMUG, model.reconstructor).iterate(scan.y, scan.A, seeds)
    if step.z.weights is None:
        raise ValueError(f"{model.name}: expected a reconstructor that weights its samples")
    difference = (step.z.samples - scan.truth)[:, 0].to(torch.complex128)
    errors = difference.abs().square().mean((-2, -1)).sqrt() / scan.truth.abs().max()
    weights = step.z.weights[:, 0].double()
    return SampleWeights(scan.id[0], (weights / weights.sum()).cpu().numpy(), errors.cpu().numpy())
