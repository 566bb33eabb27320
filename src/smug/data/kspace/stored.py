"""How complex k-space is stored in HDF5: as complex numbers, as pairs of real numbers, and by MATLAB."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smug.data.hdf5 import dataset

PAIRS = (("real", "imag"), ("re", "im"), ("r", "i"), ("real", "imaginary"))
"""Names of real and imaginary part in records; MATLAB's are the first."""

EXPECTED = "(slices, coils, y, x), or (slices, y, x) for a single coil"


@dataclass(frozen=True)
class Stored:
    """A data set of k-space ``(slices, coils, y, x)`` or ``(slices, y, x)``, and how its numbers lie in the file.

    ``pairs`` is "complex", "record" or "last axis". Files of MATLAB (``matlab``) have its axes in reverse: k-space
    ``(y, x, coils, slices)`` becomes ``(slices, coils, x, y)``.
    """

    name: str
    stored_shape: tuple[int, ...]
    pairs: str
    matlab: bool

    @property
    def axes(self) -> tuple[int, ...]:
        """The sizes of the axes as they are stored, without that of the parts."""
        return self.stored_shape[:-1] if self.pairs == "last axis" else self.stored_shape

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of k-space."""
        shape = self.axes
        if not self.matlab:
            return shape
        slices = shape[0] if len(shape) == 4 else 1  # MATLAB drops a last axis of one slice
        coils = shape[-3] if len(shape) > 2 else 1
        return slices, coils, shape[-1], shape[-2]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about the conversion."""
        told = []
        if self.pairs != "complex":
            told.append(f"{self.name}: real and imaginary parts ({self.pairs}) are read as complex numbers")
        if self.matlab:
            told.append(
                f"{self.name}: written by MATLAB, read as (y, x, coils, slices) = {tuple(reversed(self.stored_shape))}"
            )
        return tuple(told)

    def read(self, file: Any, index: int) -> NDArray[np.complex64]:
        """Read a slice, complex64 ``(coil, y, x)``. Raises ValueError where the data set has changed."""
        found = dataset(file, self.name, pairs=True)
        if found is None or found.shape != self.stored_shape:
            raise ValueError(f"{file.filename}: {self.name} has changed since the file was first read")
        one_slice = self.matlab and len(self.axes) < 4
        values = found[()] if one_slice else found[index]
        if self.pairs == "record":
            real, imaginary = (values[name] for name in values.dtype.names)
            values = real + 1j * imaginary
        elif self.pairs == "last axis":
            values = values[..., 0] + 1j * values[..., 1]
        height, width = values.shape[-2:]
        kspace: NDArray[np.complex64] = values.astype(np.complex64).reshape(-1, height, width)
        return kspace.swapaxes(1, 2) if self.matlab else kspace


def stored_kspace(file: Any, name: str) -> Stored:
    """Return how a data set of an open file holds k-space, checked so that its slices can be read.

    Raises ValueError for what is not there, not complex in one of the known ways, or of other axes.
    """
    found = dataset(file, name, pairs=True)
    if found is None:
        names = ", ".join(sorted(file)[:8]) or "nothing"
        raise ValueError(f"{file.filename}: expected a data set {name!r}, got {names}")
    where, dtype, shape = f"{file.filename}: {name}", found.dtype, found.shape
    matlab = "MATLAB_class" in found.attrs
    if dtype.kind == "c":
        pairs = "complex"
    elif dtype.names is not None:
        pairs = "record"
        if tuple(part.lower() for part in dtype.names) not in PAIRS or any(dtype[n].kind != "f" for n in dtype.names):
            raise ValueError(f"{where}: expected complex values, got records of {', '.join(dtype.names)}")
    elif dtype.kind == "f" and len(shape) in (4, 5) and shape[-1] == 2 and not matlab:
        pairs = "last axis"
    else:
        at = f" {shape}" if 2 in shape else ""
        raise ValueError(
            f"{where}: expected complex values, got {dtype}{at}; store real + 1j * imaginary, or parts as a last axis "
            "of 2: (slices, coils, y, x, 2)"
        )
    stored = Stored(name, shape, pairs, matlab)
    axes = (2, 3, 4) if matlab else (3, 4)
    if len(stored.axes) not in axes or min(shape) < 1:
        expected = "(y, x, coils, slices) in MATLAB" if matlab else EXPECTED
        raise ValueError(f"{where}: expected {expected}, got {tuple(reversed(shape)) if matlab else shape}")
    if found.id.get_storage_size() == 0:
        raise ValueError(f"{where}: expected measurements, got a data set that was never written")
    return stored
