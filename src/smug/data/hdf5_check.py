"""HDF5 files are read in another process first: the HDF5 library crashes on some damaged ones.

That process runs this file as a program.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

SECONDS, BYTES_PER_SECOND = 30, 5e6
"""Time that a file may take: so much, and more for a large one."""

RECORDS = 100
"""Records of variable length that are read at a time."""


def check_readable(path: Path) -> None:
    """Read the structure of an HDF5 file in another process, which a damaged file may crash or keep busy forever.

    Raises ValueError if it does. Whatever else is wrong with the file, its reader tells.
    """
    try:
        limit = SECONDS + path.stat().st_size / BYTES_PER_SECOND
    except OSError:
        return
    try:
        done = subprocess.run(  # noqa: S603  this interpreter and this file
            [sys.executable, "-I", __file__, str(path.resolve())], capture_output=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        reason = f"the HDF5 library did not come to an end within {limit:.0f} s"
    else:
        if done.returncode >= 0:  # errors that Python tells, the reader tells better
            return
        reason = f"it makes the HDF5 library crash, signal {-done.returncode}"
    raise ValueError(f"{path}: the HDF5 file is damaged or not complete: copy it again ({reason})")


def walk(path: str) -> None:
    """Read the parts on which a damaged file can crash HDF5: objects, attributes, layouts, variable-length data."""
    import h5py

    def visit(name: str, found: Any) -> None:
        dict(found.attrs)
        if isinstance(found, h5py.Dataset) and found.chunks is not None:
            for chunk in range(min(found.id.get_num_chunks(), 1000)):
                found.id.get_chunk_info(chunk)
        if isinstance(found, h5py.Dataset) and found.dtype.hasobject and found.ndim == 1:
            stored = found.id.get_storage_size() // max(1, found.dtype.itemsize)
            for first in range(0, min(len(found), stored), RECORDS):
                found[first : first + RECORDS]

    with h5py.File(path, "r") as file:
        dict(file.attrs)
        file.visititems(visit)


if __name__ == "__main__":
    walk(sys.argv[1])
