"""The paper's data from fastMRI files as they are downloaded: so many slices, prepared once."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

from smug.data.hdf5 import dataset, opened
from smug.data.prepared.file import Stored, read_prepared
from smug.data.prepared.folder import VOLUMES, check_folders, stored_volumes, working_in
from smug.data.prepared.full_volume import Settings, patient
from smug.data.prepared.manifest import MANIFEST, Manifest, Skipped
from smug.data.prepared.prepare import DIED, Job, is_current, make
from smug.data.prepared.set import is_prepared
from smug.data.prepared.sources import find_sources, origin_of, unique_names
from smug.data.prepared.splits import SPLITS, named_split, subject_of
from smug.data.prepared.workers import worked
from smug.data.simulate import named_seed
from smug.version import __version__

SETTINGS = Settings()
"""Coil maps by ESPIRiT, from the centre of k-space."""

Told = Callable[[str], None]


def prepared(
    folder: Path,
    out: Path,
    train: int = 3000,
    val: int = 32,
    test: int = 64,
    *,
    workers: int = 0,
    told: Told = lambda text: None,
) -> Path:
    """Return a prepared set: ``folder`` if it is one, else ``out``, made of so many slices of its fastMRI files.

    What is there, of the same files, is not made again, and what is interrupted goes on with the next call. Files that
    cannot be used are left out, and others taken in their place; ``told`` hears of them. ``workers`` is the number of
    processes, 0 is this one. Raises FileNotFoundError and ValueError for folders that cannot be used, and ValueError
    where there are less than three subjects.
    """
    if is_prepared(folder):
        return folder
    wanted = dict(zip(SPLITS, (train, val, test), strict=True))
    assignment = {"slices": wanted, "files": _listing(folder)}
    before = _manifest(out)
    if before is not None and before.settings == SETTINGS.described and before.assignment == assignment:
        return out
    check_folders(folder, out)
    files, skipped = found_files(folder, told)
    names = unique_names([found.file for found in files])
    with working_in(out):
        (out / MANIFEST).unlink(missing_ok=True)
        while True:
            taken = chosen([found for found in files if found.file not in skipped], wanted, str(folder))
            jobs = [
                Job(folder / file, file, names[file], replace(SETTINGS, central=count), out / VOLUMES)
                for split in SPLITS
                for file, count in taken[split].items()
            ]
            failed = _made(jobs, stored_volumes(out, before), workers, told)
            volumes = {volume.source.file: volume for job in jobs for volume in _stored(job)}
            failed |= _twins([volumes[job.file] for job in jobs if job.file not in failed])
            if not failed:
                break
            for skip in failed.values():
                told(f"{folder / skip.file}: left out: {skip.reason}")
            skipped |= failed
        manifest = Manifest(
            version=__version__,
            settings=SETTINGS.described,
            assignment=assignment,
            splits={split: tuple(volumes[file].entry.file for file in taken[split]) for split in SPLITS},
            volumes=tuple(volumes[job.file].entry for job in jobs),
            skipped=tuple(skipped[file] for file in sorted(skipped)),
        )
        _remove_others(out, manifest)
        manifest.write(out)
    return out


def shortage(folder: Path) -> str:
    """Return what a set that :func:`prepared` has made lacks of what was wanted, in a line; "" if nothing."""
    manifest = Manifest.read(folder)
    held = {split: sum(len(volume.slices) for volume in manifest.of(split)) for split in SPLITS}
    wanted = manifest.assignment.get("slices", {})
    fewer = [f"{held[split]} of {count} {split}" for split, count in wanted.items() if held[split] < count]
    return f"fewer slices than wanted: {', '.join(fewer)}" if fewer else ""


def _listing(folder: Path) -> str:
    """Return a hash of the files below a folder: their names, sizes, and when they were last written to."""
    origins = [(file, origin_of(folder / file)) for file in find_sources(folder)]
    return hashlib.sha256(repr(origins).encode()).hexdigest()


def _made(jobs: Sequence[Job], stored: Mapping[str, Sequence[Stored]], workers: int, told: Told) -> dict[str, Skipped]:
    """Prepare what is not there; return what could not be."""
    waiting = [job for job in jobs if not is_current(stored.get(job.file, []), job)]
    failed = {}
    for number, (job, result) in enumerate(worked(make, waiting, workers), 1):
        told(f"preparing {job.file}: {number} of {len(waiting)} volumes")
        if not isinstance(result, frozenset):
            failed[job.file] = result or Skipped(job.file, DIED)
    return failed


def _stored(job: Job) -> list[Stored]:
    path = job.out / f"{job.name}.h5"
    return [read_prepared(path)] if path.is_file() else []


def _twins(volumes: Sequence[Stored]) -> dict[str, Skipped]:
    """Volumes that hold the same as an earlier one: they might be in another split."""
    first: dict[str, str] = {}
    twins = {}
    for source in (volume.source for volume in volumes):
        if (file := first.setdefault(source.sha256, source.file)) != source.file:
            twins[source.file] = Skipped(source.file, f"holds the same as {file}")
    return twins


def _remove_others(out: Path, manifest: Manifest) -> None:
    """Remove what is left of volumes that were taken before others were there."""
    kept = {volume.file for volume in manifest.volumes}
    for path in (out / VOLUMES).iterdir():
        if path.name not in kept:
            path.unlink()


def _manifest(out: Path) -> Manifest | None:
    try:
        return Manifest.read(out)
    except (FileNotFoundError, ValueError):
        return None


PER_VOLUME = 8
"""Slices of a volume, where there are volumes enough: 3000, 32 and 64 slices are those of 375, 4 and 8 volumes."""

HELD_OUT = 0.1
"""The largest share of the subjects to validate with, and to test on."""

UNFIT = "undersampled, of a single coil, or no k-space"
"""Why files are left out that are whole."""


@dataclass(frozen=True)
class Volume:
    """A multi-coil file that is not undersampled: whom it shows, and its number of slices."""

    file: str
    subject: str
    slices: int


def found_files(folder: Path, told: Callable[[str], None]) -> tuple[list[Volume], dict[str, Skipped]]:
    """Glance at all files below a folder: those that can be used, as far as that tells, and the others.

    ``told`` hears of the others. Raises FileNotFoundError and ValueError where there are no files.
    """
    files, skipped, unfit = [], {}, []
    for file in find_sources(folder):
        path = folder / file
        if path.suffix.lower() != ".h5":
            continue
        try:
            found = _glance(path, file)
        except ValueError as error:
            skipped[file] = Skipped(file, str(error).removeprefix(f"{path}: "))
            told(f"{path}: left out: {skipped[file].reason}")
            continue
        if found is None:
            skipped[file] = Skipped(file, UNFIT)
            unfit.append(file)
        else:
            files.append(found)
    if unfit:
        told(f"{folder}: {len(unfit)} files left out, such as {unfit[0]}: {UNFIT}")
    return files, skipped


def chosen(files: Sequence[Volume], wanted: Mapping[str, int], where: str = "data") -> Mapping[str, Mapping[str, int]]:
    """Return by split and file how many central slices are taken.

    Subjects come in an order that is a hash of their names, but those that fastMRI trains on last: test and validation
    take theirs from its beginning, training from its end. Where there are too few of them, at most a tenth is held out
    for each, and more slices of each are taken. Raises ValueError for less than three subjects.
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
    return {split: shares(files, wanted[split]) for split, files in zip(SPLITS, (train, val, test), strict=True)}


