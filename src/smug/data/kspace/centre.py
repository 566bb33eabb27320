"""The centre of k-space: compared with its energy, and moved to where that peaks."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from smug.data.kspace.contents import AXES, doubts
from smug.data.kspace.directions import directions_alternate
from smug.data.kspace.energy import MOST_SLICES, Peak, coils_are_an_axis, energy, flat_axis, off_centre
from smug.data.kspace.sampling import is_full, lines_around_dc
from smug.data.kspace.volume import Volume
from smug.data.slices import Slices, spread
from smug.physics.fourier import fft2c, ifft2c

Centre = Literal["checked", "as-stored", "peak"]
"""Where zero frequency is: where the file says, once it is checked or as it is; or where the energy peaks."""


def checked(volume: Volume, path: Path, *, move: bool) -> Volume:
    """Return the volume; raises ValueError where its energy contradicts the layout that the file states."""
    found = energy(volume)
    believed = "--centre as-stored (centre=...) reads it as it is"
    if coils_are_an_axis(found):
        coils, shape = len(found.coils), tuple(volume.kspace[0].shape)
        raise ValueError(
            f"{path}: the energy of the {coils} coils peaks in their middle, like that of k-space: expected axes "
            f"(slices, coils, y, x), got ({len(volume)}, {', '.join(map(str, shape))}): transpose them; {believed}"
        )
    flat = flat_axis(found)
    if flat is not None:
        raise ValueError(
            f"{path}: the energy of k-space does not decay along {AXES[flat]}: it is non-Cartesian (radial, spiral, "
            "...), which needs its trajectory (smug reconstruct --trajectory TRAJ.cfl, for BART; ISMRMRD holds its "
            "own), or its axes are in another order: expected Cartesian k-space, (slices, "
            f"coils, readout, phase) in HDF5 or [readout, phase, 1, coils] in BART; {believed}"
        )
    if directions_alternate(volume):
        told = "neighbouring lines are alike only if one of them is reversed: readouts seem to run in both directions"
        volume = replace(volume, warnings=(*volume.warnings, f"{path}: {told}, which makes ghosts"))
    peaks = off_centre(found)
    if not peaks:
        return _doubted(volume, path)
    told = " and ".join(f"{AXES[p.axis]} at {p.place}, where the centre of {p.size} is {p.size // 2}" for p in peaks)
    corner = ", as without fftshift" if any(peak.in_corner for peak in peaks) else ""
    if not move:
        raise ValueError(
            f"{path}: the energy of k-space peaks along {told}{corner}: the file contradicts its header or layout; "
            f"--centre peak (centre=...) moves the peak to the centre, {believed}"
        )
    moved = f"{path}: the energy of k-space peaks along {told}{corner}: moved to the centre"
    return _doubted(replace(centred(volume, peaks), warnings=(*volume.warnings, moved)), path)


def _doubted(volume: Volume, path: Path) -> Volume:
    return replace(volume, warnings=(*volume.warnings, *(f"{path}: {told}" for told in doubts(volume))))


def centred(volume: Volume, peaks: Sequence[Peak]) -> Volume:
    """Return the volume with these peaks moved to the centre, along a circle.

    Where zero frequency was at index 0, the centre of the image may have been, too: then it is moved as well, if most
    of the image's energy says so.
    """
    shift = {peak.axis: peak.shift for peak in peaks}
    moved = _rolled(volume, shift.get(0, 0), shift.get(1, 0))
    axes = tuple(peak.axis for peak in peaks if peak.in_corner)
    swapped = tuple(axis for axis in axes if _is_swapped(moved, axis))
    return _swapped(moved, swapped) if swapped else moved


def _rolled(volume: Volume, y: int, x: int) -> Volume:
    mask = volume.mask.roll(x, -1) if volume.mask.ndim == 2 else volume.mask.roll((y, x), (-2, -1))
    lines, encoded, width = volume.mask.ndim == 2, volume.encoded_lines, volume.mask.shape[-1]
    if lines and x:
        first, last = np.flatnonzero(mask.any(0).numpy())[[0, -1]].tolist()
        encoded = min(width, lines_around_dc(first, last, width))
    return replace(
        volume,
        kspace=Slices(len(volume), partial(_rolled_slice, volume.kspace, y, x)),
        mask=mask,
        encoded_lines=encoded,
        fully_sampled=lines and all(is_full(pattern, encoded) for pattern in mask.numpy()),
        calibration=None if volume.calibration is None else _rolled(volume.calibration, y, x),
    )


def _rolled_slice(kspace: Sequence[Tensor], y: int, x: int, index: int) -> Tensor:
    return kspace[index].roll((y, x), (-2, -1))


def _is_swapped(volume: Volume, axis: int) -> bool:
    """Whether the outer halves of the image along an axis hold more energy than the inner half."""
    images = (ifft2c(volume.measured(i)[0]) for i in spread(len(volume), MOST_SLICES))
    profile = np.sum([image.abs().square().sum((0, 1)).sum(1 - axis).numpy() for image in images], axis=0)
    n = len(profile)
    return bool(2 * profile[n // 4 : n // 4 + n // 2].sum() < profile.sum())


def _swapped(volume: Volume, axes: Sequence[int]) -> Volume:
    calibration = None if volume.calibration is None else _swapped(volume.calibration, axes)
    kspace = Slices(len(volume), partial(_swapped_slice, volume.kspace, tuple(axis - 2 for axis in axes)))
    return replace(volume, kspace=kspace, calibration=calibration)


def _swapped_slice(kspace: Sequence[Tensor], dims: tuple[int, ...], index: int) -> Tensor:
    return fft2c(torch.fft.fftshift(ifft2c(kspace[index]), dim=dims))
