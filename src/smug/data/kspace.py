"""Measured k-space: fastMRI-like HDF5 files, retrospective undersampling, and the scan that is reconstructed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smug.data.hdf5 import dataset, opened
from smug.data.scan import Scan
from smug.physics.coils import maps_from_calibration
from smug.physics.fourier import ifft2c
from smug.physics.masks import random_lines, usual_center_fraction
from smug.physics.sense import Sense

KEPT_ATTRIBUTES = ("acquisition", "source")
"""What is kept of a file's attributes; those that may name a patient are not."""

ISOLATED_ZEROS = 0.01
"""Up to this fraction of zeros in the sampled lines are values that were measured to be zero."""

MAX_ASYMMETRY = 0.05
"""Largest fraction of the lines that may be missing at one side of a full scan; more is partial Fourier."""


@dataclass(frozen=True, eq=False)
class KSpace:
    """The measured k-space of a volume, held in memory.

    ``kspace`` is complex64 ``(slices, coils, y, x)`` with phase encoding along x; ``mask`` tells what of it is sampled,
    ``bool (1, x)`` for lines or ``(1, y, x)``. ``encoded_lines`` around DC belong to the scan, what lies beyond is the
    scanner's zero padding. ``fully_sampled`` tells whether ``kspace`` holds the full scan, of which ``mask`` may keep a
    part: then there is a reference. ``attributes`` are the file's own.
    """

    kspace: Tensor
    mask: Tensor
    encoded_lines: int
    fully_sampled: bool
    path: Path
    attributes: Mapping[str, str]

    @property
    def acceleration(self) -> float:
        """The true acceleration: entries of the scan / sampled entries; zero padding is not counted."""
        return self.encoded_lines * self.mask[0, ..., 0].numel() / int(self.mask.sum())

    @property
    def names(self) -> tuple[str, ...]:
        """One name per slice, from the file's."""
        return tuple(f"{self.path.stem}-{i:03d}" for i in range(len(self.kspace)))


def read_kspace(path: str | Path) -> KSpace:
    """Read a fastMRI-like HDF5 file.

    Its ``kspace`` is complex ``(slices, coils, y, x)``, or ``(slices, y, x)`` for a single coil, with
    ``image = fftshift(ifft2(ifftshift(kspace), norm="ortho"))``; its ``mask``, which may be absent, is ``(x,)`` or
    ``(y, x)``. Lines (or, where whole lines do not agree, entries) that are exactly zero in all slices and coils are
    not measurements, whatever the mask says. At most 8 GiB are read, all into memory.

    Raises FileNotFoundError, and ValueError for any other file that is not of this form.
    """
    path = Path(path)
    with opened(path) as file:
        values = _read_values(file)
        given = _read_mask(file, values.shape[-2:])
        attributes = {name: str(file.attrs[name])[:200] for name in KEPT_ATTRIBUTES if name in file.attrs}
    nonzero = np.zeros(values.shape[-2:], dtype=bool)
    for volume_slice in values:
        if not np.isfinite(volume_slice).all():
            raise ValueError(f"{path}: kspace: expected finite single-precision values, got NaN or infinite ones")
        nonzero |= (volume_slice != 0).any(0)
    mask = _measured(nonzero, given)
    if not mask.any():
        raise ValueError(f"{path}: kspace: expected measurements, got only zeros where the mask samples")
    encoded, full = values.shape[-1], False
    if mask.ndim == 1:
        encoded = _encoded_lines(mask, given)
        full = _is_full(mask, encoded)
    return KSpace(torch.from_numpy(values), torch.from_numpy(mask)[None], encoded, full, path, attributes)


