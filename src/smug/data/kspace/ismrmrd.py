"""Raw data of scanners in the ISMRM raw data format (Inati et al. 2017), Cartesian and two-dimensional."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smug.data.geometry import Geometry
from smug.data.hdf5 import groups, opened, text
from smug.data.kspace.acquisitions import Rows, acquisitions, grouped, read_heads, readouts
from smug.data.kspace.encoding import Grid, grid_of
from smug.data.kspace.header import Header, parse_header
from smug.data.kspace.lines import Measurement, StoredLines, stored_lines
from smug.data.kspace.positions import SliceOrder, renumbered
from smug.data.kspace.prewhitening import noise_covariance, noise_variance, whitening_matrix
from smug.data.kspace.sampling import is_full, lines_around_dc
from smug.data.kspace.volume import Volume, crop_corner, unknown_size
from smug.physics.maps.calibration import MAX_CALIBRATION


def _flags(*numbers: int) -> np.uint64:
    """The bits of flags, which ISMRMRD numbers from 1."""
    return np.uint64(sum(1 << (number - 1) for number in numbers))


NOISE = _flags(19)
CALIBRATION = _flags(20)
CALIBRATION_AND_IMAGING = _flags(21)
REVERSE = _flags(22)
COMPRESSED = _flags(53, 54, 55, 56)
NOT_IMAGING = _flags(23, 24, 26, 27, 28, 29, 30, 31)
"""Navigators, phase correction, feedback, dummy scans, surface coil correction, phase stabilisation."""

FRAME = ("contrast", "phase", "repetition", "set")
"""The counters whose values make a frame each."""

CONTRAST = ("slice", "contrast", "set")
"""The counters within which calibration lines are averaged: signal and its phase depend on them."""

Groups = Mapping[tuple[int, ...], Rows]
"""Rows by the values of counters."""


def is_ismrmrd(file: Any) -> bool:
    """Tell whether an open HDF5 file is one of ISMRMRD rather than of fastMRI."""
    return "kspace" not in file and bool(_measurements(file))


def read_ismrmrd(path: str | Path, slices: SliceOrder = "checked") -> Volume:
    """Read an ISMRMRD file of a Cartesian, two-dimensional, single- or multi-slice acquisition.

    Readout oversampling is removed. Lines that were repeated or averaged are averaged; contrasts, cardiac phases,
    repetitions and sets are frames, in the order of these counters. Lines that are zero are not measured. An
    asymmetric echo makes a two-dimensional mask. Of the header only what reconstruction needs is needed, see
    :func:`smug.data.kspace.encoding.grid_of`. Slices that lie at several places but share a counter are told apart,
    unless ``slices`` is "by-counter".

    Coil maps are estimated from the lines that the scanner flags as calibration, else from all lines; of either kind
    the mean over repetitions and cardiac phases is used. A noise measurement prewhitens the channels (see
    :mod:`smug.data.kspace.prewhitening`) and gives ``noise_sigma``: its variance times the ratio of dwell times, over
    ``relativeReceiverNoiseBandwidth`` where the header states it. Where it cannot, ``attributes["prewhitening"]`` says
    why, and the channels stay as they are.

    Slices are read when needed. Raises FileNotFoundError, and ValueError for other files, for damaged ones and for what
    is not supported (other trajectories, EPI, three-dimensional encoding, images of several encoding spaces) or not
    certain (slices that differ in position but not in counter, and are not whole).
    """
    path = Path(path)
    with opened(path) as file:
        name = _group(file)
        where = f"{path}: {name}"
        table = acquisitions(file[name])
        head, signal, direction = read_heads(table)
        imaging, flagged, noise = _kinds(head, where)
        header = _header(file[name], head, imaging, direction, where)
        if not signal[imaging].any():
            raise ValueError(f"{where}: expected measurements, got only zeros")
        grid = grid_of(header, head, imaging, where)
        warnings = [*header.warnings, *grid.warnings]
        measurement = Measurement(table, head, signal, grid, where)
        warnings += _tell_apart(measurement, imaging, flagged, slices)
        groups = grouped(head, imaging, (*FRAME, "slice"))
        frames = _frames(groups, where)
        images = stored_lines(measurement, list(groups.values()))
        calibration = _calibration(measurement, imaging, flagged, groups)
        if calibration is not None and calibration.readout.channels != images.readout.channels:
            raise ValueError(f"{where}: expected as many channels in the calibration lines as in the images")
        whitening, noise_sigma, attributes = _prewhitening(measurement, header, imaging, noise, images)

    images, mask = replace(images, whitening=whitening), images.mask
    encoded = _encoded_lines(images, header, grid)
    volume = Volume(
        name=path.stem,
        kspace=images.kspace,
        mask=mask,
        encoded_lines=encoded,
        fully_sampled=mask.ndim == 2 and all(is_full(lines, encoded) for lines in mask.numpy()),
        crop=grid.image,
        geometry=_geometry(head[[rows[0] for rows in images.rows[: len(groups) // frames]]], grid),
        frames=frames,
        noise_sigma=noise_sigma,
        attributes={**attributes, **unknown_size(grid.spacing)},
        format="ISMRMRD",
        warnings=tuple(warnings),
    )
    if calibration is None:
        return volume
    calibration = replace(calibration, whitening=whitening)
    return replace(
        volume,
        calibration=replace(volume, kspace=calibration.kspace, mask=calibration.mask, fully_sampled=False),
    )


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


def _kinds(head: NDArray[np.void], where: str) -> tuple[Rows, Rows, Rows]:
    """The rows of images, of calibration (some are both), and of noise."""
    flags, space = head["flags"], head["encoding_space_ref"]
    noise = flags & NOISE != 0
    useful = ~noise & (flags & NOT_IMAGING == 0)
    calibration = useful & (flags & (CALIBRATION | CALIBRATION_AND_IMAGING) != 0)
    imaging = useful & ((flags & CALIBRATION == 0) | (flags & CALIBRATION_AND_IMAGING != 0))
    if not imaging.any():
        raise ValueError(f"{where}: expected acquisitions of an image, got only noise, calibration, navigators, ...")
    spaces = np.unique(space[imaging]).tolist()
    if len(spaces) > 1:
        raise ValueError(f"{where}: images of several encoding spaces {spaces[:4]} are not supported: expected one")
    calibration &= space == spaces[0]
    if (flags[imaging | calibration] & REVERSE != 0).any():
        raise ValueError(f"{where}: EPI (readouts in reverse) is not supported: expected one direction")
    if (flags & COMPRESSED != 0).any():
        raise ValueError(f"{where}: compressed samples are not supported: expected single-precision values")
    return np.flatnonzero(imaging), np.flatnonzero(calibration), np.flatnonzero(noise)


def _header(group: Any, head: NDArray[np.void], imaging: Rows, direction: NDArray[np.intp], where: str) -> Header:
    """Return the header; raises ValueError unless the acquisition is Cartesian and two-dimensional.

    A trajectory that is not stated is Cartesian, unless the samples' own coordinates say otherwise.
    """
    xml = text(group, "xml")
    if xml is None:
        raise ValueError(f"{where}: expected the ISMRMRD header 'xml', got none")
    header = parse_header(xml, f"{where}/xml", int(head["encoding_space_ref"][imaging[0]]))
    if header.trajectory not in ("cartesian", ""):
        raise ValueError(f"{where}: trajectory {header.trajectory!r} is not supported: expected 'cartesian'")
    found = np.unique(direction[imaging])
    if (found < 0).any() or len(found[found > 0]) > 1:
        raise ValueError(
            f"{where}: the trajectory of the samples is not Cartesian, which is not supported: expected readouts along "
            "one axis"
        )
    if (header.encoded.matrix[2] or 1) > 1 or head["idx"]["kspace_encode_step_2"][imaging].any():
        raise ValueError(
            f"{where}: three-dimensional encoding is not supported, got a matrix of {header.encoded.matrix}: "
            "expected two-dimensional slices; transform along the partitions first"
        )
    return header


def _tell_apart(measurement: Measurement, imaging: Rows, flagged: Rows, order: SliceOrder) -> list[str]:
    """Renumber slices that lie at several places but share a counter; return warnings."""
    head, grid, where = measurement.head, measurement.grid, measurement.where
    from_dc = measurement.places - grid.lines // 2
    groups = grouped(head, np.union1d(imaging, flagged), (*FRAME, "slice"))
    try:
        numbers, told = renumbered(head, [*groups.values()], from_dc, grid.spacing[1], order)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    rows = np.fromiter(numbers, dtype=np.intp)
    head["idx"]["slice"][rows] = np.fromiter(numbers.values(), dtype=np.intp)
    return [f"{where}: {told}"] if told else []


def _frames(slices: Groups, where: str) -> int:
    """Return the number of frames; raises ValueError where one lacks a slice."""
    frames, numbers = ({key[part] for key in slices} for part in (slice(0, -1), slice(-1, None)))
    if len(slices) != len(frames) * len(numbers):
        frame, number = next((f, n) for f in sorted(frames) for n in sorted(numbers) if (*f, *n) not in slices)
        told = ", ".join(f"{name} {value}" for name, value in zip((*FRAME, "slice"), (*frame, *number), strict=True))
        raise ValueError(f"{where}: expected all slices of every frame, got no lines of {told}")
    return len(frames)


def _calibration(measurement: Measurement, imaging: Rows, flagged: Rows, slices: Groups) -> StoredLines | None:
    """The lines that the coil maps of each slice are estimated from; None if they are those of the slice itself."""
    head = measurement.head
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
    order = {key: i for i, key in enumerate(pools)}
    of_slice = [order[key] for key in chosen if key is not None]
    rows, places = (tuple(parts[i] for i in of_slice) for parts in (stored.rows, stored.places))
    return replace(stored, rows=rows, places=places)


def _prewhitening(
    measurement: Measurement, header: Header, imaging: Rows, noise: Rows, images: StoredLines
) -> tuple[Tensor | None, float | None, dict[str, str]]:
    """The matrix that whitens the channels, the noise per part of the whitened images, and attributes about it."""
    head, channels = measurement.head, images.readout.channels
    if len(noise) == 0:
        return None, None, {}
    if (head["active_channels"][noise] != channels).any():
        return None, None, {"prewhitening": "none: the noise measurement has other channels than the images"}
    psi, samples = noise_covariance(_noise(measurement, noise, channels))
    try:
        whitening = torch.from_numpy(whitening_matrix(psi, samples))
    except ValueError as reason:
        return None, None, {"prewhitening": f"none: {reason}"}
    bandwidth = header.noise_bandwidth or 1.0
    variance = noise_variance(psi) * _dwell_time(head, noise) / _dwell_time(head, imaging) / bandwidth
    sigma = math.sqrt(variance / images.averages) if images.averages and variance < math.inf else None
    return whitening, sigma, {"prewhitening": f"from {samples} noise samples per channel"}


def _noise(measurement: Measurement, rows: Rows, channels: int) -> Iterator[NDArray[np.complex64]]:
    """The noise readouts of each length."""
    lengths = measurement.head["number_of_samples"][rows]
    for samples in np.unique(lengths).tolist():
        yield from (values for _, values in readouts(measurement.table, rows[lengths == samples], channels, samples))


def _dwell_time(head: NDArray[np.void], rows: Rows) -> float:
    """The time per sample that these rows have in common; NaN if there is none."""
    times = np.unique(head["sample_time_us"][rows])
    return float(times[0]) if len(times) == 1 and 0 < times[0] < np.inf else math.nan


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
    height, _ = grid.image
    column = crop_corner((height, grid.lines), grid.image)[1]
    return Geometry.stacked(
        spacing=(x, y, z),
        directions=np.stack([first["phase_dir"], first["read_dir"], first["slice_dir"]], axis=1),
        centres=first["position"],
        centre=(grid.lines // 2 - column, height // 2),
    )
