"""Raw data of scanners in the ISMRM raw data format (Inati et al. 2017), Cartesian and two-dimensional."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

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
from smug.data.kspace.purposes import Purposes, purposes_of
from smug.data.kspace.repeats import unlike_repeats
from smug.data.kspace.sampling import is_full, lines_around_dc
from smug.data.kspace.volume import Volume, crop_corner, unknown_size
from smug.physics.maps.calibration import MAX_CALIBRATION

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
        measurement, header, purposes, warnings = _checked(file[name], f"{path}: {name}", slices)
        groups = grouped(measurement.head, purposes.imaging, (*FRAME, "slice"))
        frames = _frames(groups, measurement.where)
        images = stored_lines(measurement, list(groups.values()))
        warnings += _repeated(measurement, images)
        calibration = _calibration(measurement, purposes, groups, images.readout.channels)
        prewhitening = _prewhitening(measurement, header, purposes, images)

    mask, grid, encoded = images.mask, measurement.grid, _encoded_lines(images, header, measurement.grid)
    volume = Volume(
        name=path.stem,
        kspace=replace(images, whitening=prewhitening.matrix).kspace,
        mask=mask,
        encoded_lines=encoded,
        fully_sampled=mask.ndim == 2 and all(is_full(lines, encoded) for lines in mask.numpy()),
        crop=grid.image,
        geometry=_geometry(measurement.head[[rows[0] for rows in images.rows[: len(groups) // frames]]], grid),
        frames=frames,
        noise_sigma=prewhitening.noise_sigma,
        attributes={**prewhitening.attributes, **unknown_size(grid.spacing)},
        format="ISMRMRD",
        warnings=tuple(warnings),
    )
    if calibration is None:
        return volume
    lines = replace(calibration, whitening=prewhitening.matrix)
    return replace(volume, calibration=replace(volume, kspace=lines.kspace, mask=lines.mask, fully_sampled=False))


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


def _checked(group: Any, where: str, order: SliceOrder) -> tuple[Measurement, Header, Purposes, list[str]]:
    """Read the whole table of a group and its header; return them with what rows are for, and warnings.

    Raises ValueError unless they are those of a Cartesian, two-dimensional acquisition with signal.
    """
    table = acquisitions(group)
    head, signal, direction = read_heads(table)
    purposes = purposes_of(head, where)
    header = _header(group, head, purposes.imaging, direction, where)
    if not signal[purposes.imaging].any():
        raise ValueError(f"{where}: expected measurements, got only zeros")
    grid = grid_of(header, head, purposes.imaging, where)
    measurement = Measurement(table, head, signal, grid, where)
    separated = _separate_slices(measurement, purposes, order)
    return measurement, header, purposes, [*header.warnings, *grid.warnings, *separated]


def _header(group: Any, head: NDArray[np.void], imaging: Rows, direction: NDArray[np.intp], where: str) -> Header:
    """Return the header; raises ValueError unless the acquisition is Cartesian and two-dimensional.

    A trajectory that is not stated is Cartesian, unless the samples' own coordinates say otherwise.
    """
    header = parse_header(text(group, "xml") or "", f"{where}/xml", int(head["encoding_space_ref"][imaging[0]]))
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


def _separate_slices(measurement: Measurement, purposes: Purposes, order: SliceOrder) -> list[str]:
    """Renumber, in the headers, slices that lie at several places but share a counter; return warnings."""
    head, grid, where = measurement.head, measurement.grid, measurement.where
    from_dc = measurement.places - grid.lines // 2
    groups = grouped(head, np.union1d(purposes.imaging, purposes.calibration), (*FRAME, "slice"))
    try:
        numbers, warning = renumbered(head, [*groups.values()], from_dc, grid.spacing[1], order)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    rows = np.fromiter(numbers, dtype=np.intp)
    head["idx"]["slice"][rows] = np.fromiter(numbers.values(), dtype=np.intp)
    return [f"{where}: {warning}"] if warning else []


def _repeated(measurement: Measurement, images: StoredLines) -> list[str]:
    """A warning about lines that are averaged although they differ."""
    share = unlike_repeats(measurement, images)
    if share is None:
        return []
    told = f"lines with the same counters differ by {share:.0%} of their energy and are averaged"
    return [f"{measurement.where}: {told}: the patient has moved, or counters are not set"]


def _frames(slices: Groups, where: str) -> int:
    """Return the number of frames; raises ValueError where one lacks a slice."""
    frames, numbers = ({key[part] for key in slices} for part in (slice(0, -1), slice(-1, None)))
    if len(slices) != len(frames) * len(numbers):
        frame, number = next((f, n) for f in sorted(frames) for n in sorted(numbers) if (*f, *n) not in slices)
        missing = ", ".join(f"{name} {value}" for name, value in zip((*FRAME, "slice"), (*frame, *number), strict=True))
        raise ValueError(f"{where}: expected all slices of every frame, got no lines of {missing}")
    return len(frames)


def _calibration(measurement: Measurement, purposes: Purposes, slices: Groups, channels: int) -> StoredLines | None:
    """The lines that the coil maps of each slice are estimated from; None if they are those of the slice itself.

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
    rows, places = (tuple(parts[i] for i in of_slice) for parts in (stored.rows, stored.places))
    return replace(stored, rows=rows, places=places)


class Prewhitening(NamedTuple):
    """The ``matrix`` that whitens the channels, the noise per part of whitened images, and ``attributes`` about it."""

    matrix: Tensor | None
    noise_sigma: float | None
    attributes: dict[str, str]


def _prewhitening(measurement: Measurement, header: Header, purposes: Purposes, images: StoredLines) -> Prewhitening:
    """What a noise measurement, where there is one, makes of the channels."""
    head, channels, noise = measurement.head, images.readout.channels, purposes.noise
    if len(noise) == 0:
        return Prewhitening(None, None, {})
    if (head["active_channels"][noise] != channels).any():
        unlike = "none: the noise measurement has other channels than the images"
        return Prewhitening(None, None, {"prewhitening": unlike})
    psi, samples = noise_covariance(_noise(measurement, noise, channels))
    try:
        whitening = torch.from_numpy(whitening_matrix(psi, samples))
    except ValueError as reason:
        return Prewhitening(None, None, {"prewhitening": f"none: {reason}"})
    bandwidth = header.noise_bandwidth or 1.0
    variance = noise_variance(psi) * _dwell_time(head, noise) / _dwell_time(head, purposes.imaging) / bandwidth
    sigma = math.sqrt(variance / images.averages) if images.averages and variance < math.inf else None
    return Prewhitening(whitening, sigma, {"prewhitening": f"from {samples} noise samples per channel"})


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
