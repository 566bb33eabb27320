"""The scale of measurements, from the measurements alone."""

import torch
from torch import Tensor

from smug.physics.fourier import ifft2c
from smug.physics.operator import Operator, operator
from smug.system.arguments import check_arguments

SCALE_FRACTION = 0.04
"""The centre of k-space that makes the scale: 4 % per axis, inside the smallest ACS in use (that of 8x)."""

PEAK_OVER_SCALE = 2.8
"""Typical ratio of an image's largest magnitude to its low-resolution energy-weighted mean."""


@check_arguments
def measurement_scale(y: Tensor, A: Operator) -> Tensor:
    """Return about the largest magnitude of the image, from its measurements alone; real ``(batch, 1, 1)``.

    It is differentiable and homogeneous of degree 1. That of k-space is told by its centre, see :func:`kspace_scale`;
    that of other measurements by the adjoint, see :meth:`smug.LinearOperator.scale`. Raises ValueError for measurements
    that tell none.
    """
    return operator(A).scale(y)


def kspace_scale(y: Tensor, sampled: Tensor) -> Tensor:
    """Return about the largest magnitude of the image, from the centre of its k-space alone; real ``(batch, 1, 1)``.

    It is the energy-weighted root mean square ``sqrt(sum m^4 / sum m^2)`` of the low-resolution image m, times a
    constant: differentiable, homogeneous of degree 1, blind to the empty background, and the same for every rate that
    samples the centre. ``y`` is ``(batch, coil, y, x)``, ``sampled`` bool ``(batch, 1, 1 or y, x)``. Raises ValueError
    if the centre of k-space is not sampled or holds no signal.
    """
    (height, width) = y.shape[-2:]
    rows, columns = _centre(height), _centre(width)
    lines = sampled[..., columns] if sampled.shape[-2] == 1 else sampled[..., rows, columns]
    centre = lines * y[..., rows, columns]
    # The image on a coarse grid: sums over it are those over all pixels, as m^4 has at most 4 times the centre's
    # highest frequency.
    above, beside = centre.shape[-2] // 2, centre.shape[-1] // 2
    m = ifft2c(torch.nn.functional.pad(centre, (beside, beside, above, above)))
    energy = m.abs().square().sum(-3) * (m.shape[-2] * m.shape[-1] / (height * width))
    total = energy.sum((-2, -1), keepdim=True)
    if not bool(total.detach().isfinite().all()):
        raise ValueError("y: expected finite numbers, got NaN or infinity in the centre of k-space")
    if not bool((total.detach() > 0).all()):
        raise ValueError("scale: expected signal in the centre of k-space, got none; is the centre sampled?")
    return PEAK_OVER_SCALE * (energy / total * energy).sum((-2, -1), keepdim=True).sqrt()


def common_scale(scales: Tensor) -> Tensor:
    """Return one scale for slices whose own are s_i, real ``(slices,)``: ``(sum s_i^4 / sum s_i^2)^(1/2)``.

    It is near that of the brightest slices, and blind to those without signal. Give it double precision: then the
    fourth power of a measurement in any unit is a number.
    """
    squares = scales.square()
    return (squares.square().sum() / squares.sum()).sqrt()


def _centre(size: int) -> slice:
    """Return the frequencies up to half of the fraction, both signs."""
    half = max(0, round(size * SCALE_FRACTION) - 1) // 2
    return slice(size // 2 - half, size // 2 + half + 1)
