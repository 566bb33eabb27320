"""Volumes of images, read from their files slice by slice."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smug.data.geometry import Geometry
from smug.data.hdf5 import MAX_BYTES
from smug.data.slices import Slices

MAX_PIXELS = 2**26
"""Largest slice that is read, in pixels."""

MAX_SLICES = 100_000
"""Most slices that are read of a volume."""

ReadSlice = Callable[[int], NDArray[Any]]
"""Reads the numbers ``(y, x)`` of one slice."""


@dataclass(frozen=True, eq=False)
class ImageVolume:
    """Images of a subject: ``slices``, complex64 ``(y, x)`` each, in the units of their file.

    ``names`` are those of the slices. Slices of further frames (repetitions, contrasts, ...) follow those of the first.
    """

    name: str
    subject: str
    names: tuple[str, ...]
    slices: Sequence[Tensor]
    geometry: Geometry = field(default_factory=Geometry.spaced)


def stored_slices(where: str, shape: tuple[int, int, int], read: ReadSlice) -> Slices[Tensor]:
    """Return slices of a file, complex64 ``(y, x)``, read one at a time.

    ``shape`` is ``(slices, y, x)``; ``where`` names the file in errors. A slice that is not finite in single precision
    raises ValueError.
    """
    return Slices(shape[0], partial(_checked_slice, where, shape[1:], read))


def _checked_slice(where: str, shape: tuple[int, int], read: ReadSlice, index: int) -> Tensor:
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite then is refused
        values = read(index).astype(np.complex64)
    if values.shape != shape:
        raise ValueError(f"{where}: has changed since it was first read")
    if not np.isfinite(values).all():
        raise ValueError(f"{where}: slice {index}: expected finite numbers, got NaN or infinite ones")
    return torch.from_numpy(values)


def numbered(name: str, count: int) -> tuple[str, ...]:
    """Return one name per slice."""
    return tuple(f"{name}-{i:03d}" for i in range(count))


def check_stored(
    where: str, shape: Sequence[int], dtype: "np.dtype[Any]", *, limit: int = MAX_BYTES, kinds: str = "biufc"
) -> None:
    """Check what a header declares of slices ``(slices, y, x)``, before anything of that size is allocated.

    Raises ValueError for other ``kinds`` of numbers, for empty volumes and for more than ``limit`` bytes.
    """
    if dtype.kind not in kinds:
        expected = "real or complex numbers" if "c" in kinds else "real numbers"
        raise ValueError(f"{where}: expected {expected}, one per pixel, got {dtype}")
    if min(shape) < 1:
        raise ValueError(f"{where}: expected images (slices, y, x), got {tuple(shape)}")
    if math.prod(shape[1:]) > MAX_PIXELS:
        raise ValueError(f"{where}: got slices of {shape[1]} x {shape[2]}: at most {MAX_PIXELS:,} pixels are read")
    if shape[0] > MAX_SLICES:
        raise ValueError(f"{where}: got {shape[0]:,} slices: at most {MAX_SLICES:,} are read")
    size = math.prod(shape) * max(dtype.itemsize, 8)
    if size > limit:
        raise ValueError(
            f"{where}: got {shape[0]} slices of {shape[1]} x {shape[2]}, {size / 2**30:,.1f} GiB: at most "
            f"{limit / 2**30:.0f} GiB are read; split the volume into files of fewer slices"
        )


def mapped_slice(
    path: Path, dtype: "np.dtype[Any]", offset: int, shape: tuple[int, int, int], order: Literal["C", "F"], index: int
) -> NDArray[Any]:
    """Return a slice of numbers ``(slices, y, x)`` that begin at ``offset`` of a file; no more of it is read."""
    values: NDArray[Any] = np.memmap(path, dtype, "r", offset, shape, order)[index]
    return values


@contextmanager
def parsing(path: Path, kind: str) -> Iterator[None]:
    """Turn what a parser raises, which for a damaged file may be anything, into a ValueError that names the path."""
    try:
        yield
    except Exception as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(
            f"{path}: cannot be read as {kind}: damaged, not complete or of another kind ({error})"
        ) from error
