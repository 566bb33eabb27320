"""The scale of the measurements: networks see images of magnitude about 1, users keep their units."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from smug.models.noise import Seeds
from smug.physics.fourier import ifft2c
from smug.physics.sense import Sense

SCALE_FRACTION = 0.04
"""The centre of k-space that makes the scale: 4 % per axis, inside the smallest ACS in use (that of 8x)."""

PEAK_OVER_SCALE = 2.8
"""Typical ratio of an image's largest magnitude to its low-resolution energy-weighted mean."""


def measurement_scale(y: Tensor, A: Sense) -> Tensor:
    """Return about the largest magnitude of the image, from the centre of its k-space alone; real ``(batch, 1, 1)``.

    It is the energy-weighted root mean square ``sqrt(sum m^4 / sum m^2)`` of the low-resolution image m, times a
    constant: differentiable, homogeneous of degree 1, blind to the empty background, and the same for every rate that
    samples the centre. Raises ValueError if the centre of k-space is not sampled or holds no signal.
    """
    height, width = y.shape[-2:]
    window = torch.zeros(height, width, dtype=torch.bool, device=y.device)
    window[_centre(height), _centre(width)] = True
    energy = ifft2c(A.sampled * window * y).abs().square().sum(-3)
    total = energy.sum((-2, -1), keepdim=True)
    if not bool((total.detach() > 0).all()):
        raise ValueError("scale: expected signal in the centre of k-space, got none; is the centre sampled?")
    return PEAK_OVER_SCALE * (energy / total * energy).sum((-2, -1), keepdim=True).sqrt()


def _centre(size: int) -> slice:
    """Return the frequencies up to half of the fraction, both signs."""
    half = max(0, round(size * SCALE_FRACTION) - 1) // 2
    return slice(size // 2 - half, size // 2 + half + 1)


@dataclass(frozen=True, eq=False)
class Normalised:
    """A reconstructor of measurements in any unit, made from one of normalised measurements.

    ``f(c y, A) = c f(y, A)`` for real c > 0 at equal noise. ``scale`` gives the unit, from y alone; pass
    ``lambda y, A: s`` to hold one scale for a whole volume.
    """

    reconstructor: Callable[..., Tensor]
    scale: Callable[[Tensor, Sense], Tensor] = measurement_scale

    def __call__(self, y: Tensor, A: Sense, generator: Seeds = None) -> Tensor:
        """Reconstruct ``(batch, coil, y, x)`` in its own units."""
        scale = self.scale(y, A)
        return scale * self.reconstructor(y / scale.unsqueeze(-3), A, generator)

    def replace(self, **changes: Any) -> Self:
        """Return it with other settings of the reconstructor inside."""
        return type(self)(self.reconstructor.replace(**changes), self.scale)  # type: ignore[attr-defined]

    def to(self, device: torch.device | str) -> Self:
        """Move the reconstructor's networks to a device."""
        return type(self)(self.reconstructor.to(device), self.scale)  # type: ignore[attr-defined]


def normalised(reconstructor: Callable[..., Tensor]) -> Normalised:
    """Wrap a reconstructor so that it takes measurements in any unit and answers in the same."""
    return Normalised(reconstructor)
