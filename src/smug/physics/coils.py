"""Coil sensitivity maps, simulated or estimated from autocalibration lines.

All maps are ``(batch, coil, y, x)`` with ``sum_c |s_c|^2 <= 1``, so that the SENSE operator has norm <= 1.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smug.physics.fourier import ifft2c
from smug.physics.masks import calibration_region

MIN_CALIBRATION = 4
"""Fewest fully sampled central lines per axis that maps are estimated from."""

MAX_CALIBRATION = 48
"""Most of them that are used: maps are smooth, and finer resolution lets noise in."""


def simulated_maps(coils: int, height: int, width: int, *, seed: int, profile_width: float = 1.2) -> Tensor:
    """Smooth random maps, ``complex64 (1, coil, y, x)``, with ``sum_c |s_c|^2 = 1`` everywhere.

    Coil c is centred at x_c on a jittered circle around the object; before normalisation its amplitude is
    ``exp(-|r - x_c|^2 / profile_width)``, with half of the field of view = 1; its phase is a random quadratic
    of r. The field depends on seed and coils alone; pixel k of n along an axis is at (k - n // 2) / (n / 2).

    Raises ValueError for sizes below 1 and a profile width that is not positive.
    """
    if min(coils, height, width) < 1:
        raise ValueError(f"got {coils} coils of {height} x {width}, expected at least one of each")
    if not 0 < profile_width < math.inf:
        raise ValueError(f"got profile_width={profile_width}, expected a positive number")
    rng = np.random.default_rng(seed)
    angle = 2 * math.pi * (np.arange(coils) + rng.uniform() + rng.uniform(-0.25, 0.25, coils)) / coils
    radius = rng.uniform(1.1, 1.4, coils)
    phase = rng.uniform(-math.pi, math.pi, coils)
    slope = rng.normal(0, 0.7, (2, coils))
    curvature = rng.normal(0, 0.3, (3, coils))

    def per_coil(values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values)[..., None, None]

    y, x = _coordinate(height)[:, None], _coordinate(width)
    y_c, x_c = per_coil(radius * np.sin(angle)), per_coil(radius * np.cos(angle))
    squared_distance = (y - y_c) ** 2 + (x - x_c) ** 2
    # a_c / sqrt(sum a_c^2) with a_c = exp(-d_c^2 / w), in logarithms: narrow profiles underflow to 0 / 0
    magnitude = torch.softmax(-2 * squared_distance / profile_width, dim=0).sqrt()
    (b_y, b_x), (c_yy, c_yx, c_xx) = per_coil(slope), per_coil(curvature)
    argument = per_coil(phase) + b_y * y + b_x * x + c_yy * y**2 + c_yx * y * x + c_xx * x**2
    return torch.polar(magnitude, argument).to(torch.complex64)[None]


def maps_from_calibration(y: Tensor, mask: Tensor, *, window: float = 2.0) -> Tensor:
    """Low-resolution maps from the fully sampled centre of k-space, ``(batch, coil, y, x)`` like ``y``.

    With l_c the image of coil c from the calibration region, at most 48 x 48 of it, tapered by a Kaiser
    window of shape parameter ``window``: ``s_c = l_c / (sum_c |l_c|^2)^(1/2)``. Without signal the direction of
    this vector is arbitrary, its length is 1 all the same: shorter maps would make a solution that reproduces the
    measurements differ from the coil combination ``sum_c conj(s_c) x_c`` that serves as the target.

    Phase convention: the maps take over the phase of the low-resolution image, ``sum_c conj(s_c) l_c >= 0``.
    Phase relative to a reference coil, real or virtual, would be undefined where that coil vanishes.

    ``y`` is complex k-space ``(batch, coil, y, x)``, ``mask`` its sampling, ``bool (batch, x)`` or
    ``(batch, y, x)``; entries of ``y`` outside the calibration region have no influence.

    Raises ValueError for k-space that is not finite or vanishes in the region, for shapes that do not agree,
    and for fewer than 4 central lines along an axis that is not full.
    """
    check_calibration_data(y, mask)
    if not window >= 0:
        raise ValueError(f"got window={window}, expected a Kaiser shape parameter of at least 0 (0 is no taper)")

    sizes = y.shape[-2:]
    lengths = [len(range(size)[region]) for size, region in zip(sizes, calibration_region(mask), strict=True)]
    for axis, size, length in zip("yx", sizes, lengths, strict=True):
        if length < min(MIN_CALIBRATION, size):
            raise ValueError(
                f"got {length} fully sampled central lines along {axis}, expected at least {MIN_CALIBRATION} "
                "to estimate coil maps: sample more of the centre, or pass maps of your own"
            )
    taper_y, taper_x = (
        _taper(size, min(length, MAX_CALIBRATION), window, y) for size, length in zip(sizes, lengths, strict=True)
    )
    coil_images = ifft2c(y * (taper_y[:, None] * taper_x))
    rss = torch.linalg.vector_norm(coil_images, dim=-3, keepdim=True)
    maximum = rss.amax(dim=(-2, -1), keepdim=True)
    if not bool((maximum > 0).all()):
        raise ValueError("got k-space that is zero in the whole calibration region, expected a signal")
    maps: Tensor = coil_images / rss.clamp(min=torch.finfo(rss.dtype).tiny)
    return maps


def check_calibration_data(y: Tensor, mask: Tensor) -> None:
    """Raise ValueError unless ``y`` is finite complex k-space ``(batch, coil, y, x)`` that fits its sampling mask."""
    if y.ndim != 4 or y.dtype not in (torch.complex64, torch.complex128) or 0 in y.shape:
        raise ValueError(
            f"got k-space {y.dtype} {tuple(y.shape)}, expected complex64 or complex128 (batch, coil, y, x), not empty"
        )
    expected = (y.shape[-1],) if mask.ndim == 2 else tuple(y.shape[-2:])
    if tuple(mask.shape[1:]) != expected or mask.shape[0] not in (1, y.shape[0]):
        raise ValueError(f"got a mask {tuple(mask.shape)} that does not fit k-space {tuple(y.shape)}")
    if not bool(torch.isfinite(torch.view_as_real(y)).all()):
        raise ValueError("got k-space with NaN or infinite values, expected finite measurements")


def _taper(size: int, length: int, beta: float, like: Tensor) -> Tensor:
    """Kaiser window on the ``length`` entries around DC at ``size // 2``, zero elsewhere."""
    taper = torch.zeros(size, dtype=like.real.dtype, device=like.device)
    start = size // 2 - length // 2
    taper[start : start + length] = torch.kaiser_window(
        length, periodic=length % 2 == 0, beta=beta, dtype=taper.dtype, device=taper.device
    )
    return taper


def _coordinate(size: int) -> Tensor:
    """Position along an axis in units of half the field of view, 0 at the centre of the centred FFT."""
    return (torch.arange(size, dtype=torch.float64) - size // 2) / (size / 2)
