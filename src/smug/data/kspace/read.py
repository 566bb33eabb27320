"""Measured volumes, whatever their file's format."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from smug.data.kspace.volume import Volume
from smug.physics.masks import equispaced_lines, fastmri_lines, random_lines, usual_center_fraction


def read(path: str | Path) -> Volume:
    """Read the k-space of a volume: fastMRI HDF5, ISMRMRD HDF5, or BART ``.cfl`` with its ``.hdr``.

    HDF5 formats are told apart by what the file holds. Raises FileNotFoundError, and ValueError for any other file,
    with what was expected.
    """
    path = Path(path)
    if path.suffix in (".cfl", ".hdr"):
        from smug.data.kspace.bart import read_cfl

        return read_cfl(path)

    from smug.data.hdf5 import opened, probe
    from smug.data.kspace.fastmri import read_fastmri
    from smug.data.kspace.ismrmrd import is_ismrmrd, read_ismrmrd

    probe(path)
    with opened(path) as file:
        reader = read_ismrmrd if is_ismrmrd(file) else read_fastmri
    return reader(path)


LINES: Mapping[str, Callable[..., Tensor]] = {"random": random_lines, "equispaced": equispaced_lines}
"""Line masks by name, functions of the number of lines, the acceleration, the center_fraction and a seed."""


def undersample(
    volume: Volume, acceleration: float, *, seed: int = 0, center_fraction: float | None = None, lines: str = "random"
) -> Volume:
    """Keep lines of the scan and its ACS only, about ``encoded_lines / acceleration`` of them.

    ``lines`` is "random" or "equispaced", then a function of ``seed``; or "fastmri", the mask that fastMRI's code makes
    for a file of this name. The mask is common to all slices. ``center_fraction`` is 0.08 up to 5x and 0.04 above
    unless given. Of what was not measured nothing is kept, and coil maps are estimated from what is kept alone. The
    reference stays within reach. Raises ValueError as the masks do, and for other ``lines``.
    """
    if center_fraction is None:
        center_fraction = usual_center_fraction(acceleration)
    encoded, width = volume.encoded_lines, volume.mask.shape[-1]
    kept = torch.zeros(1, width, dtype=torch.bool)
    if lines == "fastmri":  # these know nothing of padding
        kept = fastmri_lines(width, acceleration, center_fraction, name=f"{volume.name}.h5")
    elif lines in LINES:
        start = width // 2 - encoded // 2
        kept[:, start : start + encoded] = LINES[lines](encoded, acceleration, center_fraction, seed=seed)
    else:
        raise ValueError(f"lines: expected one of {', '.join([*LINES, 'fastmri'])}, got {lines!r}")
    if volume.mask.ndim == 3:
        kept = kept[:, None]
    return replace(volume, mask=volume.mask & kept, calibration=None)
