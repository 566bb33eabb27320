"""Which slices of fastMRI files are taken for training, validation and test: no subject in two of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from smug.data.hdf5 import dataset, opened
from smug.data.prepared.full_volume import patient
from smug.data.prepared.manifest import Skipped
from smug.data.prepared.sources import find_sources
from smug.data.prepared.splits import SPLITS, named_split, subject_of
from smug.data.simulate import named_seed
from smug.paper.reporting import Report
from smug.system.words import counted

PER_VOLUME = 8
"""Slices taken of a volume where there are enough volumes: 3000, 32 and 64 slices then come from 375, 4 and 8."""

HELD_OUT = 0.1
"""The largest share of the subjects to validate with, and to test on."""

UNFIT = "undersampled, of a single coil, or no k-space"
"""The reason given for readable files that are left out."""


@dataclass(frozen=True)
class Volume:
    """A fully sampled multi-coil file: its subject, and its number of slices."""

    file: str
    subject: str
    slices: int


def usable_volumes(folder: Path, report: Report) -> tuple[list[Volume], dict[str, Skipped]]:
    """Read the heads of all files below a folder; return those that seem usable, and why others cannot be read.

    ``report`` receives a line about the files that are left out. Raises FileNotFoundError and ValueError where there
    are no files.
    """
    files, skipped, unfit = [], {}, []
    for file in find_sources(folder):
        path = folder / file
        if path.suffix.lower() != ".h5":
            continue
        try:
            found = _read_head(path, file)
        except ValueError as error:
            skipped[file] = Skipped(file, str(error).removeprefix(f"{path}: "))
            report(f"{path}: left out: {skipped[file].reason}")
            continue
        if found is None:
            skipped[file] = Skipped(file, UNFIT)
            unfit.append(file)
        else:
            files.append(found)
    if unfit:
        report(f"{folder}: {counted(len(unfit), 'file')} left out, such as {unfit[0]}: {UNFIT}")
    return files, skipped


def slices_by_split(
    files: Sequence[Volume], wanted: Mapping[str, int], where: str = "data"
) -> Mapping[str, Mapping[str, int]]:
    """Return by split and file how many central slices are taken.

    Subjects are ordered by a hash of their names, with those of fastMRI's own training split last. Test and validation
    take subjects from the beginning, training from the end. Where there are few, test and validation get at most a
    tenth of them each, and more slices are taken of each volume. Raises ValueError for less than three subjects.
    """
    subjects: dict[str, list[Volume]] = {}
    for found in sorted(files, key=lambda found: found.file):
        subjects.setdefault(found.subject, []).append(found)
    if len(subjects) < len(SPLITS):
        raise ValueError(f"{where}: expected fully sampled volumes of at least 3 subjects, got {len(subjects)}")
    left = sorted(subjects.values(), key=lambda files: (_trained_on(files), named_seed(files[0].subject)))
    most = max(1, int(HELD_OUT * len(left)))
    test, left = _split(left, wanted["test"], most)
    val, left = _split(left, wanted["val"], most)
    train, _ = _split(left[::-1], wanted["train"], len(left))
    return {split: even_shares(files, wanted[split]) for split, files in zip(SPLITS, (train, val, test), strict=True)}


def even_shares(files: Sequence[Volume], count: int) -> dict[str, int]:
    """Return how many slices each file gives to ``count`` of them: as evenly as can be.

    >>> even_shares([Volume("a", "a", 2), Volume("b", "b", 9), Volume("c", "c", 9)], 9)
    {'a': 2, 'b': 4, 'c': 3}
    """
    turns = sorted((turn, place) for place, found in enumerate(files) for turn in range(found.slices))
    given = Counter(place for _, place in turns[:count])
    return {found.file: given[place] for place, found in enumerate(files) if given[place]}


def _split(subjects: list[list[Volume]], count: int, most: int) -> tuple[list[Volume], list[list[Volume]]]:
    """Return the files of the first subjects, at most ``most``, that give so many slices, and the other subjects."""
    given = accumulate(sum(min(found.slices, PER_VOLUME) for found in files) for files in subjects)
    number = min(1 + sum(slices < count for slices in given), most)
    return [found for files in subjects[:number] for found in files], subjects[number:]


def _trained_on(files: Sequence[Volume]) -> bool:
    return any(named_split(found.file) == "train" for found in files)


def _read_head(path: Path, file: str) -> Volume | None:
    """Return the volume in a file; None where it holds no fully sampled multi-coil scan."""
    with opened(path) as h5:
        kspace, mask = dataset(h5, "kspace"), dataset(h5, "mask")
        if kspace is None or kspace.ndim != 4 or (mask is not None and not mask[()].all()):
            return None
        slices = len(kspace)
    return Volume(file, patient(path) or subject_of(file), slices)
