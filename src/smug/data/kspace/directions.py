"""Readouts that run in opposite directions although no flag says so: the lines of such a file make ghosts."""

import torch
from torch import Tensor

from smug.data.kspace.volume import Volume
from smug.data.slices import spread

MOST_SLICES = 8
"""Slices that are looked at, spread evenly."""

NEAR_CENTRE = 16
"""Lines that are this near the centre are compared with the next one: there is most signal."""

FEWEST_PAIRS = 6
"""With fewer pairs of neighbours nothing is said."""

MIN_LIKENESS, MAX_RATIO = 0.3, 0.8
"""Reversed neighbours are alike by more than the first, and neighbours as they are by less than this share of it.

Measured and drawn heads have ratios above 1.1, the same heads with every other readout reversed below 0.75.
"""


def directions_alternate(volume: Volume) -> bool:
    """Tell whether neighbouring lines are alike only if one of them is reversed.

    The signal changes little from one line to the next, as an object fills only a part of the field of view.
    """
    kspace = [volume.measured(i)[0][0] for i in spread(len(volume), MOST_SLICES)]
    pairs = sum(len(_neighbours(slice_)) for slice_ in kspace)
    if pairs < FEWEST_PAIRS:
        return False
    plain, first, second = torch.stack([_likenesses(slice_) for slice_ in kspace]).sum(0).tolist()
    reverse, largest = max(first, second), sum(float(_products(slice_).sum()) for slice_ in kspace)
    return bool(reverse > MIN_LIKENESS * largest and plain < MAX_RATIO * reverse)


def _neighbours(kspace: Tensor) -> Tensor:
    """The numbers of central lines of k-space ``(coil, y, x)`` that are sampled, as is the next."""
    width = kspace.shape[-1]
    sampled = kspace.any(0).any(0)
    lines = torch.arange(max(0, width // 2 - NEAR_CENTRE), min(width - 1, width // 2 + NEAR_CENTRE))
    return lines[sampled[lines] & sampled[lines + 1]]


def _likenesses(kspace: Tensor) -> Tensor:
    """The sums of ``|<line, next>|``, next as it is, reversed, and reversed about the centre, ``(3,)``."""
    lines = _neighbours(kspace)
    following = kspace[..., lines + 1]
    reverse = following.flip(1)
    candidates = torch.stack([following, reverse, reverse.roll(1, 1)])
    likenesses: Tensor = (kspace[..., lines].conj() * candidates).sum((1, 2)).abs().sum(-1).double()
    return likenesses


def _products(kspace: Tensor) -> Tensor:
    """The largest that ``|<line, next>|`` can be, ``(pair,)``."""
    lines = _neighbours(kspace)
    norms: Tensor = torch.linalg.vector_norm(kspace, dim=(0, 1))
    largest: Tensor = norms[lines] * norms[lines + 1]
    return largest
