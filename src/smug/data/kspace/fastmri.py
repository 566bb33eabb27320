"""K-space in HDF5 as fastMRI publishes it (Zbontar et al. 2018), and the conventions that go with it."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from smug.data.geometry import Geometry
from smug.data.hdf5 import dataset, opened, text
from smug.data.kspace.header import Header, parse_header
from smug.data.kspace.sampling import (
    Pattern,
    check_mask,
    common,
    differ,
    encoded_lines,
    is_full,
    lines_around_dc,
    measured,
    of_slices,
    readout_cropped,
    signal,
)
from smug.data.kspace.stored import Stored, stored_kspace
from smug.data.kspace.volume import Volume, unknown_size
from smug.data.slices import Slices, spread
from smug.system.words import printable

KEPT_ATTRIBUTES = ("acquisition", "source")
"""What is kept of a file's attributes; those that may name a patient are not."""

NEGLIGIBLE = 1e-6
"""Energy of a line, relative to that of others, below which it is what rounding leaves of zeros."""

REFERENCES = ("reconstruction_rss", "reconstruction_esc")
"""Data sets of reference images, whose size is that of the cropped image."""


def read_fastmri(path: str | Path) -> Volume:
    """Read a fastMRI file, multi-coil or single-coil, fully sampled or with its ``mask``.

    ``kspace`` is complex ``(slices, coils, readout, phase)``, or without coils, with ``image =
    fftshift(ifft2(ifftshift(kspace), norm="ortho"))``; real and imaginary parts may be a last axis or records of two
    numbers, as MATLAB writes them: see :mod:`smug.data.kspace.stored`. ``mask``, which may be absent, is ``(phase,)``
    or ``(readout, phase)``; without it the slices may have lines of their own. The readout is cropped to the size of
    ``reconstruction_rss``, or else to the matrix size of ``ismrmrd_header``; along the phase the reconstructed image
    is. Lines outside the header's encoding limits and lines that are zero in all slices and coils are not measurements,
    whatever the mask says. A header may be absent or empty, and what it does not state is not needed. Slices are read
    when needed.

    Raises FileNotFoundError, and ValueError for any other file that is not of this form.
    """
    path = Path(path)
    with opened(path) as file:
        stored = stored_kspace(file, "kspace")
        shape = stored.shape
        given = _read_mask(file, shape[-2:], stored.matlab)
        header = _read_header(file)
        _check_order(file, header, shape)
        crop = _crop(file, header, shape[-2:])
        attributes = {name: str(file.attrs[name])[:200] for name in KEPT_ATTRIBUTES if name in file.attrs}
    warnings = [*(f"{path}: {warning}" for warning in stored.warnings), *header.warnings]
    entries = _entries(path, stored)
    found: Pattern = np.any(entries, axis=0)
    if given is not None and _is_along_readout(given, found):
        given = np.repeat(given[:, None], shape[-1], axis=1)
        warnings.append(f"{path}: the mask is taken to be along the first axis of k-space, whose rows it describes")
    pattern = measured(found, given)
    limits = _encoding_limits(header, shape[-1])
    if limits is not None and _is_beyond(pattern, limits, _slices(path, stored, shape[-2])):
        told = f"the header's encoding limits say lines {limits[0]} to {limits[1]}"
        warnings.append(f"{path}: {told}, but there are others: the limits are ignored")
        limits = None
    if limits is not None:
        pattern = pattern & _within(limits, shape[-1])
    if not pattern.any():
        raise ValueError(f"{path}: kspace: expected measurements, got only zeros where the mask samples")
    own = of_slices(entries & np.broadcast_to(pattern, entries.shape[1:]))
    mask = own if given is None and own.ndim == pattern.ndim + 1 and differ(own) else pattern[None]
    lines, encoded = pattern.ndim == 1, shape[-1]
    if lines:
        encoded = encoded_lines(pattern, given) if limits is None else lines_around_dc(*limits, shape[-1])
    # points of a two-dimensional mask are not those of a cropped readout
    rows = min(crop[0], shape[-2]) if lines else shape[-2]
    x, y, z = _voxel_size(header, shape, crop)
    return Volume(
        name=printable(path.stem),
        kspace=_slices(path, stored, rows),
        mask=common(mask),
        encoded_lines=encoded,
        fully_sampled=lines and all(is_full(each, encoded) for each in mask),
        crop=crop,
        geometry=Geometry.spaced(y=x or 1.0, x=y or 1.0, z=z or 1.0),
        attributes={**attributes, **unknown_size((x, y, z))},
        format="HDF5 of MATLAB" if stored.matlab else "HDF5 as of fastMRI",
        warnings=tuple(warnings),
    )


