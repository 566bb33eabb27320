"""Where there is signal, told from the calibration lines."""

import math

import torch
from torch import Tensor

from smug.physics.maps.calibration import calibration_image

SIGNAL = 0.05
"""Signal begins at this part of the bright end of the low-resolution image."""

BRIGHT = 0.99
"""Quantile of the pixels that is called the bright end."""

MARGIN = 64
"""The support is wider than the signal by the image's side over this number, on each side."""


def signal_support(y: Tensor, mask: Tensor) -> Tensor:
    """Return where the object is, bool ``(batch, y, x)``: generous, and without holes.

    Pixels belong to it whose root sum of squares of the low-resolution coil images exceeds a twentieth of the bright
    end; pixels between such, along both axes, whatever their signal; and a margin. ``y`` is complex k-space
    ``(batch, coil, y, x)``, ``mask`` its sampling; only the calibration region, that of all slices,
    matters. Without signal it is empty.
    """
    rss = torch.linalg.vector_norm(calibration_image(y, mask), dim=1)
    rss = rss / rss.amax((-2, -1), keepdim=True).clamp(min=torch.finfo(rss.dtype).tiny)
    pixels = rss.flatten(1)
    bright = pixels.kthvalue(math.ceil(BRIGHT * pixels.shape[1]), dim=1).values[:, None, None]
    signal = rss > SIGNAL * bright
    filled: Tensor = signal | (_between(signal, -1) & _between(signal, -2))
    wide = filled[:, None].to(rss.dtype)
    for axis in (0, 1):
        margin = [0, 0]
        margin[axis] = y.shape[-2 + axis] // MARGIN
        size = [2 * m + 1 for m in margin]
        wide = torch.nn.functional.max_pool2d(wide, size, stride=1, padding=margin)
    support: Tensor = wide[:, 0] > 0
    return support


def _between(signal: Tensor, dim: int) -> Tensor:
    """Where there is signal at this pixel, or on both sides of it along an axis."""
    before = signal.int().cummax(dim).values
    after = signal.flip(dim).int().cummax(dim).values.flip(dim)
    return (before & after).bool()
