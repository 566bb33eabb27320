"""Measured volumes, whatever their file's format."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from smug.data.kspace.centre import Centre, checked
from smug.data.kspace.channels import without_empty_channels
from smug.data.kspace.non_cartesian import NonCartesianVolume
from smug.data.kspace.positions import SliceOrder
from smug.data.kspace.volume import Volume
from smug.physics.masks import equispaced_lines, fastmri_lines, random_lines, usual_center_fraction
from smug.system.arguments import check_arguments
from smug.system.words import counted


@check_arguments
def read(path: str | Path, *, centre: Centre = "checked", slices: SliceOrder = "checked") -> Volume:
    """Read the k-space of a volume: HDF5 as of fastMRI or MATLAB, ISMRMRD HDF5, or BART ``.cfl`` with its ``.hdr``.

    HDF5 formats are told apart by what the file holds. K-space whose energy contradicts its layout is refused: its peak
    is not at the centre, or it does not decay along an axis. With ``centre="peak"`` the peak is moved to the centre;
    with ``"as-stored"`` the file is believed. ``slices`` is about ISMRMRD files whose slices share a counter, see
    :func:`smug.data.kspace.ismrmrd.read_ismrmrd`.

    Raises FileNotFoundError, and ValueError for any other file, with what was expected and how it may be converted;
    radial and spiral ones are read by :func:`read_non_cartesian`.
    """
    volume = read_any(path, centre=centre, slices=slices)
    if isinstance(volume, NonCartesianVolume):
        raise ValueError(f"{path}: expected Cartesian k-space, got {_kind(volume)}: smug.read_non_cartesian reads it")
    return volume


@check_arguments
def read_non_cartesian(
    path: str | Path, trajectory: str | Path | None = None, *, slices: SliceOrder = "checked"
) -> NonCartesianVolume:
    """Read samples along any trajectory in the plane: radial, spiral, or any other.

    Without ``trajectory`` the file is one of ISMRMRD, whose acquisitions hold the coordinates of their samples, see
    :func:`smug.data.kspace.ismrmrd_samples.samples_volume`; ``slices`` is as for :func:`smug.read`. Otherwise both are
    files of BART, see :func:`smug.data.kspace.bart_samples.read_bart_samples`.

    Raises FileNotFoundError, and ValueError for files that are not complete, for values that are not finite, for sizes
    that do not match, for trajectories of three dimensions or in units that cannot be told, and without the extra
    "nufft".
    """
    volume = read_any(path, trajectory=trajectory, slices=slices)
    if not isinstance(volume, NonCartesianVolume):
        raise ValueError(f"{path}: expected non-Cartesian k-space, got Cartesian: smug.read reads it")
    return volume


AnyVolume = Volume | NonCartesianVolume
"""What is read and reconstructed."""


def read_any(
    path: str | Path,
    *,
    trajectory: str | Path | None = None,
    centre: Centre = "checked",
    slices: SliceOrder = "checked",
) -> AnyVolume:
    """Read k-space of any kind: see :func:`read` and :func:`read_non_cartesian`."""
    path = Path(path)
    for name, value, choices in (("centre", centre, Centre), ("slices", slices, SliceOrder)):
        if value not in get_args(choices):
            raise ValueError(f"{name}: expected one of {', '.join(get_args(choices))}, got {value!r}")
    stored = _read(path, slices) if trajectory is None else _along(path, Path(trajectory))
    volume = without_empty_channels(stored, path)
    if isinstance(volume, Volume):
        volume = volume if centre == "as-stored" else checked(volume, path, move=centre == "peak")
        return replace(volume, warnings=(*volume.warnings, *_without_centre(volume, path)))
    if centre != "checked":
        raise ValueError(f"{path}: centre: would change nothing: it is for Cartesian k-space, got {_kind(volume)}")
    return volume


NEAR = 2
"""So many lines from the centre of k-space one must be measured, or the image has no contrast to speak of."""


def _without_centre(volume: Volume, path: Path) -> list[str]:
    """Warn of slices of which the centre of k-space was not measured, such as those of a scan that was aborted."""
    middle = [slice(n // 2 - NEAR, n // 2 + NEAR + 1) for n in volume.mask.shape[1:]]
    measured = volume.mask[:, *middle].flatten(1).any(1)
    if len(volume.mask) == 1 or measured.all():
        return []
    names = [name for name, there in zip(volume.names, measured.tolist(), strict=True) if not there]
    told = f"the centre of k-space was not measured of {counted(len(names), 'slice')} ({', '.join(names[:4])}"
    return [f"{path}: {told}{', ...' if len(names) > 4 else ''}): such an image shows edges at best"]


def _kind(volume: NonCartesianVolume) -> str:
    return f"samples along a trajectory ({volume.attributes.get('trajectory', volume.format)})"


def _along(path: Path, trajectory: Path) -> NonCartesianVolume:
    from smug.data.kspace.bart_samples import read_bart_samples

    for file in (path, trajectory):
        if file.suffix in (".h5", ".hdf5", ".mrd"):
            raise ValueError(
                f"{file}: expected BART's .cfl of samples and of their trajectory; radial and spiral files of ISMRMRD "
                "hold their own coordinates, and are read without a trajectory"
            )
    return read_bart_samples(path, trajectory)


def _read(path: Path, slices: SliceOrder) -> AnyVolume:
    if path.suffix in (".cfl", ".hdr") or (not path.exists() and Path(f"{path}.cfl").exists()):
        from smug.data.kspace.bart import read_cfl

        return read_cfl(path)

    from smug.data.hdf5 import opened
    from smug.data.hdf5_check import check_readable
    from smug.data.kspace.fastmri import read_fastmri
    from smug.data.kspace.ismrmrd import is_ismrmrd, read_ismrmrd
    from smug.data.kspace.other_formats import refuse_other_formats

    refuse_other_formats(path)
    check_readable(path)
    with opened(path) as file:
        of_ismrmrd = is_ismrmrd(file)
    return read_ismrmrd(path, slices) if of_ismrmrd else read_fastmri(path)


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
    left = replace(volume, mask=volume.mask & kept, calibration=None)
    if volume.fully_sampled:
        return left
    told = (
        f"{volume.name}: was undersampled already, {volume.acceleration:.2f}x; what --undersample (undersample) leaves "
        f"of that is {left.acceleration:.2f}x, and there is no full scan to compare with"
    )
    return replace(left, warnings=(*volume.warnings, told))