def _slices(path: Path, stored: Stored, rows: int) -> Slices[Tensor]:
    """The slices of ``kspace``, complex64 ``(coil, y, x)``, of whose readout the central ``rows`` pixels are kept."""
    return Slices(stored.shape[0], partial(_read_slice, path, stored, rows))


def _read_slice(path: Path, stored: Stored, rows: int, index: int) -> Tensor:
    with opened(path) as file, np.errstate(over="ignore"):  # infinite values are refused when the file is read
        values = torch.from_numpy(np.ascontiguousarray(stored.read(file, index)))
    return readout_cropped(values, rows)


def _entries(path: Path, stored: Stored) -> Pattern:
    """The entries that are not zero in all coils, ``(slices, y, x)``; raises ValueError without any."""
    where = f"{path}: kspace"
    check_mask((stored.shape[0], *stored.shape[-2:]), where)
    found = np.stack([signal(values, where).numpy() for values in _slices(path, stored, stored.shape[-2])])
    if not found.any():
        raise ValueError(f"{where}: expected measurements, got only zeros")
    return found


def _read_mask(file: Any, shape: tuple[int, ...], matlab: bool) -> Pattern | None:
    """``mask`` as bool ``(x,)`` or ``(y, x)``; None where there is none."""
    found = dataset(file, "mask")
    if found is None:
        return None
    where = f"{file.filename}: mask"
    sizes = tuple(reversed(found.shape)) if matlab else found.shape
    if sizes != shape:
        sizes = tuple(n for n in sizes if n > 1) or (1,)
    if sizes not in (shape, shape[1:]):
        raise ValueError(f"{where}: expected shape {shape[1:]} or {shape}, like kspace, got {found.shape}")
    values = (found[()].T if matlab else found[()]).reshape(sizes)
    if not np.isin(values, (0, 1)).all():
        raise ValueError(f"{where}: expected 0 (not sampled) and 1 (sampled) only, got other values")
    if not values.any():
        raise ValueError(f"{where}: expected sampled lines, got none")
    return np.asarray(values, dtype=bool)


def _read_header(file: Any) -> Header:
    """The header; one that states nothing where there is none."""
    return parse_header(text(file, "ismrmrd_header") or "", f"{file.filename}: ismrmrd_header")


def _check_order(file: Any, header: Header, shape: tuple[int, ...]) -> None:
    """Raise ValueError where references or the header tell that the first axes are not slices and coils."""
    where, slices = f"{file.filename}: kspace", None
    for name in REFERENCES:
        found = dataset(file, name)
        if found is not None and found.ndim in (2, 3) and slices is None:
            slices = found.shape[0] if found.ndim == 3 else 1
    if slices is None or shape[0] == slices:
        coils_first = len(shape) == 4 and header.channels == shape[0] != shape[1]
        if slices is None and coils_first and header.slices == shape[1]:
            slices = shape[1]
        else:
            return
    if len(shape) == 4 and shape[1] == slices:
        raise ValueError(f"{where}: expected (slices, coils, y, x), got {shape} of {slices} slices: transpose it")
    if len(shape) == 3 and slices == 1:
        raise ValueError(f"{where}: expected (slices, coils, y, x), got {shape} of one slice: store kspace[None]")


