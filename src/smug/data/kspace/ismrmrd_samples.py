"""Samples of ISMRMRD along the coordinates that their acquisitions hold: radial, spiral, or any other in the plane."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from smug.data.geometry import Geometry
from smug.data.hdf5 import opened
from smug.data.kspace.acquisitions import Rows, acquisitions, coordinates, grouped, readouts
from smug.data.kspace.encoding import LAYOUT, common
from smug.data.kspace.frames import FRAME, frames_of, separate_slices
from smug.data.kspace.noise_scan import prewhitening
from smug.data.kspace.non_cartesian import NonCartesianVolume
from smug.data.kspace.places import directions, sort_slices, unplaced
from smug.data.kspace.positions import SliceOrder
from smug.data.kspace.raw_data import RawData
from smug.data.kspace.sampling import check_slice
from smug.data.kspace.trajectory_units import scaled
from smug.data.kspace.volume import unknown_size
from smug.data.slices import Slices

MAX_TRAJECTORY_BYTES = 2**31
"""Largest trajectory of all slices that is kept, in bytes."""


@dataclass(frozen=True, eq=False)
class StoredSamples:
    """The samples of slices, ``rows`` of the table in a file's ``group``, each of which has ``count``.

    Those from ``first`` to before ``last`` are kept. ``whitening`` ``(channel, channel)`` is applied to the channels.
    """

    path: Path
    group: str
    channels: int
    count: int
    first: int
    last: int
    rows: tuple[Rows, ...]
    whitening: Tensor | None

    def read(self, index: int) -> Tensor:
        """Read a slice, complex64 ``(coil, samples)``, readout after readout."""
        with opened(self.path) as file:
            blocks = readouts(acquisitions(file[self.group]), self.rows[index], self.channels, self.count)
            kept = np.concatenate([values[..., self.first : self.last] for _, values in blocks])
        samples = torch.from_numpy(kept.transpose(1, 0, 2).reshape(self.channels, -1))
        return samples if self.whitening is None else self.whitening @ samples


def samples_volume(raw: RawData, name: str, order: SliceOrder) -> NonCartesianVolume:
    """Return the volume of an acquisition that is not Cartesian, each sample at its coordinates.

    Their first belongs to the readout direction of the header, y of the image, their second to the phase direction, x.
    For their units see :mod:`smug.data.kspace.trajectory_units`. Samples are kept as they are: readouts may be
    oversampled, and repeated ones are not averaged; readouts of zeros are not measured, ``discard_pre`` and
    ``discard_post`` are left out. Slices and frames, their places and the noise scan are those of Cartesian files.
    Readouts that serve calibration alone are not used: coil maps come from the centre of the samples.

    Raises ValueError for acquisitions without coordinates, for those of other than two dimensions, for readouts of
    different lengths, and where the units of the coordinates cannot be told.
    """
    where, imaging = raw.where, raw.purposes.imaging
    dimensions = _dimensions(raw)
    channels, count, before, after = (common(raw.head, imaging, field, where) for field in LAYOUT)
    if channels < 1 or count - before - after < 1:
        raise ValueError(f"{where}: expected samples, got {channels} channels of {count} - {before} - {after}")
    readout = raw.head["idx"]["kspace_encode_step_1"].astype(np.intp)
    middle = (int(readout[imaging].min()) + int(readout[imaging].max())) // 2
    separated = separate_slices(raw, imaging, readout - middle, None, order)
    order_told = sort_slices(raw, imaging, None, order)
    groups = grouped(raw.head, imaging, (*FRAME, "slice"))
    frames = frames_of(groups, where)
    rows = tuple(r[raw.signal[r]] if raw.signal[r].any() else r for r in groups.values())
    for each in rows:
        check_slice((channels, len(each), count), where)
    if 16 * count * sum(map(len, rows)) > MAX_TRAJECTORY_BYTES:
        raise ValueError(f"{where}: got {len(imaging)} readouts of {count} samples, too many for one file: split it")
    points = [_points(raw, each, dimensions, count)[:, before : count - after] for each in rows]
    trajectory, scale = scaled(points, raw.header, where)
    white = prewhitening(raw, channels, averages=1)
    path, group = Path(raw.table.file.filename), raw.table.parent.name
    stored = StoredSamples(path, group, channels, count, before, count - after, rows, white.matrix)
    firsts = raw.head[[each[0] for each in rows[: len(rows) // frames]]]
    geometry = _geometry(firsts, scale.shape, scale.spacing)
    unused = len(np.setdiff1d(raw.purposes.calibration, imaging))
    return NonCartesianVolume(
        name=name,
        kspace=Slices(len(rows), stored.read),
        trajectory=trajectory,
        shape=scale.shape,
        frames=frames,
        geometry=geometry,
        noise_sigma=white.noise_sigma,
        attributes={
            "trajectory": f"{raw.header.trajectory or 'not named'}, {scale.told}",
            **white.attributes,
            **order_told,
            **({"calibration": f"{unused} readouts for calibration alone are not used"} if unused else {}),
            **unknown_size(scale.spacing),
        },
        format="ISMRMRD",
        warnings=(*raw.header.warnings, *separated, *scale.warnings, *unplaced(geometry, firsts, where)),
    )


def _dimensions(raw: RawData) -> int:
    """Return how many coordinates a sample has; raises ValueError unless they can be those of a plane."""
    found = np.unique(raw.head["trajectory_dimensions"][raw.purposes.imaging]).tolist()
    stated = f"{raw.where}: the header states a trajectory {raw.header.trajectory!r}"
    if found == [0]:
        raise ValueError(
            f"{stated}, and the acquisitions hold no coordinates of their samples: expected traj with "
            "trajectory_dimensions 2; write them into the file, or samples and trajectory as BART's .cfl, which "
            "--trajectory reads"
        )
    if len(found) > 1 or found[0] not in (2, 3):
        listed = ", ".join(map(str, found[:4]))
        raise ValueError(f"{stated}: trajectory_dimensions: expected 2 in all acquisitions of the image, got {listed}")
    dimensions: int = found[0]
    return dimensions


def _points(raw: RawData, rows: Rows, dimensions: int, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the coordinates of a slice, ``(readout, sample, 2)``; raises ValueError where a third is not 0."""
    found = coordinates(raw.table, rows, dimensions, count)
    if found[..., 2:].any():
        raise ValueError(
            f"{raw.where}: three-dimensional trajectories are not supported: got a third coordinate up to "
            f"{np.abs(found[..., 2:]).max():.3g}, expected two, or a third of 0; density weights, which some programs "
            "write there, are not needed: leave them out"
        )
    return found[..., :2]


def _geometry(
    firsts: np.ndarray[tuple[int, ...], np.dtype[np.void]],
    shape: tuple[int, int],
    spacing: Sequence[float | None],
) -> Geometry:
    """Where the image is; ``firsts`` are the headers of one row of each slice."""
    y, x, z = (size or 1.0 for size in spacing)
    return Geometry.stacked(
        spacing=(x, y, z),
        directions=directions(firsts),
        centres=firsts["position"],
        centre=(shape[1] // 2, shape[0] // 2),
    )
