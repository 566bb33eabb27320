"""A small feature in the object: put in, and what a reconstruction keeps of it."""

import math

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d, pad

from smug.data.scan import Scan
from smug.models.noise import derive, entry_seeds
from smug.shifts.record import PLACE, check_severity
from smug.shifts.target import with_target
from smug.system.arguments import check_arguments

DIAMETER = 4.0
"""Full width at half maximum of a lesion, in pixels."""

OBJECT = 0.2
"""The object is where the smoothed magnitude exceeds this share of its maximum."""


@check_arguments
def lesion(scan: Scan, contrast: float, seeds: Tensor, diameter: float = DIAMETER) -> Tensor:
    """Return a lesion v for every slice, complex ``(batch, y, x)``: a Gaussian of width ``diameter`` in pixels.

    Its height is ``contrast`` times the target's maximum, in the phase of what is there: brighter than it, or darker
    for a negative contrast. Its place is random, inside the object. Raises ValueError for a scan without target.
    """
    check_severity("lesion", abs(contrast))
    check_severity("lesion: diameter", diameter, least=1.0)
    address = derive(entry_seeds(seeds, scan.y.shape[0]), PLACE)
    rows = zip(scan.truth, address, strict=True)
    return torch.stack([_lesion(target, contrast, int(seed) & (2**62 - 1), diameter) for target, seed in rows])


@check_arguments
def insertion(scan: Scan, contrast: float, seeds: Tensor) -> Scan:
    """Put the :func:`lesion` into the object: ``y + A(v)``, ``target + v``."""
    v = lesion(scan, contrast, seeds)
    return with_target(scan, scan.truth + v) if contrast else scan


@check_arguments
def recovered(x_with: Tensor, x_without: Tensor, v: Tensor) -> Tensor:
    """Return the recovered contrast of a lesion v, ``Re<x_with - x_without, v> / <v, v>``, real ``(batch,)``.

    The images, ``(batch, y, x)``, are reconstructions with and without it; 1 is all of it, 0 nothing. For
    reconstructors of magnitudes pass ``abs(target + v) - abs(target)`` as v.
    """
    return _inner(x_with - x_without, v) / _inner(v, v)


@check_arguments
def spurious(x: Tensor, reference: Tensor, v: Tensor, diameter: float = DIAMETER) -> Tensor:
    """Return the contrast of the strongest false feature of ``x - reference`` relative to the lesion v, ``(batch,)``.

    A matched filter: the largest of ``abs(<d, w moved by r>) / <v, w>`` over all places r, where w is v less its
    surroundings (what smooths v to twice the ``diameter`` is taken off, twice). It is 1 for a lesion like v anywhere,
    and 0 for what is constant; slow changes of brightness hardly count, detail of the anatomy that is amplified does.
    Compare it with its value for noise of the norm of the attack: the largest of many places is never 0.
    """
    surroundings = _gaussian(v.shape[-2:], math.sqrt(3) * diameter, v)  # (1 + 3) diameter^2 = (2 diameter)^2
    w = torch.fft.fft2(v) * (1 - surroundings) ** 2
    response: Tensor = torch.fft.ifft2(torch.fft.fft2(x - reference) * w.conj()).abs()
    return response.amax((-2, -1)) / _inner(torch.fft.ifft2(w), v)


def _lesion(target: Tensor, contrast: float, seed: int, diameter: float) -> Tensor:
    height, width = target.shape
    y, x = _place(target.abs(), seed, diameter)
    row = torch.arange(height, dtype=torch.float64, device=target.device)[:, None] - y
    column = torch.arange(width, dtype=torch.float64, device=target.device) - x
    blob = torch.exp(-4 * math.log(2) * (row**2 + column**2) / diameter**2).to(target.real.dtype)
    v: Tensor = contrast * target.abs().max() * (blob * target).sum().sgn() * blob
    return v


def _place(magnitude: Tensor, seed: int, diameter: float) -> tuple[int, int]:
    """Return a random pixel that the object surrounds by at least ``diameter``; of tiny objects the brightest."""
    smoothed = torch.fft.ifft2(torch.fft.fft2(magnitude) * _gaussian(magnitude.shape, diameter, magnitude)).real
    reach = math.ceil(diameter)
    outside = pad((smoothed < OBJECT * smoothed.max()).to(magnitude.dtype), [reach] * 4, value=1.0)
    places = (max_pool2d(outside[None, None], 2 * reach + 1, stride=1)[0, 0] == 0).nonzero()
    y, x = places[seed % len(places)].tolist() if len(places) else divmod(int(smoothed.argmax()), magnitude.shape[1])
    return y, x


def _gaussian(shape: tuple[int, ...], width: float, like: Tensor) -> Tensor:
    """Return the transfer function of a smoothing by a Gaussian of this full width at half maximum, ``(y, x)``."""
    f_y, f_x = (torch.fft.fftfreq(n, dtype=torch.float64, device=like.device) for n in shape)
    squared = f_y[:, None] ** 2 + f_x**2
    return torch.exp(-((math.pi * width) ** 2) * squared / (4 * math.log(2))).to(like.real.dtype)


def _inner(a: Tensor, b: Tensor) -> Tensor:
    product: Tensor = (a * b.conj()).real.sum((-2, -1))
    return product
