"""Measured volumes, whatever their file's format."""

from pathlib import Path

from smug.data.kspace.volume import Volume


def read_volume(path: str | Path) -> Volume:
    """Read the k-space of a volume: fastMRI HDF5, ISMRMRD HDF5, or BART ``.cfl`` with its ``.hdr``.

    HDF5 formats are told apart by what the file holds. Raises FileNotFoundError, and ValueError for any other file,
    with what was expected.
    """
    path = Path(path)
    if path.suffix in (".cfl", ".hdr"):
        from smug.data.kspace.bart import read_cfl

        return read_cfl(path)

    from smug.data.hdf5 import opened
    from smug.data.kspace.fastmri import read_fastmri
    from smug.data.kspace.ismrmrd import is_ismrmrd, read_ismrmrd
    from smug.data.probe import probe

    probe(path)
    with opened(path) as file:
        read = read_ismrmrd if is_ismrmrd(file) else read_fastmri
    return read(path)
