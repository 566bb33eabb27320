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
    encoded_lines,
    is_full,
    lines_around_dc,
    measured,
    nonzero,
    readout_cropped,
)
from smug.data.kspace.volume import Volume
from smug.data.slices import Slices

KEPT_ATTRIBUTES = ("acquisition", "source")
"""What is kept of a file's attributes; those that may name a patient are not."""

REFERENCES = ("reconstruction_rss", "reconstruction_esc")
"""Data sets of reference images, whose size is that of the cropped image."""


def read_fastmri(path: str | Path) -> Volume:
    """Read a fastMRI file, multi-coil or single-coil, fully sampled or with its ``mask``.

    ``kspace`` is complex ``(slices, coils, readout, phase)``, or without coils, with
    ``image = fftshift(ifft2(ifftshift(kspace), norm="ortho"))``; ``mask``, which may be absent, is ``(phase,)`` or
    ``(readout, phase)``. The readout is cropped to the size of ``reconstruction_rss``, or else to the matrix size of
    ``ismrmrd_header``; along the phase the reconstructed image is. Lines outside the header's encoding limits and lines
    that are zero in all slices and coils are not measurements, whatever the mask says. Slices are read when needed.

    Raises FileNotFoundError, and ValueError for any other file that is not of this form.
    """
    path = Path(path)
    with opened(path) as file:
        shape = _shape(file)
        given = _read_mask(file, shape[-2:])
        header = _read_header(file)
        crop = _crop(file, header, shape[-2:])
        attributes = {name: str(file.attrs[name])[:200] for name in KEPT_ATTRIBUTES if name in file.attrs}
    pattern = measured(nonzero(_slices(path, shape, shape[-2]), f"{path}: kspace"), given)
    limits = _encoding_limits(header, shape[-1])
    if limits is not None:
        index = np.arange(shape[-1])
        pattern = pattern & (index >= limits[0]) & (index <= limits[1])
    if not pattern.any():
        raise ValueError(f"{path}: kspace: expected measurements, got only zeros where the mask samples")
    lines, encoded = pattern.ndim == 1, shape[-1]
    if lines:
        encoded = encoded_lines(pattern, given) if limits is None else lines_around_dc(*limits, shape[-1])
    # points of a two-dimensional mask are not those of a cropped readout
    rows = min(crop[0], shape[-2]) if lines else shape[-2]
    return Volume(
        name=path.stem,
        kspace=_slices(path, shape, rows),
        mask=torch.from_numpy(pattern)[None],
        encoded_lines=encoded,
        fully_sampled=lines and is_full(pattern, encoded),
        crop=crop,
        geometry=_geometry(header),
        attributes=attributes,
    )


def _slices(path: Path, shape: tuple[int, ...], rows: int) -> Slices[Tensor]:
    """The slices of ``kspace``, complex64 ``(coil, y, x)``, of whose readout the central ``rows`` pixels are kept."""
    return Slices(shape[0], partial(_read_slice, path, shape, rows))


def _read_slice(path: Path, shape: tuple[int, ...], rows: int, index: int) -> Tensor:
    with opened(path) as file, np.errstate(over="ignore"):  # infinite values are refused when the file is read
        found = dataset(file, "kspace")
        if found is None or found.shape != shape:
            raise ValueError(f"{path}: kspace has changed since the file was first read")
        values = torch.from_numpy(found[index].astype(np.complex64))
    return readout_cropped(values if values.ndim == 3 else values[None], rows)


def _shape(file: Any) -> tuple[int, ...]:
    """The shape of ``kspace``, once it is certain that its slices can be read."""
    found = dataset(file, "kspace")
    if found is None:
        names = ", ".join(sorted(file)[:8]) or "nothing"
        raise ValueError(f"{file.filename}: expected a data set 'kspace', got {names}")
    where = f"{file.filename}: kspace"
    if found.dtype.kind != "c":
        raise ValueError(f"{where}: expected complex values, got {found.dtype}; store real + 1j * imaginary")
    if found.ndim not in (3, 4) or min(found.shape) < 1:
        raise ValueError(
            f"{where}: expected (slices, coils, y, x), or (slices, y, x) for a single coil, got {found.shape}"
        )
    if found.id.get_storage_size() == 0:
        raise ValueError(f"{where}: expected measurements, got a data set that was never written")
    shape: tuple[int, ...] = found.shape
    return shape


def _read_mask(file: Any, shape: tuple[int, ...]) -> Pattern | None:
    """``mask`` as bool ``(x,)`` or ``(y, x)``; None where there is none."""
    found = dataset(file, "mask")
    if found is None:
        return None
    where = f"{file.filename}: mask"
    if found.shape not in (shape, shape[1:]):
        raise ValueError(f"{where}: expected shape {shape[1:]} or {shape}, like kspace, got {found.shape}")
    values = found[()]
    if not np.isin(values, (0, 1)).all():
        raise ValueError(f"{where}: expected 0 (not sampled) and 1 (sampled) only, got other values")
    if not values.any():
        raise ValueError(f"{where}: expected sampled lines, got none")
    return np.asarray(values, dtype=bool)


def _read_header(file: Any) -> Header | None:
    found = text(file, "ismrmrd_header")
    return None if found is None else parse_header(found, f"{file.filename}: ismrmrd_header")


def _crop(file: Any, header: Header | None, shape: tuple[int, ...]) -> tuple[int, int]:
    """The size of the image, as fastMRI has it: of a matrix that is too narrow a square is kept."""
    size = shape[0], shape[1]
    references = [found for name in REFERENCES if (found := dataset(file, name)) is not None and found.ndim == 3]
    if references:
        size = references[0].shape[1], references[0].shape[2]
    elif header is not None:
        size = header.recon.matrix[0], header.recon.matrix[1]
    if size[1] > shape[1]:
        size = shape[1], shape[1]
    return max(1, min(size[0], shape[0])), max(1, size[1])


def _encoding_limits(header: Header | None, width: int) -> tuple[int, int] | None:
    """The first and last line that were encoded, where the header tells; the others are zero padding."""
    limits = None if header is None else header.limits.get("kspace_encoding_step_1")
    if header is None or limits is None or header.encoded.matrix[1] != width:
        return None
    first, last = width // 2 - limits.center, width // 2 - limits.center + limits.maximum
    return (first, last) if 0 <= first <= width // 2 <= last < width else None


def _geometry(header: Header | None) -> Geometry:
    if header is None:
        return Geometry.spaced()
    size = [extent / n for extent, n in zip(header.recon.field_of_view, header.recon.matrix, strict=True)]
    return Geometry.spaced(y=size[0], x=size[1], z=header.recon.field_of_view[2])
