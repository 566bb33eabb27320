"""When each line of k-space is acquired: from left to right, those that are sampled (columns, without a line mask)."""

import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.physics.sense import cartesian

SHIFT = "shift of the scanner"
"""What an operator that has no lines is refused for."""

BLOCKS = 8
"""Blocks of consecutive lines during which the patient lies still, and in which the ghost of a family is constant."""


def ranks(scan: Scan) -> Tensor:
    """Return the number of each line among those that are sampled, ``(batch, x)``; that of others means nothing."""
    return (_lines(scan).long().cumsum(1) - 1).clamp_min(0)


def times(scan: Scan) -> Tensor:
    """Return when each line is acquired, from 0 to 1; float64 ``(batch, x)``."""
    rank = ranks(scan).double()
    return rank / rank.amax(1, keepdim=True).clamp_min(1)


def time_of_centre(scan: Scan) -> Tensor:
    """Return when the sampled line nearest to the centre of k-space is acquired, ``(batch, 1)``."""
    time = times(scan)
    distance = (torch.arange(time.shape[1], device=time.device) - time.shape[1] // 2).abs()
    nearest = torch.where(_lines(scan), distance, time.shape[1]).argmin(1, keepdim=True)
    return time.gather(1, nearest)


def block_of(time: Tensor) -> Tensor:
    """Return the number of the block that each time falls into."""
    return (time * BLOCKS).long().clamp_max(BLOCKS - 1)


def _lines(scan: Scan) -> Tensor:
    """Return which lines are sampled, anywhere along y; ``bool (batch, x)``."""
    A = cartesian(scan.A, SHIFT)
    lines = A.mask if A.is_line_mask else A.mask.any(-2)
    return lines.expand(len(scan.y), -1)