def undersample(kspace: KSpace, acceleration: float, *, seed: int = 0, center_fraction: float | None = None) -> KSpace:
    """Keep random lines of the scan and its ACS only, ``round(encoded_lines / acceleration)`` of them.

    ``center_fraction`` is 0.08 up to 5x and 0.04 above unless given. The mask, common to all slices, is a function of
    ``seed``; of what was not measured nothing is kept. The reference stays within reach. Raises ValueError as
    :func:`smug.physics.masks.random_lines` does.
    """
    if center_fraction is None:
        center_fraction = usual_center_fraction(acceleration)
    encoded, width = kspace.encoded_lines, kspace.kspace.shape[-1]
    start = width // 2 - encoded // 2
    kept = torch.zeros(1, width, dtype=torch.bool)
    kept[:, start : start + encoded] = random_lines(encoded, acceleration, center_fraction, seed=seed)
    if kspace.mask.ndim == 3:
        kept = kept[:, None]
    return replace(kspace, mask=kspace.mask & kept)


def scan_from_kspace(kspace: KSpace) -> Scan:
    """Return the scan: the sampled k-space and coil maps from its fully sampled centre alone.

    A single coil has sensitivity 1. The target, where the full scan is known, is ``sum_c conj(s_c) ifft2c(kspace_c)``
    with the same maps. A slice without signal gets maps of zero. Raises ValueError for fewer than 4 fully sampled
    central lines.
    """
    sampled = kspace.mask[:, None, None] if kspace.mask.ndim == 2 else kspace.mask[:, None]
    y = sampled * kspace.kspace
    maps = None if y.shape[1] == 1 else torch.cat([_maps(y[i : i + 1], kspace.mask) for i in range(len(y))])
    A = Sense(mask=kspace.mask, maps=maps)
    target = (A.maps.conj() * ifft2c(kspace.kspace)).sum(1) if kspace.fully_sampled else None
    return Scan(y, A, target, kspace.names)


def _maps(y: Tensor, mask: Tensor) -> Tensor:
    """The maps of one slice, whose k-space may be in any unit."""
    largest = y.abs().max()
    return maps_from_calibration(y / largest, mask) if largest > 0 else torch.zeros_like(y)


def _read_values(file: Any) -> NDArray[np.complex64]:
    """``kspace`` as complex64 ``(slices, coils, y, x)``."""
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
    values = np.empty(found.shape, dtype=np.complex64)
    step = found.chunks[0] if found.chunks else 1
    with np.errstate(over="ignore"):  # infinite values are refused later
        for first in range(0, len(values), step):
            values[first : first + step] = found[first : first + step]
    return values if found.ndim == 4 else values[:, None]


def _read_mask(file: Any, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
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


def _measured(nonzero: NDArray[np.bool_], given: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """What is sampled: lines ``(x,)`` if whole lines are, else entries ``(y, x)``."""
    claimed = np.broadcast_to(True if given is None else given, nonzero.shape)
    sampled = claimed & nonzero
    lines = np.any(sampled, axis=0)
    zeros = np.count_nonzero(~nonzero[:, lines])
    whole = bool((claimed == np.any(claimed, axis=0)).all())
    return lines if whole and zeros <= ISOLATED_ZEROS * len(nonzero) * np.count_nonzero(lines) else sampled


def _encoded_lines(lines: NDArray[np.bool_], given: NDArray[np.bool_] | None) -> int:
    """The number of lines of the scan around DC; what lies beyond them is zero padding.

    Zeros outside the outermost sampled lines are padding if the mask claims that some of them were sampled, or if there
    is no mask and no gap between the sampled lines. No scanner pads by more than a factor of 2.
    """
    first, last = np.flatnonzero(lines)[[0, -1]].tolist()
    width = len(lines)
    if given is None:
        padded = bool(lines[first : last + 1].all())
    else:
        claimed = np.any(given.reshape(-1, width), axis=0)
        padded = bool(claimed[:first].any() or claimed[last + 1 :].any())
    encoded = max(2 * (width // 2 - first), 2 * (last - width // 2) + 1)
    return encoded if padded and 2 * encoded >= width and encoded <= width else width


def _is_full(lines: NDArray[np.bool_], encoded: int) -> bool:
    """Whether all lines of the scan are sampled, but for a few at one side."""
    first, last = np.flatnonzero(lines)[[0, -1]]
    return bool(lines[first : last + 1].all() and encoded - lines.sum() <= MAX_ASYMMETRY * encoded)
