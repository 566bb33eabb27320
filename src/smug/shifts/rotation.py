"""Another orientation: the object turns, coils and sampling stay."""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from smug.data.scan import Scan
from smug.physics.fourier import fft2c, ifft2c
from smug.shifts.record import check_severity
from smug.shifts.target import with_target


def rotation(scan: Scan, degrees: float, seeds: Tensor) -> Scan:
    """Turn the target counterclockwise and measure it with the same maps, mask and noise; nothing is random.

    What turns out of the field of view is lost, what turns into it is empty. Raises ValueError for a scan without
    target.
    """
    check_severity("rotation", abs(degrees))
    return with_target(scan, rotated(scan.truth, degrees)) if degrees % 360 else scan


def rotated(images: Tensor, degrees: float) -> Tensor:
    """Turn complex images ``(batch, y, x)`` counterclockwise around the pixel ``(y // 2, x // 2)``.

    Quarter turns are exact; the rest is three shears by Fourier interpolation (Unser, Thevenaz, Yaroslavsky 1995),
    which blurs nothing: what an interpolation has blurred is easier to reconstruct. On a grid twice as fine the shears
    do not alias; what turns beyond the corners of k-space is lost, as on a scanner. Images are zero outside the field
    of view, so that nothing wraps around.
    """
    quarters = round(degrees / 90)
    angle = math.radians(degrees - 90 * quarters)
    height, width = images.shape[-2:]
    half = max(height, width)  # an image turned by at most 45 degrees stays on 2 half + 1 pixels, sheared or not
    top, left = half - height // 2, half - width // 2
    canvas = pad(images, (left, half + 1 - width + width // 2, top, half + 1 - height + height // 2))
    canvas = torch.rot90(canvas, quarters, (-2, -1))
    if angle:
        fine = 2 * ifft2c(pad(fft2c(canvas), (half + 1, half) * 2))
        for dim, slope in ((-1, math.tan(angle / 2)), (-2, -math.sin(angle)), (-1, math.tan(angle / 2))):
            fine = _sheared(fine, dim, slope)
        canvas = ifft2c(pad(fft2c(fine), (-half - 1, -half) * 2)) / 2
    return canvas[..., top : top + height, left : left + width]


def _sheared(images: Tensor, dim: int, slope: float) -> Tensor:
    """Move every line along ``dim`` by ``slope`` pixels per pixel that it is away from the centre."""
    size = images.shape[dim]
    index = torch.arange(size, dtype=torch.float64, device=images.device)
    moved = slope * (index - size // 2)
    ramp = -2 * math.pi * torch.fft.fftfreq(size, dtype=torch.float64, device=images.device)
    phase = moved[:, None] * ramp if dim == -1 else ramp[:, None] * moved
    factor = torch.polar(torch.ones_like(phase), phase).to(images.dtype)
    sheared: Tensor = torch.fft.ifft(torch.fft.fft(images, dim=dim) * factor, dim=dim)
    return sheared
