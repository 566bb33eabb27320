"""The units of a trajectory of ISMRMRD, which leaves them open: told by its largest coordinate and the header's matrix.

A scan reaches to about the edge of k-space: half a cycle per pixel, or N / 2 cycles per field of view of N pixels.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smug.data.kspace.header import Header
from smug.data.kspace.non_cartesian import MAX_MATRIX

REACH = (0.25, 1.1)
"""Where the largest coordinate may lie, relative to the edge of k-space: in another unit it lies elsewhere."""

EXACT = 1e-4
"""Rounding of coordinates at the edge, in cycles per field of view."""


class Scale(NamedTuple):
    """The image of a trajectory: ``shape (y, x)``, ``spacing (y, x, slice)`` in mm, None where it is not known.

    ``told`` says which units were assumed.
    """

    shape: tuple[int, int]
    spacing: tuple[float | None, float | None, float | None]
    told: str
    warnings: tuple[str, ...]


def scaled(points: Sequence[NDArray[np.float64]], header: Header, where: str) -> tuple[Tensor | list[Tensor], Scale]:
    """Return trajectories in cycles per field of view, and what they are of.

    ``points`` are coordinates ``(readout, sample, 2)`` of every slice. Trajectories are float64 ``(1, 2, samples)`` if
    all are the same, ``(slices, 2, samples)`` if they are as long, else a list of ``(2, samples)``. Coordinates that
    reach beyond the matrix of the header by up to a tenth make it larger, with a warning. Raises ValueError where
    coordinates are in no unit that can be told.
    """
    largest = np.max([np.abs(part).reshape(-1, 2).max(0) for part in points], axis=0)
    matrix, warnings = _matrix(header)
    factors, unit, matrix = _units(largest, matrix, header, where)
    reached = [max(n, 2 * math.ceil(k * f - EXACT)) for n, k, f in zip(matrix, largest, factors, strict=True)]
    shape = reached[0], reached[1]
    if shape != matrix:
        warnings.append(
            f"the trajectory reaches beyond the header's matrix of {matrix[0]} x {matrix[1]}: the image has "
            f"{shape[0]} x {shape[1]} pixels of the same field of view"
        )
    if max(shape) > MAX_MATRIX:
        raise ValueError(f"{where}: expected a matrix of at most {MAX_MATRIX} pixels, got {shape[0]} x {shape[1]}")
    views = [
        inner or outer for inner, outer in zip(header.recon.field_of_view, header.encoded.field_of_view, strict=True)
    ]
    y, x = (view / n if view else None for view, n in zip(views, shape, strict=False))
    each = [torch.from_numpy(part.reshape(-1, 2).T * np.array(factors)[:, None]) for part in points]
    told = f"coordinates taken as {unit}, of {shape[0]} x {shape[1]} pixels"
    return _joined(each), Scale(shape, (y, x, views[2]), told, tuple(f"{where}: {warning}" for warning in warnings))


def _joined(each: list[Tensor]) -> Tensor | list[Tensor]:
    if len({len(part[0]) for part in each}) > 1:
        return each
    same = all(bool(torch.equal(part, each[0])) for part in each[1:])
    return torch.stack(each[:1] if same else each)


def _matrix(header: Header) -> tuple[tuple[int, int] | None, list[str]]:
    """Return the pixels of the image along readout and phase, y and x; None where the header does not state them."""
    encoded, image = header.encoded.matrix, header.recon.matrix
    kept = [header.pixels_kept(axis, encoded[axis] or 0) if encoded[axis] else image[axis] for axis in range(2)]
    height, width = kept[0] or kept[1], kept[1] or kept[0]
    if height is None or width is None:
        return None, []
    if image[0] == height and image[1] not in (None, width):
        told = f"the header states {encoded[1]} encoded lines, which are taken for the number of readouts"
        return (height, image[1] or width), [f"{told}: the image has the stated {image[1]} pixels along x"]
    return (height, width), []


def _units(
    largest: NDArray[np.float64], matrix: tuple[int, int] | None, header: Header, where: str
) -> tuple[tuple[float, float], str, tuple[int, int]]:
    """Return what coordinates are multiplied by, the name of their unit, and the matrix."""
    listed = f"{largest[0]:.4g} and {largest[1]:.4g}"
    if matrix is None:
        size = 2 * math.ceil(float(largest.max()) - EXACT)
        if not 4 < size <= MAX_MATRIX:
            raise ValueError(
                f"{where}: trajectory: the header states no matrix, and coordinates are at most {listed}: expected "
                "a matrix in the header, or cycles per field of view, up to half the pixels of the image"
            )
        return (1.0, 1.0), "cycles per field of view", (size, size)
    edge = np.array(matrix) / 2
    outer = [_encoded(header, axis, own) for axis, own in enumerate(matrix)]
    readout = matrix[0] / outer[0]
    units = {
        "cycles per pixel": (float(matrix[0]), float(matrix[1])),
        "cycles per field of view": (1.0, 1.0),
        "cycles per encoded field of view": (matrix[0] / outer[0], matrix[1] / outer[1]),
        "cycles per encoded field of view of the readout": (readout, readout),
    }
    for unit, factors in units.items():
        if REACH[0] <= float((largest * factors / edge).max()) <= REACH[1]:
            return factors, unit, matrix
    raise ValueError(
        f"{where}: trajectory: expected coordinates up to about 0.5 (cycles per pixel), or {edge[0]:g} and {edge[1]:g} "
        f"(cycles per field of view: the header states {matrix[0]} x {matrix[1]} pixels), got at most {listed}: scale "
        "them, or correct the matrix"
    )


def _encoded(header: Header, axis: int, pixels: int) -> int:
    """Return how many of these pixels the encoded field of view has, oversampling included."""
    encoded = header.encoded.matrix[axis]
    return encoded if encoded and header.pixels_kept(axis, encoded) == pixels else pixels
