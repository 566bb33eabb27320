"""The files below a folder that volumes are made of: their names, and what tells whether they have changed."""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from smug.data.prepared.manifest import Origin
from smug.data.prepared.splits import named_split

KSPACE = (".h5", ".hdf5", ".mrd", ".cfl")
"""What the names of k-space files end in."""

IMAGES = (".nii", ".nii.gz", ".png", ".npy", ".h5", ".hdf5")
"""What the names of image files end in."""


def find_sources(folder: Path, *, images: bool = False) -> tuple[str, ...]:
    """Return the k-space files, or the files of images, below a folder: paths relative to it, sorted.

    Links are followed; hidden files and folders are not looked at. Raises FileNotFoundError where there is no such
    folder, ValueError where it holds no such files, and OSError where a part of it cannot be read.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: expected a folder of volumes, got {'a file' if folder.exists() else 'none'}"
        )
    suffixes = IMAGES if images else (*KSPACE, *IMAGES)
    found = tuple(sorted(file for file in _files(folder) if file.lower().endswith(suffixes)))
    if odd := [file for file in found if not file.isprintable()]:
        raise ValueError(f"{folder}: {odd[0]!a}: expected a name of printable characters: rename the file")
    if not found:
        kind = "images" if images else "k-space"
        raise ValueError(f"{folder}: expected files of {kind} ({', '.join(IMAGES if images else KSPACE)}), got none")
    return found


def unique_names(files: Sequence[str]) -> dict[str, str]:
    """Return a short name for each file, safe in any file system: its stem, after its folders but those of splits.

    >>> unique_names(["multicoil_val/file1.h5", "knee/T1 a.nii.gz", "head/T1.nii.gz"])
    {'multicoil_val/file1.h5': 'file1', 'knee/T1 a.nii.gz': 'knee-T1_a', 'head/T1.nii.gz': 'head-T1'}
    """
    short = {file: safe("-".join([*own_folders(file), stem(file)])) for file in files}
    count = Counter(name.lower() for name in short.values())
    return {
        file: name if count[name.lower()] == 1 else f"{name}-{hashlib.sha256(file.encode()).hexdigest()[:8]}"
        for file, name in short.items()
    }


def origin_of(path: Path) -> Origin:
    """Return the size of a source and when it was last written to."""
    stats = [part.stat() for part in _parts(path)]
    return Origin(sum(s.st_size for s in stats), max(s.st_mtime_ns for s in stats))


def hash_of(path: Path) -> str:
    """Return the sha256 of a source."""
    digest = hashlib.sha256()
    for part in _parts(path):
        with part.open("rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    return digest.hexdigest()


def own_folders(file: str) -> list[str]:
    """The folders of a file, but for those that are named after a split."""
    return [part for part in PurePosixPath(file).parent.parts if not named_split(part)]


def stem(file: str) -> str:
    """The name of a file without its suffix."""
    name = PurePosixPath(file).name
    return name[: -len(".nii.gz")] if name.lower().endswith(".nii.gz") else PurePosixPath(file).stem


def safe(name: str) -> str:
    """The name without what a file system may refuse."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip(".")[:100] or "_"


def _files(folder: Path) -> Iterator[str]:
    """Paths of all files below a folder, relative to it; a folder that links lead to twice counts once."""
    seen: set[str] = set()

    def refused(error: OSError) -> None:
        raise error

    for where, folders, files in os.walk(folder, onerror=refused, followlinks=True):
        folders[:] = [
            name for name in folders if not name.startswith(".") and os.path.realpath(f"{where}/{name}") not in seen
        ]
        seen.update(os.path.realpath(f"{where}/{name}") for name in folders)
        for name in files:
            path = Path(where, name)
            if not name.startswith(".") and (path.is_symlink() or path.is_file()):
                yield path.relative_to(folder).as_posix()


def _parts(path: Path) -> list[Path]:
    """The files that a source consists of."""
    return [path, path.with_suffix(".hdr")] if path.suffix.lower() == ".cfl" else [path]
