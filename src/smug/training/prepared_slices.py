"""Training slices of prepared sets: chosen at random, read when they are needed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import pi
from typing import Self

import numpy as np

from smug.data.acquisition import Acquisition, AcquisitionRange
from smug.data.prepared.folder import VOLUMES
from smug.data.prepared.set import PreparedSet, PreparedSlice
from smug.data.scan import Scan
from smug.training.config import masks_range
from smug.training_range import TrainingRange


@dataclass(frozen=True, eq=False)
class BatchSlice:
    """A slice that was chosen for a batch.

    Everything random about it is settled, its mask too. ``scan()`` simulates or reads the normalised scan, which has
    one slice and this number of ``coils``. It raises ValueError and FileNotFoundError that name the slice, and the
    file if it is in one.
    """

    name: str
    coils: int
    scan: Callable[[], Scan]


@dataclass(frozen=True, eq=False)
class PreparedSlices:
    """The training slices of a prepared set, and those of each matrix ``(y, x)``."""

    data: PreparedSet
    slices: tuple[PreparedSlice, ...]
    alike: Mapping[tuple[int, int], tuple[PreparedSlice, ...]]

    @classmethod
    def of(cls, data: PreparedSet) -> Self:
        """Return the slices of the train split; raises ValueError where it has none."""
        slices = data.slices("train")
        alike: dict[tuple[int, int], list[PreparedSlice]] = {}
        for which in slices:
            alike.setdefault(which.volume.matrix, []).append(which)
        return cls(data, slices, {matrix: tuple(group) for matrix, group in alike.items()})

    def chosen(
        self, acquisition: Acquisition | AcquisitionRange, size: int, rng: np.random.Generator
    ) -> list[BatchSlice]:
        """Return ``size`` random slices of one matrix, each with a mask of its own; ``scan()`` reads them.

        Of a range of acquisitions, all have masks of as many axes as that of the first.
        """
        first = self.slices[rng.integers(len(self.slices))]
        alike = self.alike[first.volume.matrix]
        chosen = [first, *(alike[rng.integers(len(alike))] for _ in range(size - 1))]
        seeds = [int(rng.integers(2**62)) for _ in chosen]
        masks = acquisition.alike(acquisition.draw(seeds[0]))
        return [
            BatchSlice(which.name, which.volume.coils, partial(self._scan, which, masks.draw(seed), seed))
            for which, seed in zip(chosen, seeds, strict=True)
        ]

    def range(self, acquisition: Acquisition | AcquisitionRange) -> TrainingRange:
        """Return the training range of these slices: their own matrices and coils, and the acquisition's masks."""
        settings = self.data.manifest.settings

        def simulated(name: str) -> tuple[float, ...]:
            return (float(settings[name]),) if self.data.kspace == "simulated" else ()

        return replace(
            masks_range(acquisition),
            sources=(self.data.folder.name,),
            matrices=tuple(sorted(self.alike)),
            coils=tuple(sorted({which.volume.coils for which in self.slices})),
            noise=simulated("noise"),
            phases=simulated("phase") or (pi,),  # what is measured has any phase
            profile_widths=simulated("profile_width"),
            maps=("exact",) if self.data.kspace == "simulated" else (str(settings["maps"]),),
        )

    def _scan(self, which: PreparedSlice, acquisition: Acquisition, seed: int) -> Scan:
        path = self.data.folder / VOLUMES / which.volume.file
        try:
            return self.data.scan(which, which.mask(acquisition, seed)).normalised()
        except (OSError, ValueError) as error:
            kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
            raise kind(f"{path}: slice {which.name}: {str(error).removeprefix(f'{path}: ')}") from error
