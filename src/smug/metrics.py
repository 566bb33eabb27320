"""Image metrics, each with a named convention: one image's PSNR may differ by 5 dB between two conventions.

- ``"volume"``: as in fastMRI. Magnitudes; one peak and one error for the whole batch, the slices of a volume.
- ``"slice"``: magnitudes; peak and error of each slice.
- ``"complex"``: as ``"slice"``, but of the complex difference, with phase errors (the SMUG authors' PSNR).
  A real image has no phase that could be compared with that of a complex target: NaN.

Images that are real, as in CT, and may be negative are compared with their signs by ``"complex"``.

Over the whole image, PSNR and SSIM depend on how much empty background surrounds the object. Inside a ``region``, such
as :func:`head_mask` finds in the target, they do not: peak and error are those of its pixels, and SSIM is the mean over
the windows whose centre lies in it.

Everything is computed in double precision. A NaN in an image, or in the region, gives a NaN in its metric.

>>> target = torch.tensor([[[1.0, 2.0]]])
>>> psnr(1.1 * target, target), nmse(1.1 * target, target)
(tensor([22.0412], dtype=torch.float64), tensor([0.0100], dtype=torch.float64))
"""

import math
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smug.system.arguments import check_arguments

Convention = Literal["volume", "slice", "complex"]
"""Which peak, which error, and of what: see the module's description."""

WINDOW = 7
"""Side of the SSIM window in pixels."""

DARK, BRIGHT = 2, 99
"""Percentiles of an image's magnitude between which :func:`head_mask` looks for its threshold."""

THRESHOLD = 0.1
"""What lies above this share of the way from dark to bright is signal: low, as fat may be far brighter than a brain."""

SPECK, GAP = 0.01, 0.05
"""Radii, as shares of the image's shorter side: what is thinner is no head, what is narrower is bridged."""

LAPLACIAN, LAPLACIAN_WIDTH = 7, 1.5
"""Half the side, and the standard deviation, of the filter of HFEN in pixels."""


@check_arguments
def psnr(x: Tensor, target: Tensor, convention: Convention = "slice", *, region: Tensor | None = None) -> Tensor:
    """Peak signal-to-noise ratio in dB, 10 log10(max|t|^2 / mean|x - t|^2); inf for equal images.

    ``x`` and ``target`` are real or complex ``(batch, y, x)``; maximum and mean are taken over the pixels of the
    ``region``, bool of the same shape, by default over all. Returns float64, ``(batch,)`` or, for "volume", a scalar;
    NaN where the target is zero throughout its region. Raises ValueError where shapes differ or a target is zero.
    """
    x, target = _prepare(x, target, convention)
    dim, inside = _reduced(convention), _region(region, target)
    peak = torch.where(inside, target.abs(), 0).amax(dim)
    error = _mean((x - target).abs().square(), inside, dim)
    return torch.where(peak == 0, torch.nan, 10 * torch.log10(peak.square() / error))


@check_arguments
def nmse(x: Tensor, target: Tensor, convention: Convention = "slice") -> Tensor:
    """Normalised mean squared error ||x - t||^2 / ||t||^2.

    ``x`` and ``target`` are real or complex ``(batch, y, x)``; returns float64, ``(batch,)`` or, for
    "volume", a scalar. Raises ValueError where shapes differ or a target is zero.
    """
    x, target = _prepare(x, target, convention)
    dim = _reduced(convention)
    error: Tensor = (x - target).abs().square().sum(dim) / target.abs().square().sum(dim)
    return error


