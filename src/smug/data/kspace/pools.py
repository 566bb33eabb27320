"""Calibration lines of several slices, such as those of all repetitions: read once and kept."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from smug.data.slices import Slices

MAX_KEPT_BYTES = 2**30
"""Most bytes of lines that are kept; pools beyond these are read whenever they are needed."""


@dataclass(frozen=True, eq=False)
class Pools:
    """K-space ``(coil, y, x)`` of slices, of which slice ``i`` is ``items[of[i]]``.

    Those that are of one slice alone are read anew each time. Of the others the lines along x that are not zero are
    kept: as many as one frame has, whatever the number of frames.
    """

    items: Sequence[Tensor]
    of: Sequence[int]
    kept: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False)

    @property
    def kspace(self) -> Slices[Tensor]:
        """The slices, each of its own memory."""
        return Slices(len(self.of), self.read)

    @cached_property
    def _uses(self) -> Counter[int]:
        return Counter(self.of)

    def read(self, index: int) -> Tensor:
        """Return a slice, from what is kept where it is."""
        pool = self.of[index]
        if pool in self.kept:
            lines, values = self.kept[pool]
            whole = values.new_zeros(*values.shape[:-1], len(lines))
            whole[..., lines] = values
            return whole
        whole = self.items[pool]
        if self._uses[pool] > 1:
            lines = whole.flatten(0, -2).any(0)
            values = whole[..., lines]
            if (len(self.kept) + 1) * values.nbytes <= MAX_KEPT_BYTES:
                self.kept[pool] = lines, values
        return whole


def masks_of(mask: Tensor, of: Sequence[int]) -> Tensor:
    """Return the masks of slices from those of their pools; a single one stays one."""
    return mask if len(mask) == 1 else mask[torch.as_tensor(of)]
