"""Receiver channels that hold nothing but zeros: they measured nothing, and are no coils."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from smug.data.kspace.non_cartesian import NonCartesianVolume
from smug.data.kspace.volume import Volume
from smug.data.slices import Slices
from smug.system.words import counted

MOST_LISTED = 8
"""Most channels that are listed."""


def without_empty_channels(volume: Volume | NonCartesianVolume, path: Path) -> Volume | NonCartesianVolume:
    """Return the volume without the channels that are zero in all slices, and with a warning that lists these.

    Their samples would count as noiseless measurements wherever a level of noise or of misfit is estimated.
    """
    kept = _kept(volume.kspace)
    if kept.all() or not kept.any():
        return volume
    empty = (~kept).nonzero().flatten().tolist()
    listed = ", ".join(map(str, empty[:MOST_LISTED])) + (", ..." if len(empty) > MOST_LISTED else "")
    told = f"{path}: {len(empty)} of {counted(len(kept), 'channel')} hold zeros alone ({listed}): left out"
    left = replace(volume, kspace=_chosen(volume.kspace, kept), warnings=(*volume.warnings, told))
    if isinstance(left, NonCartesianVolume) or left.calibration is None:
        return left
    calibration = replace(left.calibration, kspace=_chosen(left.calibration.kspace, kept))
    return replace(left, calibration=calibration)


def _kept(kspace: Sequence[Tensor]) -> Tensor:
    """Which channels hold anything, bool ``(coil,)``; no more slices are read than it takes."""
    kept = torch.zeros(kspace[0].shape[0], dtype=torch.bool)
    for values in kspace:
        kept |= values.flatten(1).any(1)
        if kept.all():
            break
    return kept


def _chosen(kspace: Sequence[Tensor], kept: Tensor) -> Slices[Tensor]:
    return Slices(len(kspace), partial(_chosen_slice, kspace, kept))


def _chosen_slice(kspace: Sequence[Tensor], kept: Tensor, index: int) -> Tensor:
    return kspace[index][kept]
