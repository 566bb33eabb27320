"""Batches of prepared slices, which may have several shapes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from smug.data.prepared.set import PreparedSet, PreparedSlice
from smug.data.scan import Scan, stacked
from smug.data.simulate import Acquisition


@dataclass(frozen=True, eq=False)
class PreparedSlices:
    """The training slices of a prepared set, and those of each shape ``(coil, y, x)``."""

    data: PreparedSet
    slices: tuple[PreparedSlice, ...]
    alike: Mapping[tuple[int, int, int], tuple[PreparedSlice, ...]]

    @classmethod
    def of(cls, data: PreparedSet) -> Self:
        """Return the slices of the train split; raises ValueError where it has none."""
        slices = data.slices("train")
        alike: dict[tuple[int, int, int], list[PreparedSlice]] = {}
        for which in slices:
            alike.setdefault(which.shape, []).append(which)
        return cls(data, slices, {shape: tuple(group) for shape, group in alike.items()})

    def batch(self, acquisition: Acquisition, size: int, rng: np.random.Generator) -> Scan:
        """Return a slice drawn at random and others of its shape, each with a mask of its own."""
        first = self.slices[rng.integers(len(self.slices))]
        alike = self.alike[first.shape]
        drawn = [first, *(alike[rng.integers(len(alike))] for _ in range(size - 1))]
        masks = [which.mask(acquisition, int(rng.integers(2**62))) for which in drawn]
        return stacked([self.data.scan(which, mask) for which, mask in zip(drawn, masks, strict=True)])
