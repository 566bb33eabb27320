"""A first look at an HDF5 file by a process that may be lost: damage can crash the HDF5 library, or keep it busy."""

import subprocess
import sys
from pathlib import Path

SECONDS = 30
"""Time to walk through the structure of a file, not through its data."""


def probe(path: Path) -> None:
    """Raise ValueError for an HDF5 file that the library does not get through; what Python can tell is left to readers."""
    try:
        done = subprocess.run(  # noqa: S603  this interpreter and this file
            [sys.executable, "-I", __file__, str(path.resolve())], capture_output=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        reason = f"the HDF5 library did not come to an end within {SECONDS} s"
    else:
        if done.returncode >= 0:  # errors that Python tells, the reader tells better
            return
        reason = f"it makes the HDF5 library crash, signal {-done.returncode}"
    raise ValueError(f"{path}: the HDF5 file is damaged or not complete: copy it again ({reason})")


def walk(path: str) -> None:
    """Read all metadata of a file: objects, attributes, and where data lie."""
    import h5py

    def visit(name: str, found: object) -> None:
        dict(found.attrs)  # type: ignore[attr-defined]
        if isinstance(found, h5py.Dataset) and found.chunks is not None:
            for chunk in range(min(found.id.get_num_chunks(), 1000)):
                found.id.get_chunk_info(chunk)

    with h5py.File(path, "r") as file:
        dict(file.attrs)
        file.visititems(visit)


if __name__ == "__main__":
    walk(sys.argv[1])
