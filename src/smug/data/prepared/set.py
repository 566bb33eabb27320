"""Prepared sets: fully sampled slices with coil maps and targets, whose masks are chosen when they are used."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

from torch import Tensor
from torch.nn.functional import pad

from smug.data.acquisition import Acquisition, AcquisitionRange
from smug.data.prepared.file import read_slice
from smug.data.prepared.folder import VOLUMES
from smug.data.prepared.manifest import AGAIN, MANIFEST, Entry, Manifest
from smug.data.prepared.splits import SPLITS
from smug.data.scan import Scan
from smug.data.simulate import named_seed
from smug.data.slices import Slices
from smug.physics.sense import Sense, cartesian


@dataclass(frozen=True)
class PreparedSlice:
    """A slice of a prepared set: the ``row`` of a ``volume``."""

    volume: Entry
    row: int

    @property
    def name(self) -> str:
        """Its name, which no other slice of the set has."""
        return self.volume.slices[self.row]

    @property
    def subject(self) -> str:
        """Whom it shows."""
        return self.volume.subject

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of its k-space, ``(coil, y, x)``."""
        return self.volume.coils, *self.volume.matrix

    def mask(self, acquisition: Acquisition, seed: int) -> Tensor:
        """Return a mask of its encoded lines, ``bool (1, x)``, or ``(1, y, x)`` for "poisson".

        Kind, acceleration and center_fraction are those of the acquisition; the acceleration counts no zero padding.
        """
        (height, width), encoded = self.volume.matrix, self.volume.encoded_lines
        before = width // 2 - encoded // 2
        kept = acquisition.sample(height, encoded, seed)
        return pad(kept, (before, width - encoded - before))


@dataclass(frozen=True, eq=False)
class PreparedSet:
    """A folder that ``smug prepare`` has made; its slices are read when needed."""

    folder: Path
    manifest: Manifest

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open the set of a folder.

        Raises FileNotFoundError and ValueError where its manifest is missing, damaged or of another version, and where
        volumes are.
        """
        folder = Path(folder)
        manifest = Manifest.read(folder)
        missing = [v.file for v in manifest.volumes if not (folder / VOLUMES / v.file).is_file()]
        if missing:
            raise FileNotFoundError(f"{folder}: {len(missing)} volumes are missing, such as {missing[0]}; {AGAIN}")
        return cls(folder, manifest)

    @property
    def kspace(self) -> str:
        """Where the k-space comes from: "measured" or "simulated"."""
        return str(self.manifest.settings["kspace"])

    def slices(self, split: str, count: int | None = None) -> tuple[PreparedSlice, ...]:
        """Return the slices of a split, volume by volume; with ``count``, so many, evenly spread over them.

        ``all`` is every slice of every split. Raises ValueError where there are none.
        """
        if split not in (*SPLITS, "all"):
            raise ValueError(f"split: expected one of {', '.join(SPLITS)}, all, got {split!r}")
        volumes = [volume for part in (SPLITS if split == "all" else (split,)) for volume in self.manifest.of(part)]
        found = tuple(PreparedSlice(volume, i) for volume in volumes for i in range(len(volume.slices)))
        if not found:
            held = ", ".join(f"{name} {len(self.manifest.of(name))}" for name in SPLITS)
            raise ValueError(
                f"{self.folder}: expected slices in the {split} split, got none (volumes: {held}); "
                "smug prepare --split gives it some, where there are enough subjects"
            )
        if count is None or count >= len(found):
            return found
        return tuple(found[int((i + 0.5) * len(found) / count)] for i in range(count))

    def scan(self, which: PreparedSlice, mask: Tensor | None = None) -> Scan:
        """Read a slice as a scan of one: of what was encoded, what the ``mask`` keeps; by default all of it.

        ``mask`` is ``bool (1, x)`` or ``(1, y, x)``; the units are those of the volume's source. Raises
        FileNotFoundError and ValueError where the volume is missing, damaged or another one than the manifest names.
        """
        full = read_slice(self.folder / VOLUMES / which.volume.file, which.row, which.volume)
        if mask is None:
            return full
        measured = cartesian(full.A, "prepared sets")
        encoded = measured.mask if mask.ndim == 2 else measured.mask[:, None]
        A = Sense(mask=mask & encoded, maps=measured.maps)
        return replace(full, y=A.sampled * full.y, A=A)


def undersampled_slices(
    data: PreparedSet, slices: Sequence[PreparedSlice], acquisition: Acquisition | AcquisitionRange
) -> Slices[Scan]:
    """Return scans of slices of a set, read when needed, whose masks depend on the slices' names only.

    Kind, acceleration and center_fraction of the masks are those of the ``acquisition``. The scans are divided by the
    scale of their volume, so that its images have a magnitude of about 1.
    """
    return Slices(len(slices), partial(_undersampled, data, slices, acquisition))


def _undersampled(
    data: PreparedSet, slices: Sequence[PreparedSlice], acquisition: Acquisition | AcquisitionRange, index: int
) -> Scan:
    which = slices[index]
    # the mask that :func:`smug.data.simulate.simulate` gives a slice of this name
    seed = named_seed(which.name)
    mask = which.mask(acquisition.draw(seed), named_seed("mask", seed))
    scan = data.scan(which, mask)
    return replace(scan, y=scan.y / which.volume.scale, target=scan.truth / which.volume.scale)


def is_prepared(source: str | Path) -> bool:
    """Tell whether a source of data is a folder that ``smug prepare`` has made, perhaps not to the end."""
    return (Path(source) / MANIFEST).is_file() or (Path(source) / VOLUMES).is_dir()
