"""The paper's data from fastMRI files as they are downloaded: so many slices, prepared once."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import smug
from smug.data.prepared.file import Stored, read_prepared
from smug.data.prepared.folder import VOLUMES, check_folders, stored_volumes, working_in
from smug.data.prepared.manifest import MANIFEST, Manifest, Skipped
from smug.data.prepared.prepare import DIED, Job, is_current, make
from smug.data.prepared.set import is_prepared
from smug.data.prepared.source_volumes import Settings
from smug.data.prepared.sources import find_sources, origin_of, unique_names
from smug.data.prepared.splits import SPLITS
from smug.data.prepared.workers import worked
from smug.paper.choice import chosen, found_files

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
            version=smug.__version__,
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
