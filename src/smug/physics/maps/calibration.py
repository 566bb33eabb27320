"""Coil maps from the low-resolution image of the autocalibration lines."""

import torch
from torch import Tensor

from smug.physics.fourier import ifft2c
from smug.physics.masks import calibration_region
from smug.system.arguments import check_arguments

MIN_CALIBRATION = 4
"""Fewest fully sampled central lines per axis that maps are estimated from."""

MAX_CALIBRATION = 48
"""Most of them that are used: maps are smooth, and finer resolution lets noise in."""


@check_arguments
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

    coil_images = calibration_image(y, mask, window=window)
    rss = torch.linalg.vector_norm(coil_images, dim=-3, keepdim=True)
    maximum = rss.amax(dim=(-2, -1), keepdim=True)
    if not bool((maximum > 0).all()):
        raise ValueError("got k-space that is zero in the whole calibration region, expected a signal")
    maps: Tensor = coil_images / rss.clamp(min=torch.finfo(rss.dtype).tiny)
    return maps


def calibration_image(y: Tensor, mask: Tensor, *, window: float = 2.0) -> Tensor:
    """Return the coil images of the tapered calibration region, complex ``(batch, coil, y, x)``.

    Raises ValueError for fewer than 4 central lines along an axis that is not full.
    """
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
    image: Tensor = ifft2c(y * (taper_y[:, None] * taper_x))
    return image


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