def shares(files: Sequence[Volume], count: int) -> dict[str, int]:
    """Return how many slices each file gives to ``count`` of them: as evenly as can be.

    >>> shares([Volume("a", "a", 2), Volume("b", "b", 9), Volume("c", "c", 9)], 9)
    {'a': 2, 'b': 4, 'c': 3}
    """
    turns = sorted((turn, place) for place, found in enumerate(files) for turn in range(found.slices))
    given = Counter(place for _, place in turns[:count])
    return {found.file: given[place] for place, found in enumerate(files) if given[place]}


def _split(subjects: list[list[Volume]], count: int, most: int) -> tuple[list[Volume], list[list[Volume]]]:
    """The files of the first subjects that give so many slices, of ``most`` of them at most; the other subjects."""
    given = accumulate(sum(min(found.slices, PER_VOLUME) for found in files) for files in subjects)
    number = min(1 + sum(slices < count for slices in given), most)
    return [found for files in subjects[:number] for found in files], subjects[number:]


def _trained_on(files: Sequence[Volume]) -> bool:
    return any(named_split(found.file) == "train" for found in files)


def _glance(path: Path, file: str) -> Volume | None:
    """What the head of a file tells; None where there is no full multi-coil scan in it."""
    with opened(path) as h5:
        kspace, mask = dataset(h5, "kspace"), dataset(h5, "mask")
        if kspace is None or kspace.ndim != 4 or (mask is not None and not mask[()].all()):
            return None
        slices = len(kspace)
    return Volume(file, patient(path) or subject_of(file), slices)
