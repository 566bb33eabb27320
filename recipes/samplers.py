"""What a smoothing sample is worth: python recipes/samplers.py [MODEL ...].

Prints the sampler table of docs/small_regime.md: how far cheap averages are from the expectation.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

import smug

SLICES = 2
SIGMAS = (0.01, 0.05, 0.1)
SAMPLERS = (
    smug.Smoothing(num_samples=0),
    *(smug.Smoothing(num_samples=n, noise=noise) for n in (2, 4, 10) for noise in ("iid", "antithetic")),
)
"""No noise at all, and 2, 4 or 10 samples of either kind."""

REFERENCE = smug.Smoothing(num_samples=256, noise="antithetic", seed=1, chunk=16)
"""The stand-in for the expectation: 128 antithetic pairs, of noise that no other sampler draws."""


@torch.no_grad()
def distances(
    f: Any, scans: Sequence[smug.Scan], sampler: smug.Smoothing, reference: smug.Smoothing
) -> tuple[float, ...]:
    """Return the mean relative l2 distance of a sampler's averages to the reference's.

    First of the smoothed denoiser, over slices and unrolling steps, at the images of the unsmoothed loop; then of the
    reconstructed image. ``f`` is a smoothed reconstructor of normalised measurements.
    """
    pairs = [(_averages(f, scan, k, sampler), _averages(f, scan, k, reference)) for k, scan in enumerate(scans)]
    return tuple(
        torch.cat([_distance(one[part], other[part]) for one, other in pairs]).mean().item() for part in (0, 1)
    )


def _averages(f: Any, scan: smug.Scan, number: int, sampler: smug.Smoothing) -> tuple[Tensor, Tensor]:
    """Return the smoothed denoiser's values ``(step, y, x)`` along the unsmoothed loop, and the reconstruction."""
    seed = 1_000_000 * sampler.seed + 1000 * number

    def denoised(x: Tensor) -> Tensor:
        """Denoise images with any leading axes."""
        return f.denoiser(x.flatten(0, -3)).reshape(x.shape)

    steps = f.replace(sigma=0.0).iterate(scan.y, scan.A)
    values = [smug.smooth(denoised, step.x, sampler, torch.tensor([seed + n])).value for n, step in enumerate(steps)]
    return torch.cat(values), f.replace(smoothing=sampler)(scan.y, scan.A, torch.tensor([seed]))


def _distance(x: Tensor, reference: Tensor) -> Tensor:
    norm = torch.linalg.vector_norm
    return norm(x - reference, dim=(-2, -1)) / norm(reference, dim=(-2, -1))


def main(*names: str) -> None:
    """Print a table for every model."""
    scans = [scan.normalised() for scan in smug.load_scans("phantom", count=SLICES)]
    print(f"Relative l2 distance to the mean of 256 samples, {SLICES} phantoms: smoothed denoiser / reconstruction.\n")
    for name in names or ("smug-4x", "weighted-smug-4x"):
        f = smug.load(name).reconstructor
        print(f"| {name} | " + " | ".join(f"sigma {sigma:g}" for sigma in SIGMAS) + " |")
        print("| --- |" + " ---: |" * len(SIGMAS))
        for sampler in SAMPLERS:
            found = [distances(f, scans, *(replace(s, sigma=sigma) for s in (sampler, REFERENCE))) for sigma in SIGMAS]
            label = f"{sampler.num_samples} {sampler.noise if sampler.num_samples else 'none'}"
            print(f"| {label} | " + " | ".join(f"{one:.1e} / {other:.1e}" for one, other in found) + " |", flush=True)
        print()


if __name__ == "__main__":
    main(*sys.argv[1:])
