"""HDF5 files that others made: only plain numbers, stored in the file itself and of a stated size, are read."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MAX_BYTES = 8 * 2**30
"""Largest data set that is read, in bytes."""

MAX_CHUNK_BYTES = 512 * 2**20
"""Largest chunk that is read, in bytes: HDF5 decompresses whole chunks."""

MAX_TABLE_BYTES = 2**30
"""Largest table of records that is read, in bytes without their parts of variable length."""

MAX_CHARACTERS = 2**22
"""Longest text that is read from numbers."""


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open an HDF5 file for reading.

    Raises FileNotFoundError, and ValueError for what is not an HDF5 file or is damaged, also while it is read.
    """
    import h5py

    try:
        is_folder, is_file = path.is_dir(), path.is_file()
    except OSError as error:
        raise FileNotFoundError(f"{path}: cannot be reached: {error.strerror}") from None
    if is_folder:
        raise ValueError(f"{path}: expected an HDF5 file, got a folder: name one of the files in it")
    if not is_file:
        raise FileNotFoundError(f"{path}: no such file, or a link that leads nowhere")
    if not h5py.is_hdf5(path):
        raise ValueError(f"{path}: expected an HDF5 file, got one of another kind: k-space is read from HDF5 only")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError) as error:  # what h5py raises, and what its users raise
        if isinstance(error, ValueError) and str(error).startswith(str(path)):
            raise
        reason = str(error).strip("'\"")
        raise ValueError(f"{path}: the HDF5 file is damaged or not complete: copy it again ({reason})") from error


def dataset(file: Any, name: str, *, pairs: bool = False) -> Any:
    """Return a data set of an open file, checked to be safe to read; None where there is none.

    With ``pairs``, records of two numbers are numbers as well. Raises ValueError for links, for data that lie in other
    files, for groups, for anything but numbers (objects are never unpickled), and for data sets or chunks that are too
    large.
    """
    found = _stored(file, name)
    if found is None:
        return None
    where = f"{file.file.filename}: {name!r}"
    parts = [found.dtype[part] for part in found.dtype.names or ()]
    is_pair = pairs and len(parts) == 2 and all(part.kind in "iuf" for part in parts)
    if not (found.dtype.kind in "biufc" or is_pair) or found.shape is None:
        raise ValueError(f"{where}: expected numbers, got {found.dtype}")
    size = math.prod(found.shape) * max(found.dtype.itemsize, 8)
    if size > MAX_BYTES:
        raise ValueError(
            f"{where}: got shape {found.shape}, {size / 2**30:,.0f} GiB: at most {MAX_BYTES / 2**30:.0f} GiB are read; "
            "split the volume into files of fewer slices"
        )
    chunk = math.prod(found.chunks or ()) * found.dtype.itemsize
    if chunk > MAX_CHUNK_BYTES:
        raise ValueError(
            f"{where}: got chunks {found.chunks} of {chunk / 2**20:,.0f} MiB: at most "
            f"{MAX_CHUNK_BYTES / 2**20:.0f} MiB are decompressed at once; store them anew in smaller ones (h5repack)"
        )
    return found


def _stored(file: Any, name: str) -> Any:
    """A data set that lies in the file itself; None where there is none."""
    import h5py

    where = f"{file.file.filename}: {name!r}"
    key = name.encode()
    if not file.id.links.exists(key):
        return None
    if file.id.links.get_info(key).type != h5py.h5l.TYPE_HARD:
        raise ValueError(f"{where} is a link: expected the data in the file itself; copy them (h5repack)")
    found = file[name]
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"{where} is a group: expected a data set")
    if found.is_virtual or found.external:
        raise ValueError(f"{where} lies in other files: expected the data in the file itself; copy them (h5repack)")
    return found


def text(file: Any, name: str) -> str | None:
    """Return a text data set of an open file, a scalar or the only entry of an array; None where there is none.

    A data set without entries is an empty text; small unsigned integers are characters, as MATLAB writes them.

    Raises ValueError as :func:`dataset` does for what is not stored in the file itself, and for what is not text.
    """
    import h5py

    found = _stored(file, name)
    if found is None:
        return None
    where = f"{file.file.filename}: {name!r}"
    if found.shape is None or 0 in found.shape:
        return ""
    if found.dtype.kind == "u" and found.dtype.itemsize <= 2 and found.size <= MAX_CHARACTERS:
        return "".join(map(chr, dataset(file, name)[()].ravel().tolist()))
    if h5py.check_string_dtype(found.dtype) is None or math.prod(found.shape) != 1:
        raise ValueError(f"{where}: expected one text, got {found.dtype} of shape {found.shape}")
    value = found[()] if found.shape == () else found[(0,) * found.ndim]
    return bytes(value).decode("utf-8", errors="replace")


def groups(file: Any) -> dict[str, set[str]]:
    """Return the groups that lie in an open file itself, by name, and the names of what each of them holds."""
    import h5py

    hard = (name for name in file if isinstance(file.get(name, getlink=True), h5py.HardLink))
    return {name: set(file[name]) for name in hard if file.get(name, getclass=True) is h5py.Group}


def record_table(file: Any, name: str) -> Any:
    """Return a one-dimensional data set of records of an open file or group; None where there is none.

    Raises ValueError as :func:`dataset` does for what is not stored in the file itself and for what is too large, and
    for other types. The parts of variable length are as long as the file says: read a few records at a time.
    """
    found = _stored(file, name)
    if found is None:
        return None
    where = f"{file.file.filename}: {name!r}"
    try:
        dtype = found.dtype
    except TypeError:
        dtype = None  # a type of HDF5 that NumPy does not know
    if dtype is None or dtype.names is None or len(found.shape or ()) != 1:
        raise ValueError(f"{where}: expected a table of records, got {dtype} of shape {found.shape}")
    for what, rows in (("records", found.shape[0]), ("records per chunk", (found.chunks or (1,))[0])):
        if rows * dtype.itemsize > MAX_TABLE_BYTES:
            raise ValueError(f"{where}: got {rows} {what}: at most {MAX_TABLE_BYTES // dtype.itemsize} are read")
    return found