@check_arguments
def ssim(x: Tensor, target: Tensor, convention: Convention = "slice", *, region: Tensor | None = None) -> Tensor:
    """Structural similarity of magnitudes (Wang et al. 2004) with the arithmetic of fastMRI.

    7 x 7 uniform window, sample covariances (N - 1), K1 = 0.01, K2 = 0.03, mean over the windows that lie
    within the image; the data range is the peak of the target, of the volume or of each slice. With a ``region``, bool
    ``(batch, y, x)``, it is the mean over the windows whose centre lies in it (NaN of none), and the peak is its own.

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
    dim, inside = _reduced(convention), _region(region, target)
    data_range = torch.where(inside, target, 0).amax(dim, keepdim=True)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mean_x, mean_t = _local_mean(x), _local_mean(target)
    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    var_x = unbiased * (_local_mean(x * x) - mean_x * mean_x)
    var_t = unbiased * (_local_mean(target * target) - mean_t * mean_t)
    covariance = unbiased * (_local_mean(x * target) - mean_x * mean_t)
    similarity = ((2 * mean_x * mean_t + c1) * (2 * covariance + c2)) / (
        (mean_x.square() + mean_t.square() + c1) * (var_x + var_t + c2)
    )
    edge = WINDOW // 2
    return _mean(similarity, inside[:, edge:-edge, edge:-edge], dim)


@check_arguments
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


@check_arguments
def head_mask(target: Tensor) -> Tensor:
    """Return where the head is in each image, bool ``(batch, y, x)``: or the knee, or whatever was measured.

    The image is smoothed a little. What is brighter than a tenth of the way from its dark (2nd percentile: air and
    noise) to its bright (99th) end is signal; thin structures are removed; the largest part that is connected is the
    head; gaps, notches up to a twentieth of the image's side, and holes belong to it. An image without any such part
    is all head. ``target`` is real or complex ``(batch, y, x)``, of any scale.

    >>> image = torch.zeros(1, 32, 32)
    >>> image[:, 8:24, 8:24] = 1
    >>> image[:, 14:18, 14:18] = 0  # fluid, or air in a sinus
    >>> head_mask(image)[0, 16, 4:29:4]
    tensor([False,  True,  True,  True,  True,  True, False])
    """
    magnitudes = target.detach().abs().double().cpu().numpy()
    if magnitudes.ndim != 3:
        raise ValueError(f"got targets {tuple(target.shape)}, expected (batch, y, x)")
    return torch.from_numpy(np.stack([_head(image) for image in magnitudes])).to(target.device)


def _head(image: NDArray[np.float64]) -> NDArray[np.bool_]:
    from scipy import ndimage

    side = min(image.shape)
    smooth = ndimage.gaussian_filter(np.nan_to_num(image), max(0.5, side / 200), mode="nearest")
    dark, bright = np.percentile(smooth, (DARK, BRIGHT))
    signal = smooth > dark + THRESHOLD * (bright - dark)
    parts, count = ndimage.label(_eroded_then_dilated(signal, side * SPECK))
    if count == 0:
        return np.ones_like(signal)
    largest = parts == 1 + np.bincount(parts.ravel())[1:].argmax()
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(~_eroded_then_dilated(~largest, side * GAP))
    return filled


def _eroded_then_dilated(mask: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """Remove what a disk of the radius, in pixels and at least 1, does not fit into; edges go on outside the image."""
    from scipy.ndimage import distance_transform_edt

    width = math.ceil(max(1.0, radius)) + 1
    padded = np.pad(mask, width, mode="edge")
    eroded = distance_transform_edt(padded) > max(1.0, radius)
    if not eroded.any():
        return np.zeros_like(mask)
    dilated: NDArray[np.bool_] = distance_transform_edt(~eroded) <= max(1.0, radius)
    return dilated[width:-width, width:-width]


def _mean(values: Tensor, inside: Tensor, dim: tuple[int, ...]) -> Tensor:
    """Return the mean over the pixels inside; what lies outside may be NaN."""
    return torch.where(inside, values, 0).sum(dim) / inside.sum(dim)


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


def _region(region: Tensor | None, target: Tensor) -> Tensor:
    """Check a region; by default it is all of the target."""
    if region is None:
        return torch.ones_like(target, dtype=torch.bool)
    if region.dtype != torch.bool or region.shape != target.shape:
        raise ValueError(
            f"got a region {region.dtype} {tuple(region.shape)}, expected torch.bool {tuple(target.shape)} like targets"
        )
    return region.to(target.device)


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
