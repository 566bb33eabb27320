"""Measured volumes, whatever their file's format."""

from pathlib import Path

from smug.data.volume import Volume


def read_volume(path: str | Path) -> Volume:
    """Read the k-space of a volume: fastMRI HDF5, ISMRMRD HDF5, or BART ``.cfl`` with its ``.hdr``.

    The format is told by the content. Raises FileNotFoundError, and ValueError for any other file, with what was
    expected.
    """
    from smug.data.bart import read_cfl
    from smug.data.fastmri import read_fastmri
    from smug.data.hdf5 import opened
    from smug.data.ismrmrd import is_ismrmrd, read_ismrmrd

    path = Path(path)
    if path.suffix in (".cfl", ".hdr"):
        return read_cfl(path)
    with opened(path) as file:
        raw = is_ismrmrd(file)
    return read_ismrmrd(path) if raw else read_fastmri(path)
