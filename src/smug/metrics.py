"""Image metrics whose convention has a name: an image may differ by 5 dB between two of them.

- ``"volume"``: as in fastMRI. Magnitudes; one peak and one error for the whole batch, the slices of a volume.
- ``"slice"``: magnitudes; peak and error of each slice.
- ``"complex"``: as ``"slice"``, but of the complex difference, with phase errors (the SMUG authors' PSNR).
  A real image has no phase that could be compared with that of a complex target: NaN.

Everything is computed in double precision. A NaN in an image gives a NaN in its metric.

>>> target = torch.tensor([[[1.0, 2.0]]])
>>> psnr(1.1 * target, target), nmse(1.1 * target, target)
(tensor([22.0412], dtype=torch.float64), tensor([0.0100], dtype=torch.float64))
"""

from typing import Literal, get_args

import torch
from torch import Tensor

Convention = Literal["volume", "slice", "complex"]
"""Which peak, which error, and of what: see the module's description."""

WINDOW = 7
"""Side of the SSIM window in pixels."""

LAPLACIAN, LAPLACIAN_WIDTH = 7, 1.5
"""Half the side, and the standard deviation, of the filter of HFEN in pixels."""


def psnr(x: Tensor, target: Tensor, convention: Convention = "slice") -> Tensor:
    """Peak signal-to-noise ratio in dB, 10 log10(max|t|^2 / mean|x - t|^2); inf for equal images.

    ``x`` and ``target`` are real or complex ``(batch, y, x)``; returns float64, ``(batch,)`` or, for
    "volume", a scalar. Raises ValueError where shapes differ or a target is zero.
    """
    x, target = _prepare(x, target, convention)
    dim = _reduced(convention)
    peak = target.abs().amax(dim)
    error = (x - target).abs().square().mean(dim)
    return 10 * torch.log10(peak.square() / error)


def nmse(x: Tensor, target: Tensor, convention: Convention = "slice") -> Tensor:
    """Normalised mean squared error ||x - t||^2 / ||t||^2.

    ``x`` and ``target`` are real or complex ``(batch, y, x)``; returns float64, ``(batch,)`` or, for
    "volume", a scalar. Raises ValueError where shapes differ or a target is zero.
    """
    x, target = _prepare(x, target, convention)
    dim = _reduced(convention)
    error: Tensor = (x - target).abs().square().sum(dim) / target.abs().square().sum(dim)
    return error


def ssim(x: Tensor, target: Tensor, convention: Convention = "slice") -> Tensor:
    """Structural similarity of magnitudes (Wang et al. 2004) with the arithmetic of fastMRI.

    7 x 7 uniform window, sample covariances (N - 1), K1 = 0.01, K2 = 0.03, mean over the windows that lie
    within the image; the data range is the peak of the target, of the volume or of each slice.

    ``x`` and ``target`` are real or complex ``(batch, y, x)``; returns float64, ``(batch,)`` or, for
    "volume", a scalar. Raises ValueError where shapes differ, a target is zero or smaller than the window,
    and for "complex": it has no agreed meaning. (The SMUG authors' SSIM, of real and imaginary parts with a
    data range of 2, compares with no other.)
    """
    if convention == "complex":
        raise ValueError('got convention="complex", for which SSIM is not defined: expected "slice" or "volume"')
    x, target = _prepare(x, target, convention)
    if min(x.shape[-2:]) < WINDOW:
        raise ValueError(f"got images {tuple(x.shape[-2:])}, expected at least the window, {WINDOW} x {WINDOW}")
    dim = _reduced(convention)
    data_range = target.amax(dim, keepdim=True)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mean_x, mean_t = _local_mean(x), _local_mean(target)
    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    var_x = unbiased * (_local_mean(x * x) - mean_x * mean_x)
    var_t = unbiased * (_local_mean(target * target) - mean_t * mean_t)
    covariance = unbiased * (_local_mean(x * target) - mean_x * mean_t)
    similarity = ((2 * mean_x * mean_t + c1) * (2 * covariance + c2)) / (
        (mean_x.square() + mean_t.square() + c1) * (var_x + var_t + c2)
    )
    return similarity.mean(dim)


def hfen(x: Tensor, target: Tensor, convention: Convention = "slice") -> Tensor:
    """High-frequency error norm ||L x - L t|| / ||L t|| (Ravishankar and Bresler 2011): what is lost of edges.

    L is a Laplacian of Gaussian, 15 x 15, of 1.5 pixels, with zeros around the image; magnitudes, unless the convention
    is "complex". ``x`` and ``target`` are real or complex ``(batch, y, x)``; returns float64, ``(batch,)`` or, for
    "volume", a scalar. Raises ValueError where shapes differ or a target is zero.
    """
    x, target = _prepare(x, target, convention)
    dim = _reduced(convention)
    energy_of_error = _edges(x - target).abs().square().sum(dim)
    norm: Tensor = (energy_of_error / _edges(target).abs().square().sum(dim)).sqrt()
    return norm


def _edges(image: Tensor) -> Tensor:
    """Apply the Laplacian of Gaussian, whose weights sum to zero."""
    r = torch.arange(-LAPLACIAN, LAPLACIAN + 1, dtype=torch.float64, device=image.device)
    square = (r[:, None] ** 2 + r**2) / (2 * LAPLACIAN_WIDTH**2)
    gaussian = torch.exp(-square) / torch.exp(-square).sum()
    kernel = gaussian * (square - 1) * 2 / LAPLACIAN_WIDTH**2
    kernel = (kernel - kernel.mean())[None, None].to(image.dtype)
    return torch.nn.functional.conv2d(image[:, None], kernel, padding=LAPLACIAN)[:, 0]


def _local_mean(image: Tensor) -> Tensor:
    return torch.nn.functional.avg_pool2d(image[:, None], WINDOW, stride=1)[:, 0]


def _reduced(convention: Convention) -> tuple[int, ...]:
    return (-3, -2, -1) if convention == "volume" else (-2, -1)


def _prepare(x: Tensor, target: Tensor, convention: Convention) -> tuple[Tensor, Tensor]:
    """Check the images; double precision, magnitudes unless the convention is complex."""
    if convention not in get_args(Convention):
        raise ValueError(f"got convention={convention!r}, expected one of {', '.join(get_args(Convention))}")
    if x.ndim != 3 or x.shape != target.shape:
        raise ValueError(f"got images {tuple(x.shape)} and targets {tuple(target.shape)}, expected equal (batch, y, x)")
    if bool((target == 0).all() if convention == "volume" else (target == 0).flatten(1).all(1).any()):
        raise ValueError("got a target that is zero everywhere, expected a signal: its peak normalises the metric")
    without_phase = target.is_complex() and not x.is_complex()
    x, target = x.to(torch.complex128), target.to(torch.complex128)
    if convention == "complex":
        return (torch.full_like(x, torch.nan) if without_phase else x), target
    return x.abs(), target.abs()
