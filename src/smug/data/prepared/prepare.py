"""From a folder of volumes to a set to train on and to compare with: see :mod:`smug.data.prepared.set`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smug.data.prepared.file import Source, Stored, write_prepared
from smug.data.prepared.folder import VOLUMES, check_folders, stored_volumes, working_in
from smug.data.prepared.full_volume import Settings, full_volumes
from smug.data.prepared.manifest import MANIFEST, Manifest, Origin, Skipped
from smug.data.prepared.sources import find_sources, hash_of, origin_of, unique_names
from smug.data.prepared.splits import SPLITS, assigned, check_fractions, named_split
from smug.data.prepared.workers import worked
from smug.version import __version__

DIED = "the process that prepared it died: there was not enough memory, or the file is damaged"


@dataclass(frozen=True)
class Preparation:
    """The manifest of a prepared set, and how many of its volumes were made now; the others were there.

    ``warnings`` say what is doubtful in the files of those that were made.
    """

    manifest: Manifest
    made: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Made:
    """The names of the ``files`` that a source became, and what is doubtful in it."""

    files: frozenset[str]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """A source ``file``, at ``path``, to prepare as volumes of this ``name`` in the folder ``out``."""

    path: Path
    file: str
    name: str
    settings: Settings
    out: Path


def prepare(
    source: Path,
    out: Path,
    settings: Settings,
    *,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    workers: int = 0,
    advance: Callable[[int], None] | None = None,
) -> Preparation:
    """Prepare all volumes below the folder ``source`` in the folder ``out``; volumes that are up to date are kept.

    Splits are those that the names of folders and files say; other subjects are assigned by a hash of their name and
    ``seed``, in ``fractions`` for train, val and test, and keep their split when others are added. Files that cannot be
    prepared are skipped; the manifest says why. The result does not depend on ``workers``, the number of processes;
    0 is this one. ``advance(1)`` is called for each source file.

    A source is prepared anew when its contents or the settings have changed. What is interrupted at any time, by any
    means, goes on where it was with the next call. Volumes stay when their sources are gone.

    Raises FileNotFoundError and ValueError for folders that cannot be used, and OSError where the system refuses to
    write; the volumes that are complete stay.
    """
    check_fractions(fractions)
    files = find_sources(source, images=settings.simulate is not None)
    check_folders(source, out)
    with working_in(out):
        before = _manifest(out)
        stored = stored_volumes(out, before)
        _check_gone(out, stored, files, settings)
        skipped = _still_skipped(before, source, files, settings)
        names, jobs = unique_names(files), []
        for file in files:
            job = Job(source / file, file, names[file], settings, out / VOLUMES)
            if file not in skipped and not is_current(stored.get(file, []), job):
                jobs.append(job)
            elif advance is not None:
                advance(1)
        made: dict[str, Made] = {}
        for job, result in worked(make, jobs, workers):
            if isinstance(result, Made):
                made[job.file] = result
            else:
                skipped[job.file] = result or Skipped(job.file, DIED)
            if advance is not None:
                advance(1)
        there = _kept(out, made, skipped)
        manifest = selected(there, skipped.values(), settings.described, fractions, seed, before)
        if manifest.volumes:
            manifest.write(out)
        else:
            (out / MANIFEST).unlink(missing_ok=True)
    warnings = tuple(warning for file in files if file in made for warning in made[file].warnings)
    return Preparation(manifest, sum(len(each.files) for each in made.values()), warnings)


def make(job: Job) -> Made | Skipped:
    """Prepare a source file; return what was written, or why there is nothing."""
    origin = None
    try:
        origin = origin_of(job.path)
        volumes = full_volumes(job.path, job.file, job.name, job.settings)
        source = Source(job.file, origin, hash_of(job.path), len(volumes))
    except Exception as error:  # a reader may raise anything for a damaged file
        return _failed(job, error, origin)
    for name, subject, volume in volumes:
        try:
            write_prepared(job.out / f"{name}.h5", volume, subject, source, job.settings.described)
        except OSError:  # not the file's fault
            raise
        except Exception as error:
            return _failed(job, error, origin)
    warnings = (warning for _, _, volume in volumes for warning in volume.warnings)
    return Made(frozenset(f"{name}.h5" for name, _, _ in volumes), tuple(dict.fromkeys(warnings)))


def _failed(job: Job, error: Exception, origin: Origin | None) -> Skipped:
    """Return the record of a skipped file and why; after errors that may pass it is tried again next time."""
    kind = "" if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: "
    reason = " ".join(str(error).replace(f"{job.path.parent}/", "").removeprefix(f"{job.path.name}: ").split())
    return Skipped(job.file, f"{kind}{reason}"[:500], None if isinstance(error, OSError | MemoryError) else origin)


def _kept(out: Path, made: Mapping[str, Made], skipped: Mapping[str, Skipped]) -> list[Stored]:
    """Return the volumes of the set; files of sources that are skipped now or hold other volumes are removed."""
    kept = []
    for source, volumes in stored_volumes(out, None).items():
        for volume in volumes:
            file = volume.entry.file
            if source in skipped or (source in made and file not in made[source].files):
                (out / VOLUMES / file).unlink()
            else:
                kept.append(volume)
    return kept


def is_current(stored: Sequence[Stored], job: Job) -> bool:
    """Tell whether all volumes of a source are there, with its present contents, name and these settings.

    A source that cannot be read is as good as gone: its volumes stay.
    """
    settings = job.settings.described
    if not stored or len(stored) != stored[0].source.volumes:
        return False
    if any(s.settings != settings or not s.entry.file.startswith((f"{job.name}.", f"{job.name}+")) for s in stored):
        return False
    try:
        origin, known = origin_of(job.path), stored[0].source
        if origin.size != known.origin.size:
            return False
        return origin == known.origin or hash_of(job.path) == known.sha256
    except OSError:
        return True


def _still_skipped(
    before: Manifest | None, source: Path, files: Iterable[str], settings: Settings
) -> dict[str, Skipped]:
    """Return, by name, the files that earlier runs skipped and that have not changed since."""
    if before is None or before.settings != settings.described or before.version != __version__:
        return {}
    known = {skip.file: skip for skip in before.skipped if skip.origin is not None}
    return {file: known[file] for file in files if file in known and _origin(source / file) == known[file].origin}


def _origin(path: Path) -> Origin | None:
    try:
        return origin_of(path)
    except OSError:
        return None


def _manifest(out: Path) -> Manifest | None:
    """The manifest of an earlier run; one that cannot be read is made anew."""
    try:
        return Manifest.read(out)
    except (FileNotFoundError, ValueError):
        return None


def _check_gone(out: Path, stored: Mapping[str, Sequence[Stored]], files: Iterable[str], settings: Settings) -> None:
    """Raise ValueError if volumes of other settings remain whose source is gone: a set has one kind of settings."""
    for source in stored.keys() - set(files):
        if any(volume.settings != settings.described for volume in stored[source]):
            raise ValueError(
                f"{out}: holds volumes of {source}, which is not among the sources now, and was prepared with other "
                "settings: choose another folder"
            )


def selected(
    stored: Iterable[Stored],
    skipped: Iterable[Skipped],
    settings: Mapping[str, Any],
    fractions: Sequence[float],
    seed: int,
    before: Manifest | None = None,
) -> Manifest:
    """Return the manifest of these volumes; see :func:`smug.data.prepared.prepare.prepare` for the splits.

    Left out are volumes that would be there twice, and those that the name of a folder puts into a split while their
    subject is in an earlier one: no subject is in two. Who had a split ``before``, by the same ``fractions`` and
    ``seed``, keeps it.
    """
    assignment = {"fractions": list(fractions), "seed": seed}
    distinct, conflicts = _distinct(sorted(stored, key=_order))
    known = {}
    if before is not None and before.assignment == assignment:
        known = {volume.subject: split for split in SPLITS for volume in before.of(split)}
    named = {v.entry.subject: split for v in reversed(distinct) if (split := named_split(v.source.file))}
    splits = assigned((v.entry.subject for v in distinct), fractions, seed, {**known, **named})
    kept = []
    for volume in distinct:
        split, file = splits[volume.entry.subject], volume.source.file
        if named_split(file) in (None, split):
            kept.append(volume.entry)
        else:
            conflicts.append(Skipped(file, f"shows a subject of the {split} split: no subject is in two of them"))
    return Manifest(
        version=__version__,
        settings=settings,
        assignment=assignment,
        splits={split: tuple(e.file for e in kept if splits[e.subject] == split) for split in SPLITS},
        volumes=tuple(kept),
        skipped=tuple(sorted([*skipped, *conflicts], key=lambda skip: skip.file)),
    )


def _distinct(volumes: Iterable[Stored]) -> tuple[list[Stored], list[Skipped]]:
    """Keep the first of volumes with the same contents, or slices of the same names."""
    kept: list[Stored] = []
    conflicts: list[Skipped] = []
    contents: dict[str, str] = {}
    slices: dict[str, str] = {}
    for volume in volumes:
        file = volume.source.file
        twin = contents.setdefault(volume.source.sha256, file)
        namesake = next((slices[name] for name in volume.entry.slices if name in slices), None)
        if twin != file:
            conflicts.append(Skipped(file, f"holds the same as {twin}"))
        elif namesake is not None:
            conflicts.append(Skipped(file, f"its slices have the names of those of {namesake}: rename the data sets"))
        else:
            kept.append(volume)
            slices.update(dict.fromkeys(volume.entry.slices, file))
    return kept, conflicts


def _order(volume: Stored) -> tuple[int, str]:
    """Files that are named after a split come first, in the order of splits."""
    split = named_split(volume.source.file)
    return len(SPLITS) if split is None else SPLITS.index(split), volume.entry.file
