"""Addressed noise: a pure function of its address, not the next numbers of a stream.

The noise of (seed, unrolling step, draw) is the same on every device, in every batch, chunk and order, and when it is
recomputed under activation checkpointing. It is SplitMix64 (Steele, Lea, Flood 2014) in counter mode: a word is the
hash of (key, pixel), and each word makes one complex normal number by the Box-Muller transform in its polar form.
"""

import math
from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from smug.system.arguments import shown

Seeds: TypeAlias = torch.Generator | Tensor | None
"""Who seeds a stochastic reconstructor: a generator, ``int64 (batch,)`` with one seed per image, or nobody."""

_WEYL = 0x9E3779B97F4A7C15 - (1 << 64)
_MIX_1 = 0xBF58476D1CE4E5B9 - (1 << 64)
_MIX_2 = 0x94D049BB133111EB - (1 << 64)


def entry_seeds(generator: Seeds, batch: int, default_seed: int = 0) -> Tensor:
    """Return one seed per image of the batch, ``int64 (batch,)``.

    They are on the CPU, whatever device the noise is for. A generator is advanced by one number per image; a tensor of
    seeds is taken as it is; None gives every image ``default_seed``, so that its result does not depend on its place in
    the batch. Raises ValueError for seeds of another shape or dtype.
    """
    check_seeds(generator, batch)
    if generator is None:
        return torch.full((batch,), default_seed, dtype=torch.int64)
    if isinstance(generator, torch.Generator):
        return torch.randint(2**62, (batch,), generator=generator, device=generator.device).cpu()
    return generator.cpu()


def check_seeds(generator: Seeds, batch: int) -> None:
    """Raise ValueError for what seeds no noise, also where nothing is random and it would be ignored."""
    if generator is None or isinstance(generator, torch.Generator):
        return
    if not isinstance(generator, Tensor) or generator.dtype != torch.int64 or generator.shape != (batch,):
        raise ValueError(
            f"generator: expected a torch.Generator or int64 seeds of shape ({batch},), got {shown(generator)}"
        )


def derive(seeds: Tensor, *address: int) -> Tensor:
    """Return the seeds at an address below ``seeds``: independent for different seeds or different addresses."""
    for number in address:
        seeds = _mix(_mix(seeds + _WEYL) + number)
    return seeds


def complex_normal(
    seeds: Tensor,
    shape: Sequence[int],
    dtype: torch.dtype = torch.complex64,
    device: torch.device | None = None,
) -> Tensor:
    """Return complex noise ``(*seeds.shape, *shape)``, normal with unit variance per real and per imaginary part."""
    seeds = seeds.to(device)
    numbers = torch.arange(math.prod(shape), device=seeds.device)
    return _numbered(seeds, numbers, dtype).reshape(*seeds.shape, *shape)


def normal(
    seeds: Tensor, shape: Sequence[int], dtype: torch.dtype = torch.complex64, device: torch.device | None = None
) -> Tensor:
    """Return noise ``(*seeds.shape, *shape)`` of unit variance per part: complex, or real for a real ``dtype``.

    Real noise is the real part of the complex one.
    """
    drawn = complex_normal(seeds, shape, dtype.to_complex(), device)
    return drawn if dtype.is_complex else drawn.real


def uniform(seeds: Tensor) -> Tensor:
    """Return a number between 0 and 1 for every seed, in double precision, all equally likely."""
    return (_shift(_mix(seeds), 32).double() + 0.5) * 2.0**-32


def complex_normal_where(seed: Tensor, kept: Tensor, dtype: torch.dtype = torch.complex64) -> Tensor:
    """Return ``complex_normal(seed, kept.shape)[kept]``, ``(entries,)`` for one seed, in the time that these take."""
    return _numbered(seed.to(kept.device), kept.flatten().nonzero()[:, 0], dtype)


def _numbered(seeds: Tensor, numbers: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the noise of pixels by their numbers, ``(*seeds.shape, pixels)``."""
    words = _mix(_mix(seeds)[..., None] + (numbers + 1) * _WEYL)
    # in double precision for every dtype: a word has 64 bits, and 1 - u of small radii would vanish in single
    radius = (-2 * torch.log((_shift(words, 32).double() + 0.5) * 2.0**-32)).sqrt()
    angle = (words & 0xFFFFFFFF).double() * (2 * math.pi * 2.0**-32)
    return torch.polar(radius, angle).to(dtype)


def _mix(words: Tensor) -> Tensor:
    words = (words ^ _shift(words, 30)) * _MIX_1
    words = (words ^ _shift(words, 27)) * _MIX_2
    return words ^ _shift(words, 31)


def _shift(words: Tensor, bits: int) -> Tensor:
    """Shift right without sign: int64 tensors stand for unsigned words."""
    return (words >> bits) & ((1 << (64 - bits)) - 1)
