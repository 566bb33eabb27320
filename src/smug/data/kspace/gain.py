"""Separate calibration lines, whose gain may be another than that of the images."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from smug.data.kspace.volume import Volume
from smug.data.slices import Slices, spread

MOST_SLICES = 4
"""Slices that are compared, spread evenly."""


def in_units_of_images(volume: Volume, calibration: Volume) -> Volume:
    """Return the calibration as strong as the images are where both were sampled: it tells their scale."""
    ours, theirs = 0.0, 0.0
    for i in spread(len(volume), MOST_SLICES):
        (images, sampled), (lines, mask) = volume.measured(i), calibration.measured(i)
        both = _entries(sampled) & _entries(mask)
        ours, theirs = ours + _energy(both * images), theirs + _energy(both * lines)
    if not ours or not theirs:
        return calibration
    gain = (ours / theirs) ** 0.5
    return replace(calibration, kspace=Slices(len(calibration), partial(_scaled, calibration.kspace, gain)))


def _scaled(kspace: Sequence[Tensor], gain: float, index: int) -> Tensor:
    return gain * kspace[index]


def _entries(mask: Tensor) -> Tensor:
    """A mask of lines or points as it multiplies k-space ``(batch, coil, y, x)``."""
    return mask[:, None, None] if mask.ndim == 2 else mask[:, None]


def _energy(kspace: Tensor) -> float:
    return float(kspace.to(torch.complex128).abs().square().sum())
