"""What a smoothing sample is worth: how far cheap averages are from the expectation."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.data.simulate import named_seed
from smug.models.noise import derive
from smug.models.reconstructors import Unrolled, batched
from smug.models.smoothing import Smoothing, smooth

SAMPLERS = (
    Smoothing(num_samples=0),
    *(Smoothing(num_samples=n, noise=noise) for n in (2, 4, 10) for noise in ("iid", "antithetic")),
)
"""No noise at all, and 2, 4 or 10 samples of either kind."""

REFERENCE = Smoothing(num_samples=256, noise="antithetic", chunk=16)
"""The stand-in for the expectation: 128 antithetic pairs."""


@dataclass(frozen=True)
class SamplerRow:
    """Mean relative l2 distance of a sampler's average to the reference, at one sigma.

    ``denoiser`` is that of the smoothed denoiser, over slices and unrolling steps, at the images of the unsmoothed
    loop; ``reconstruction`` is that of the reconstructed image.
    """

    sigma: float
    num_samples: int
    noise: str
    denoiser: float
    reconstruction: float


@torch.no_grad()
def sampler_distances(
    f: Unrolled, scans: Iterable[Scan], sigmas: Sequence[float] = (0.01, 0.05, 0.1)
) -> list[SamplerRow]:
    """Compare samplers with a mean of 256 samples on a smoothed reconstructor and normalised scans."""
    scans = tuple(scan.normalised() for scan in scans)
    return [row for sigma in sigmas for row in _at(f, scans, sigma)]


def _at(f: Unrolled, scans: Sequence[Scan], sigma: float) -> list[SamplerRow]:
    def outputs(sampler: Smoothing, purpose: str) -> tuple[Tensor, Tensor]:
        sampler = replace(sampler, sigma=sigma)
        pairs = [_outputs(f, scan, sampler, purpose) for scan in scans]
        return torch.cat([pair[0] for pair in pairs]), torch.cat([pair[1] for pair in pairs])

    reference = outputs(REFERENCE, "reference")
    rows = []
    for sampler in SAMPLERS:
        distances = [_distance(*pair) for pair in zip(outputs(sampler, "sampler"), reference, strict=True)]
        rows.append(
            SamplerRow(sigma, sampler.num_samples, sampler.noise if sampler.num_samples else "none", *distances)
        )
    return rows


def _outputs(f: Unrolled, scan: Scan, sampler: Smoothing, purpose: str) -> tuple[Tensor, Tensor]:
    """Return the smoothed denoiser's values ``(step, y, x)`` along the unsmoothed loop, and the reconstruction."""
    seeds = torch.tensor([named_seed(f"{purpose}:{name}") for name in scan.id], dtype=torch.int64)
    D = batched(f.denoiser)
    steps = f.replace(sigma=0.0).iterate(scan.y, scan.A)
    values = [smooth(D, step.x, sampler, derive(seeds, n)).value for n, step in enumerate(steps)]
    return torch.cat(values), f.replace(smoothing=sampler)(scan.y, scan.A, seeds)


def _distance(x: Tensor, reference: Tensor) -> float:
    norm = torch.linalg.vector_norm
    return float((norm(x - reference, dim=(-2, -1)) / norm(reference, dim=(-2, -1))).mean())
