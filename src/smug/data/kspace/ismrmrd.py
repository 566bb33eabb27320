"""Raw data of scanners in the ISMRM raw data format (Inati et al. 2017), two-dimensional."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smug.data.geometry import Geometry
from smug.data.hdf5 import groups, opened
from smug.data.kspace.acquisitions import grouped
from smug.data.kspace.encoding import Grid, grid_of
from smug.data.kspace.frames import FRAME, Groups, frames_of, separate_slices
from smug.data.kspace.gain import in_units_of_images
from smug.data.kspace.header import Header
from smug.data.kspace.ismrmrd_samples import samples_volume
from smug.data.kspace.lines import Measurement, StoredLines, stored_lines
from smug.data.kspace.noise_scan import prewhitening
from smug.data.kspace.non_cartesian import NonCartesianVolume
from smug.data.kspace.places import directions, sort_slices, unplaced
from smug.data.kspace.pools import Pools, masks_of
from smug.data.kspace.positions import SliceOrder
from smug.data.kspace.purposes import Purposes
from smug.data.kspace.raw_data import RawData, raw_data
from smug.data.kspace.repeats import unlike_repeats
from smug.data.kspace.sampling import is_full, lines_around_dc
from smug.data.kspace.volume import Volume, crop_corner, unknown_size
from smug.physics.maps.calibration import MAX_CALIBRATION
from smug.system.words import printable

CONTRAST = ("slice", "contrast", "set")
"""The counters within which calibration lines are averaged: signal and its phase depend on them."""


def is_ismrmrd(file: Any) -> bool:
    """Tell whether an open HDF5 file is one of ISMRMRD rather than of fastMRI."""
    return "kspace" not in file and bool(_measurements(file))


def read_ismrmrd(path: str | Path, slices: SliceOrder = "checked") -> Volume | NonCartesianVolume:
    """Read an ISMRMRD file of a two-dimensional, single- or multi-slice acquisition.

    One whose header states another trajectory than a Cartesian one, or whose header states none and whose samples have
    coordinates that are not Cartesian, is read along these coordinates: see
    :func:`smug.data.kspace.ismrmrd_samples.samples_volume`.

    Of Cartesian ones readout oversampling is removed. Lines that were repeated or averaged are averaged; contrasts,
    cardiac phases, repetitions and sets are frames, in the order of these counters. Lines that are zero are not
    measured. An asymmetric echo makes a two-dimensional mask. Of the header only what reconstruction needs is needed,
    see :func:`smug.data.kspace.encoding.grid_of`. Slices that lie at several places but share a counter are told apart,
    and slices whose counters run neither along nor against their normal are sorted along it, unless ``slices`` is
    "by-counter".

    Coil maps are estimated from the lines that the scanner flags as calibration, else from all lines; of either kind
    the mean over repetitions and cardiac phases is used. A noise measurement prewhitens the channels (see
    :mod:`smug.data.kspace.prewhitening`) and gives ``noise_sigma``: its variance times the ratio of dwell times, over
    ``relativeReceiverNoiseBandwidth`` where the header states it. Where it cannot, ``attributes["prewhitening"]`` says
    why, and the channels stay as they are.

    Slices are read when needed. Raises FileNotFoundError, and ValueError for other files, for damaged ones and for what
    is not supported (EPI, three-dimensional encoding, images of several encoding spaces) or not certain (slices that
    differ in position but not in counter, and are not whole).
    """
    path = Path(path)
    with opened(path) as file:
        name = _group(file)
        raw = raw_data(file[name], f"{path}: {name}")
        return (_lines_volume if raw.is_cartesian else samples_volume)(raw, printable(path.stem), slices)


def _lines_volume(raw: RawData, name: str, order: SliceOrder) -> Volume:
    """Return the volume of a Cartesian acquisition."""
    grid = grid_of(raw.header, raw.head, raw.purposes.imaging, raw.where)
    measurement = Measurement(raw.table, raw.head, raw.signal, grid, raw.where)
    lines = np.union1d(raw.purposes.imaging, raw.purposes.calibration)
    separated = separate_slices(raw, lines, measurement.places - grid.lines // 2, grid.spacing[1], order)
    order_told = sort_slices(raw, raw.purposes.imaging, grid.spacing[1], order)
    groups = grouped(raw.head, raw.purposes.imaging, (*FRAME, "slice"))
    frames = frames_of(groups, raw.where)
    images = stored_lines(measurement, list(groups.values()))
    calibration = _calibration(measurement, raw.purposes, groups, images.readout.channels)
    white = prewhitening(raw, images.readout.channels, images.averages)
    mask, encoded = images.mask, _encoded_lines(images, raw.header, grid)
    first = raw.head[[rows[0] for rows in images.rows[: len(groups) // frames]]]
    geometry = _geometry(first, grid)
    volume = Volume(
        name=name,
        kspace=replace(images, whitening=white.matrix).kspace,
        mask=mask,
        encoded_lines=encoded,
        fully_sampled=mask.ndim == 2 and all(is_full(lines, encoded) for lines in mask.numpy()),
        crop=grid.image,
        geometry=geometry,
        frames=frames,
        noise_sigma=white.noise_sigma,
        attributes={**white.attributes, **order_told, **unknown_size(grid.spacing)},
        format="ISMRMRD",
        warnings=(
            *raw.header.warnings,
            *grid.warnings,
            *separated,
            *_repeated(measurement, images),
            *unplaced(geometry, first, raw.where),
            *_unused(raw),
        ),
    )
    if calibration is None:
        return volume
    pools, of = replace(calibration[0], whitening=white.matrix), calibration[1]
    kspace, mask = Pools(pools.kspace, of).kspace, masks_of(pools.mask, of)
    own = replace(volume, kspace=kspace, mask=mask, fully_sampled=False)
    separate = len(raw.purposes.calibration) > 0
    return replace(volume, calibration=in_units_of_images(volume, own) if separate else own)


def _measurements(file: Any) -> list[str]:
    """The groups that hold what a measurement consists of, or a part of it."""
    return [name for name, held in groups(file).items() if held & {"xml", "data"}]


def _group(file: Any) -> str:
    found = _measurements(file)
    if len(found) != 1:
        raise ValueError(
            f"{file.filename}: expected a group with one ISMRMRD measurement, got {', '.join(found[:8]) or 'none'}; "
            "h5copy takes one out of several"
        )
    return found[0]


def _repeated(measurement: Measurement, images: StoredLines) -> list[str]:
    """A warning about lines that are averaged although they differ."""
    share = unlike_repeats(measurement, images)
    if share is None:
        return []
    told = f"lines with the same counters differ by {share:.0%} of their energy and are averaged"
    return [f"{measurement.where}: {told}: the patient has moved, or counters are not set"]


def _unused(raw: RawData) -> list[str]:
    """A warning about calibration lines that do not serve."""
    count = raw.purposes.elsewhere
    told = f"{count} calibration lines of another encoding space are not used"
    return [f"{raw.where}: {told}"] if count else []


def _calibration(
    measurement: Measurement, purposes: Purposes, slices: Groups, channels: int
) -> tuple[StoredLines, list[int]] | None:
    """Pools of lines, and from which the coil maps of each slice are estimated; None if from the slice itself.

    Raises ValueError for another number of channels than that of the images.
    """
    head, imaging, flagged = measurement.head, purposes.imaging, purposes.calibration
    if np.isin(flagged, imaging).all() and len(grouped(head, imaging, CONTRAST)) == len(slices):
        return None
    source = flagged if len(flagged) else imaging
    from_dc = np.abs(measurement.places[source] - measurement.grid.lines // 2)
    pools = grouped(head, source[from_dc <= MAX_CALIBRATION // 2], CONTRAST)
    first = {key[0]: key for key in reversed(pools)}  # calibration may have been measured with one contrast only
    wanted = [(number, contrast, set_) for contrast, _, _, set_, number in slices]
    chosen = [key if key in pools else first.get(key[0]) for key in wanted]
    if None in chosen:
        return None
    stored = stored_lines(measurement, list(pools.values()))
    if stored.readout.channels != channels:
        raise ValueError(f"{measurement.where}: expected as many channels in the calibration lines as in the images")
    order = {key: i for i, key in enumerate(pools)}
    of_slice = [order[key] for key in chosen if key is not None]
    used, of = np.unique(of_slice, return_inverse=True)
    rows, places = (tuple(parts[i] for i in used) for parts in (stored.rows, stored.places))
    return replace(stored, rows=rows, places=places), of.tolist()


def _encoded_lines(images: StoredLines, header: Header, grid: Grid) -> int:
    """The lines of the scan around DC, those of the header's limits and those that there are."""
    limits, offset = header.lines, grid.lines // 2 - grid.central_line
    ends = (0, grid.lines - 1) if limits is None else (offset + limits.minimum, offset + limits.maximum)
    first = min(ends[0], *(int(places.min()) for places in images.places))
    last = max(ends[1], *(int(places.max()) for places in images.places))
    return min(grid.lines, lines_around_dc(first, last, grid.lines))


def _geometry(first: NDArray[np.void], grid: Grid) -> Geometry:
    """Where the cropped image is; ``first`` are the headers of one row of each slice."""
    y, x, z = (size or 1.0 for size in grid.spacing)
    row, column = crop_corner((grid.samples, grid.lines), grid.image)
    return Geometry.stacked(
        spacing=(x, y, z),
        directions=directions(first),
        centres=first["position"],
        centre=(grid.lines // 2 - column, grid.samples // 2 - row),
    )