def _is_along_readout(given: Pattern, found: Pattern) -> bool:
    """Whether a line mask of a square matrix describes the rows that are sampled, and not the columns."""
    is_square = given.ndim == 1 and found.shape[0] == found.shape[1]
    rows, columns = found.any(1), found.any(0)
    return bool(is_square and not given.all() and columns.all() and (rows == given).all())


def _within(limits: tuple[int, int], width: int) -> Pattern:
    index = np.arange(width)
    return (index >= limits[0]) & (index <= limits[1])


def _is_beyond(pattern: Pattern, limits: tuple[int, int], kspace: Slices[Tensor]) -> bool:
    """Whether lines outside the limits were measured: they hold more than what rounding leaves of zeros."""
    lines = np.any(pattern.reshape(-1, pattern.shape[-1]), axis=0)
    inside = _within(limits, len(lines))
    if not (lines & ~inside).any():
        return False
    if not (lines & inside).any():
        return True
    some = [kspace[i].abs().double().square().sum((0, 1)).numpy() for i in spread(len(kspace), 8)]
    power = np.sum(some, axis=0)
    return bool(power[lines & ~inside].max() > NEGLIGIBLE * np.median(power[lines & inside]))


def _crop(file: Any, header: Header, shape: tuple[int, ...]) -> tuple[int, int]:
    """The size of the image, as fastMRI has it: of a matrix that is too narrow a square is kept."""
    size = shape[0], shape[1]
    references = [found for name in REFERENCES if (found := dataset(file, name)) is not None and found.ndim == 3]
    if references:
        size = references[0].shape[1], references[0].shape[2]
    else:
        size = _pixels(header, 0, shape[0]), _pixels(header, 1, shape[1])
    if size[1] > shape[1]:
        size = shape[1], shape[1]
    return max(1, min(size[0], shape[0])), max(1, size[1])


def _pixels(header: Header, axis: int, stored: int) -> int:
    """The pixels of the image along an axis of so many samples, not more than a field of view has where that is told.

    The image's own matrix may be interpolated.
    """
    matrix, inner, outer = header.recon.matrix[axis], header.recon.field_of_view[axis], _extent(header, axis, stored)
    inside = round(stored * inner / outer) if inner and outer else matrix
    if matrix and inside and abs(inside - matrix) > 1:
        return inside
    return matrix or header.pixels_kept(axis, stored)


def _extent(header: Header, axis: int, stored: int) -> float | None:
    """The field of view of k-space in mm, where the header's matrix is that of the samples."""
    return header.encoded.field_of_view[axis] if header.encoded.matrix[axis] == stored else None


def _voxel_size(
    header: Header, shape: tuple[int, ...], crop: tuple[int, int]
) -> tuple[float | None, float | None, float | None]:
    """The size of a voxel along x (readout), y and z in mm: that of the samples, for these are transformed.

    They stand for a matrix that is not stated.
    """
    x, y, z = header.voxel_size
    x, y = (
        extent / stored if (extent := _extent(header, axis, stored)) else known
        for axis, (stored, known) in enumerate(zip(shape[-2:], (x, y), strict=True))
    )
    pixels = ((header.encoded, shape[-2:]), (header.recon, crop))
    for space, sizes in pixels:
        x, y = (
            known or (extent / size if extent else None)
            for known, extent, size in zip((x, y), space.field_of_view[:2], sizes, strict=True)
        )
    return x, y, z


def _encoding_limits(header: Header, width: int) -> tuple[int, int] | None:
    """The first and last line that were encoded, where the header tells; the others are zero padding."""
    limits = header.lines
    if limits is None or header.encoded.matrix[1] != width:
        return None
    first = width // 2 - limits.middle
    last = first + limits.maximum
    return (first, last) if 0 <= first <= width // 2 <= last < width else None
