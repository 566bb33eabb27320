"""Samples and their trajectory in files of BART."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from smug.data.kspace.bart import ECHO, REFUSED, SLICE, TIME, TIME2, header_of, read_dimensions, stored_values
from smug.data.kspace.non_cartesian import MAX_MATRIX, NonCartesianVolume
from smug.data.kspace.volume import unknown_size
from smug.data.slices import Slices
from smug.physics.non_cartesian import check_trajectory
from smug.system.words import printable


def read_bart_samples(path: str | Path, trajectory: str | Path) -> NonCartesianVolume:
    """Read samples of BART along a trajectory of BART, both named by their ``.cfl``, ``.hdr`` or without a suffix.

    The trajectory is ``3 x samples x spokes`` in units of 1 / field of view, as ``bart traj`` makes it: its first
    coordinate belongs to y, the first dimension of BART's images, its second to x, its third is 0. The samples are
    ``1 x samples x spokes x coils``. Slices, times and echoes are read, each with its own trajectory where the
    trajectory has as many. The image is square, as wide as twice the largest coordinate tells.

    Raises FileNotFoundError, and ValueError for files that are not complete, for values that are not finite, for sizes
    that do not match, for a trajectory of three dimensions, and without the extra "nufft".
    """
    file, along = header_of(path), header_of(trajectory)
    dims, other = read_dimensions(file), read_dimensions(along)
    if other[0] != 3:
        raise ValueError(f"{along}: expected a trajectory of 3 x samples x spokes, got {_listed(other)}")
    if dims[0] != 1:
        raise ValueError(
            f"{file}: expected 1 x samples x spokes x coils, got {_listed(dims)}; Cartesian k-space needs no trajectory"
        )
    if dims[1:3] != other[1:3]:
        raise ValueError(
            f"{along}: expected {dims[1]} samples and {dims[2]} spokes, as {file} has, got {other[1]} and {other[2]}"
        )
    kept = {ECHO, TIME, TIME2, SLICE}
    for number in range(4, len(dims)):
        if dims[number] > 1 and number not in kept:
            raise ValueError(
                f"{file}: got {dims[number]} {REFUSED.get(number, 'sets')} (dimension {number}), expected one"
            )
        if other[number] not in (1, dims[number]):
            raise ValueError(f"{along}: expected 1 or {dims[number]} along dimension {number}, got {other[number]}")
    if other[3] != 1:
        raise ValueError(f"{along}: expected the same trajectory for all coils, got {other[3]}")

    points = _points(along, other)
    shape = _shape(points, along)
    order = (ECHO, TIME, TIME2, SLICE)
    count = math.prod(dims[4:])
    blocks = _ordered(np.arange(count).reshape(dims[4:], order="F"), order)
    own = np.arange(math.prod(other[4:])).reshape(other[4:], order="F")
    rows = _ordered(np.broadcast_to(own, dims[4:]), order)
    values = stored_values(file, dims)
    for block in range(count):
        if not np.isfinite(values[block].view(np.float32)).all():
            raise ValueError(f"{file.with_suffix('.cfl')}: expected finite values, got NaN or infinite ones")
    if not any(values[block].any() for block in range(count)):
        raise ValueError(f"{file.with_suffix('.cfl')}: expected measurements, got only zeros")
    chosen = points[rows] if len(points) > 1 else points
    check_trajectory(chosen, shape)
    return NonCartesianVolume(
        name=printable(file.stem),
        kspace=Slices(count, partial(_read, file, tuple(dims), tuple(blocks.tolist()))),
        trajectory=chosen,
        shape=shape,
        frames=count // dims[SLICE],
        attributes=unknown_size((None, None, None)),
    )


def described_trajectory(path: str | Path) -> dict[str, str]:
    """Return what a file holds that is a trajectory of BART; raises ValueError for any other."""
    header = header_of(path)
    dims = read_dimensions(header)
    if dims[0] != 3 or math.prod(dims[1:3]) == 1 or dims[3] != 1:
        raise ValueError(f"{header}: expected a trajectory of 3 x samples x spokes, got {_listed(dims)}")
    height, width = _shape(_points(header, dims), header)
    return {
        "readouts": f"{dims[2]} of {dims[1]} samples",
        "image": f"{height} x {width} pixels",
        "use": f"smug reconstruct KSPACE.cfl --trajectory {path}",
    }


def _read(header: Path, dims: tuple[int, ...], blocks: tuple[int, ...], index: int) -> Tensor:
    """Read a slice, complex64 ``(coil, samples)``."""
    block = stored_values(header, list(dims))[blocks[index]]
    return torch.from_numpy(block.reshape(dims[3], -1).astype(np.complex64))


def _points(header: Path, dims: list[int]) -> Tensor:
    """Return the trajectories of a file, float64 ``(blocks, 2, samples)``."""
    stored = stored_values(header, dims)
    values = np.asarray(stored).reshape(len(stored), -1, 3)
    where = header.with_suffix(".cfl")
    if not np.isfinite(values.view(np.float32)).all():
        raise ValueError(f"{where}: trajectory: expected finite numbers, got NaN or infinite ones")
    if values.imag.any():
        raise ValueError(f"{where}: trajectory: expected real coordinates, got complex ones")
    if values[..., 2].any():
        raise ValueError(f"{where}: trajectory: expected two dimensions, got a third coordinate that is not 0")
    return torch.from_numpy(values.real[..., :2].astype(np.float64)).mT.contiguous()


def _shape(points: Tensor, header: Path) -> tuple[int, int]:
    largest = float(points.abs().max())
    size = 2 * math.ceil(largest - 1e-4)
    if not 2 < size <= MAX_MATRIX:
        raise ValueError(
            f"{header.with_suffix('.cfl')}: trajectory: expected units of 1 / field of view, up to half the pixels of "
            f"the image, got at most {largest:.4g}; one from -0.5 to 0.5 is in cycles per pixel: bart scale N"
        )
    return size, size


def _ordered(numbers: np.ndarray[tuple[int, ...], np.dtype[np.intp]], order: Sequence[int]) -> Tensor:
    """Return numbers of blocks, in the order of these dimensions, the last the fastest."""
    axes = [number - 4 for number in order]
    return torch.from_numpy(np.moveaxis(numbers, axes, range(len(axes))).reshape(-1).copy())


def _listed(dims: Sequence[int]) -> str:
    last = max((number for number, size in enumerate(dims) if size > 1), default=0)
    return " x ".join(map(str, dims[: max(last + 1, 4)]))
