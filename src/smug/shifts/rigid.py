"""Rigid motion of images by Fourier interpolation, which blurs nothing and can be differentiated in the motion."""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from smug.physics.fourier import fft2c, ifft2c


def moved(images: Tensor, angle: Tensor, shift: Tensor | None = None, *, quarters: int = 0) -> Tensor:
    """Turn images ``(n, y, x)`` counterclockwise around the pixel ``(y // 2, x // 2)``, then shift them; complex.

    ``angle`` is in radians, real ``(n,)``, at most a quarter of pi, after so many ``quarters`` of a turn, which are
    exact; ``shift`` is in pixels along y and x, real ``(n, 2)``. The rest is three shears (Unser, Thevenaz,
    Yaroslavsky 1995). On a grid twice as fine they do not alias; what turns beyond the corners of k-space is lost, as
    on a scanner. Images are zero outside the field of view, so that nothing wraps around.
    """
    height, width = images.shape[-2:]
    half = max(height, width)  # an image turned by at most 45 degrees stays on 2 half + 1 pixels, sheared or not
    top, left = half - height // 2, half - width // 2
    canvas = pad(images, (left, half + 1 - width + width // 2, top, half + 1 - height + height // 2))
    canvas = torch.rot90(canvas, quarters, (-2, -1))
    if bool(angle.any()) or shift is not None:
        spectrum = fft2c(canvas)
        if bool(angle.any()) or angle.requires_grad:
            fine = 2 * ifft2c(pad(spectrum, (half + 1, half) * 2))
            half_tangent, sine = torch.tan(angle.double() / 2), torch.sin(angle.double())
            for dim, slope in ((-1, half_tangent), (-2, -sine), (-1, half_tangent)):
                fine = _sheared(fine, dim, slope[:, None, None])
            spectrum = pad(fft2c(fine), (-half - 1, -half) * 2) / 2
        if shift is not None:
            spectrum = _ramp(shift.double(), 2 * half + 1).to(spectrum.dtype) * spectrum
        canvas = ifft2c(spectrum)
    return canvas[..., top : top + height, left : left + width]


def rotated(images: Tensor, degrees: float) -> Tensor:
    """Turn images ``(batch, y, x)`` counterclockwise around the pixel ``(y // 2, x // 2)``.

    Quarter turns are exact; the rest is three shears by Fourier interpolation (Unser, Thevenaz, Yaroslavsky 1995),
    see :func:`moved`: what an interpolation has blurred would be easier to reconstruct.
    """
    quarters = round(degrees / 90)
    angle = math.radians(degrees - 90 * quarters)
    turned = moved(images, images.new_full((len(images),), angle, dtype=torch.float64), quarters=quarters)
    return turned if images.is_complex() else turned.real


def _ramp(shift: Tensor, size: int) -> Tensor:
    """Return the phases of a centred spectrum that shift images by ``(n, 2)`` pixels."""
    frequency = -2 * math.pi * (torch.arange(size, dtype=torch.float64, device=shift.device) - size // 2) / size
    phase = shift[:, :1, None] * frequency[:, None] + shift[:, 1:, None] * frequency
    return torch.polar(torch.ones_like(phase), phase)


def _sheared(images: Tensor, dim: int, slope: Tensor) -> Tensor:
    """Move every line along ``dim`` by ``slope (n, 1, 1)`` pixels per pixel that it is away from the centre."""
    size = images.shape[dim]
    index = torch.arange(size, dtype=torch.float64, device=images.device) - size // 2
    ramp = -2 * math.pi * torch.fft.fftfreq(size, dtype=torch.float64, device=images.device)
    phase = slope * (index[:, None] * ramp if dim == -1 else ramp[:, None] * index)
    factor = torch.polar(torch.ones_like(phase), phase).to(images.dtype.to_complex())
    sheared: Tensor = torch.fft.ifft(torch.fft.fft(images, dim=dim) * factor, dim=dim)
    return sheared
