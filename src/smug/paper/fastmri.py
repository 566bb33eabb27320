"""The paper's data, made once from downloaded fastMRI files: the number of slices that the paper uses."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from smug.data.prepared.file import Stored, read_prepared
from smug.data.prepared.folder import VOLUMES, check_folders, stored_volumes, working_in
from smug.data.prepared.full_volume import Settings
from smug.data.prepared.manifest import MANIFEST, Manifest, Skipped
from smug.data.prepared.prepare import DIED, Job, Made, is_current, make
from smug.data.prepared.set import is_prepared
from smug.data.prepared.sources import find_sources, origin_of, unique_names
from smug.data.prepared.splits import SPLITS
from smug.data.prepared.workers import worked
from smug.paper.fastmri_volumes import Volume, slices_by_split, usable_volumes
from smug.paper.reporting import Report, silent
from smug.version import __version__

SETTINGS = Settings()
"""Coil maps by ESPIRiT, from the centre of k-space."""


def prepare_fastmri(
    folder: Path,
    out: Path,
    train: int = 3000,
    val: int = 32,
    test: int = 64,
    *,
    workers: int = 0,
    report: Report = silent,
) -> Path:
    """Return a prepared set: ``folder`` if it is one, else ``out``, made of so many slices of its fastMRI files.

    Volumes that ``out`` has of the same files are kept, and an interrupted call is continued by the next one. A file
    that cannot be used is left out, and another takes its place; ``report`` receives a line about each. ``workers`` is
    the number of processes, 0 is this one. Raises FileNotFoundError and ValueError for folders that cannot be used, and
    ValueError where there are less than three subjects.
    """
    if is_prepared(folder):
        return folder
    wanted = dict(zip(SPLITS, (train, val, test), strict=True))
    assignment = {"slices": wanted, "files": _listing(folder)}
    before = _manifest(out)
    if before is not None and before.settings == SETTINGS.described and before.assignment == assignment:
        return out
    check_folders(folder, out)
    files, skipped = usable_volumes(folder, report)
    with working_in(out):
        (out / MANIFEST).unlink(missing_ok=True)
        while True:
            usable = [found for found in files if found.file not in skipped]
            taken = slices_by_split(usable, wanted, str(folder))
            volumes, failed = _prepared(folder, out, taken, files, before, workers, report)
            if not failed:
                break
            for skip in failed.values():
                report(f"{folder / skip.file}: left out: {skip.reason}")
            skipped |= failed
        manifest = Manifest(
            version=__version__,
            settings=SETTINGS.described,
            assignment=assignment,
            splits={split: tuple(volumes[file].entry.file for file in taken[split]) for split in SPLITS},
            volumes=tuple(volumes[file].entry for split in SPLITS for file in taken[split]),
            skipped=tuple(skipped[file] for file in sorted(skipped)),
        )
        _remove_others(out, manifest)
        manifest.write(out)
    return out


def shortage(folder: Path) -> str:
    """Return what a set that :func:`prepare_fastmri` has made lacks of what was wanted, in a line; "" if nothing."""
    manifest = Manifest.read(folder)
    held = {split: sum(len(volume.slices) for volume in manifest.of(split)) for split in SPLITS}
    wanted = manifest.assignment.get("slices", {})
    fewer = [f"{held[split]} of {count} {split}" for split, count in wanted.items() if held[split] < count]
    return f"fewer slices than wanted: {', '.join(fewer)}" if fewer else ""


def _listing(folder: Path) -> str:
    """Return a hash of the files below a folder: their names, sizes, and when they were last written to."""
    origins = [(file, origin_of(folder / file)) for file in find_sources(folder)]
    return hashlib.sha256(repr(origins).encode()).hexdigest()


def _prepared(
    folder: Path,
    out: Path,
    taken: Mapping[str, Mapping[str, int]],
    files: Sequence[Volume],
    before: Manifest | None,
    workers: int,
    report: Report,
) -> tuple[dict[str, Stored], dict[str, Skipped]]:
    """Prepare the slices that are taken of each file; return the volumes by file, and the files that failed."""
    names = unique_names([found.file for found in files])
    jobs = [
        Job(folder / file, file, names[file], replace(SETTINGS, central=count), out / VOLUMES)
        for split in SPLITS
        for file, count in taken[split].items()
    ]
    failed = _made(jobs, stored_volumes(out, before), workers, report)
    volumes = {volume.source.file: volume for job in jobs for volume in _stored(job)}
    failed |= _duplicates([volumes[job.file] for job in jobs if job.file not in failed])
    return volumes, failed


def _made(
    jobs: Sequence[Job], stored: Mapping[str, Sequence[Stored]], workers: int, report: Report
) -> dict[str, Skipped]:
    """Prepare the volumes that are not there yet; return the files that failed."""
    waiting = [job for job in jobs if not is_current(stored.get(job.file, []), job)]
    failed = {}
    for number, (job, result) in enumerate(worked(make, waiting, workers), 1):
        report(f"preparing {job.file}: {number} of {len(waiting)} volumes")
        if not isinstance(result, Made):
            failed[job.file] = result or Skipped(job.file, DIED)
            continue
        for warning in result.warnings:
            report(warning)
    return failed


def _stored(job: Job) -> list[Stored]:
    path = job.out / f"{job.name}.h5"
    return [read_prepared(path)] if path.is_file() else []


def _duplicates(volumes: Sequence[Stored]) -> dict[str, Skipped]:
    """Return the files that hold the same as an earlier one: they might be in another split."""
    first: dict[str, str] = {}
    duplicates = {}
    for source in (volume.source for volume in volumes):
        if (file := first.setdefault(source.sha256, source.file)) != source.file:
            duplicates[source.file] = Skipped(source.file, f"holds the same as {file}")
    return duplicates


def _remove_others(out: Path, manifest: Manifest) -> None:
    """Remove volumes of earlier calls that the manifest does not name."""
    kept = {volume.file for volume in manifest.volumes}
    for path in (out / VOLUMES).iterdir():
        if path.name not in kept:
            path.unlink()


def _manifest(out: Path) -> Manifest | None:
    try:
        return Manifest.read(out)
    except (FileNotFoundError, ValueError):
        return None
