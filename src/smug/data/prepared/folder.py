"""The folder of a prepared set: one process at a time works in it, and it holds nothing else."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from smug.data.prepared.file import Stored, read_prepared
from smug.data.prepared.manifest import MANIFEST, Manifest
from smug.system.files import LOCK, locked

VOLUMES = "volumes"
"""The folder, in that of the set, with a file per volume."""

TEMPORARY = re.compile(r"\..*\.\d+\.(h5|json)")
"""Names of files that are being written, or were when their process was killed."""


def check_folders(source: Path, out: Path) -> None:
    """Raise ValueError where ``out`` is in the source, holds anything but a prepared set, or is one's source."""
    here, there = out.resolve(), source.resolve()
    if here.is_relative_to(there):
        raise ValueError(f"{out}: is the source folder, or in it: choose another one for the prepared set")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out}: expected a folder for the prepared set, got a file")
    if (source / VOLUMES).is_dir() and (source / MANIFEST).is_file():
        raise ValueError(f"{source}: is a prepared set already: use it as it is")
    known = (MANIFEST, VOLUMES, LOCK)
    foreign = [p for p in _inside(out) if p.name not in known and not TEMPORARY.fullmatch(p.name)]
    foreign += [p for p in _inside(out / VOLUMES) if p.suffix != ".h5" or not p.is_file()]
    if foreign:
        raise ValueError(f"{foreign[0]}: no part of a prepared set: choose an empty folder, or a new one")


@contextmanager
def working_in(out: Path) -> Iterator[None]:
    """Lock the folder, made where it is missing, and remove what was left half-written, before and after.

    Raises ValueError where another process is at work there.
    """
    volumes = out / VOLUMES
    out.mkdir(parents=True, exist_ok=True)
    try:
        with locked(out, f"{out}: another smug prepare is at work there: wait for it"):
            volumes.mkdir(exist_ok=True)
            _remove_temporary(out, volumes)
            try:
                yield
            finally:
                _remove_temporary(out, volumes)
                with suppress(OSError):  # it holds volumes
                    volumes.rmdir()
    finally:
        with suppress(OSError):
            out.rmdir()


def stored_volumes(out: Path, before: Manifest | None) -> dict[str, list[Stored]]:
    """Return the volumes that are there, by their source; those of ``before`` that are damaged are removed.

    Raises ValueError for other files.
    """
    ours = () if before is None else {volume.file for volume in before.volumes}
    stored: dict[str, list[Stored]] = {}
    for path in _inside(out / VOLUMES):
        try:
            found = read_prepared(path)
        except ValueError as error:
            if path.name not in ours:
                raise ValueError(f"{error}; move it out of the prepared set") from None
            path.unlink()
        else:
            stored.setdefault(found.source.file, []).append(found)
    return stored


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _remove_temporary(*folders: Path) -> None:
    for path in (path for folder in folders for path in _inside(folder) if TEMPORARY.fullmatch(path.name)):
        path.unlink(missing_ok=True)
