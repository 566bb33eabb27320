"""A measured volume: k-space that is read slice by slice, and the scans that it becomes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor

from smug.data.geometry import Geometry
from smug.data.scan import Scan
from smug.physics.fourier import ifft2c
from smug.physics.maps.estimate import espirit_maps
from smug.physics.scale import measurement_scale
from smug.physics.sense import Sense

MapsEstimator = Callable[[Tensor, Tensor], Tensor]
"""Coil maps ``(batch, coil, y, x)`` from k-space of this shape and the mask of what is sampled of it."""


@dataclass(frozen=True, eq=False)
class Volume:
    """The measured k-space of a volume.

    ``kspace`` holds complex64 ``(coil, y, x)`` per slice, with phase encoding along x; it may read them from a file one
    at a time. ``mask`` tells what of it is sampled, ``bool (1 or slices, x)`` for lines or ``(1 or slices, y, x)``.
    ``encoded_lines`` around DC belong to the scan; what lies beyond is the scanner's zero padding. ``fully_sampled``
    tells whether ``kspace`` holds the full scan, of which ``mask`` may keep a part: then there is a reference.

    ``calibration`` is what coil maps are estimated from, slice by slice, if not from the volume itself. Slices are
    those of the first of ``frames`` (repetitions, contrasts, ...), then those of the second, and so on. Of the
    reconstructed image the central ``crop`` ``(y, x)`` is kept, whose place is ``geometry``. ``noise_sigma`` is the
    receiver noise per part of k-space, where it is known; ``units`` are those of k-space. ``attributes`` say what was
    found, ``format`` is that of the file, and ``warnings`` are sentences on what in it is doubtful.
    """

    name: str
    kspace: Sequence[Tensor]
    mask: Tensor
    encoded_lines: int
    fully_sampled: bool
    crop: tuple[int, int]
    geometry: Geometry = field(default_factory=Geometry.spaced)
    calibration: Self | None = None
    frames: int = 1
    noise_sigma: float | None = None
    units: str = "those of the input k-space"
    attributes: Mapping[str, str] = field(default_factory=dict)
    format: str = "k-space"
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of slices, those of all frames."""
        return len(self.kspace)

    @property
    def names(self) -> tuple[str, ...]:
        """One name per slice, from the volume's."""
        return slice_names(self.name, len(self), self.frames)

    @property
    def acceleration(self) -> float:
        """The true acceleration: entries of the scan / sampled entries; zero padding is not counted."""
        return self.encoded_lines * self.mask[..., 0].numel() / int(self.mask.sum())

    def mask_of(self, index: int) -> Tensor:
        """Return the mask of a slice, ``bool (1, x)`` or ``(1, y, x)``."""
        return self.mask if len(self.mask) == 1 else self.mask[index : index + 1]

    def measured(self, index: int) -> tuple[Tensor, Tensor]:
        """Return what was measured of a slice: k-space ``(1, coil, y, x)``, zero elsewhere, and its mask.

        Raises ValueError for values that are not finite: finite ones of a file may be too large for the transforms.
        """
        mask, kspace = self.mask_of(index), self.kspace[index]
        if not bool(kspace.isfinite().all()):
            name = slice_name(self.name, index, len(self), self.frames)
            raise ValueError(f"{name}: expected k-space that single precision can hold, got NaN or infinite values")
        return (mask[:, None, None] if mask.ndim == 2 else mask[:, None]) * kspace, mask

    def scan(self, index: int, maps: MapsEstimator = espirit_maps) -> Scan:
        """Return the scan of one slice, with coil maps from its calibration data alone.

        A single coil has sensitivity 1. The target, where the full scan is known, is
        ``sum_c conj(s_c) ifft2c(kspace_c)`` with the same maps. A slice without signal gets maps of zero. Raises
        ValueError as ``maps`` does.
        """
        full = self.kspace[index][None]
        y, mask = self.measured(index)
        A = Sense(mask=mask, maps=None if y.shape[1] == 1 else self._maps(index, maps))
        target = (A.maps.conj() * ifft2c(full)).sum(1) if self.fully_sampled else None
        return Scan(y, A, target, (slice_name(self.name, index, len(self), self.frames),))

    def scale_of(self, index: int) -> Tensor | None:
        """Return about the largest magnitude of a slice's image, from its calibration data; None without signal."""
        y, mask = (self if self.calibration is None else self.calibration).measured(index)
        return measurement_scale(y.to(torch.complex128), Sense(mask=mask)) if y.any() else None

    def rss(self, index: int) -> Tensor:
        """Return the root of the sum of squares over coils of a slice of the full scan, real ``(1, y, x)``."""
        root: Tensor = torch.linalg.vector_norm(ifft2c(self.kspace[index]), dim=0, keepdim=True)
        return root

    def _maps(self, index: int, maps: MapsEstimator) -> Tensor:
        """The maps of one slice, whose k-space may be in any unit."""
        source = self if self.calibration is None else self.calibration
        y, mask = source.measured(index)
        largest = y.abs().max()
        if not largest > 0:
            return torch.zeros_like(y)
        try:
            return maps(y / largest, mask.clone())
        except ValueError as error:
            raise ValueError(f"{self.names[index]}: {error}") from None

    def cropped(self, images: Tensor) -> Tensor:
        """Return what is kept of images ``(..., y, x)``: their central part, as in fastMRI."""
        (height, width), (top, left) = self.crop, crop_corner(images.shape[-2:], self.crop)
        return images[..., top : top + height, left : left + width]


def crop_corner(shape: Sequence[int], crop: Sequence[int]) -> tuple[int, int]:
    """Return the first row and column of a central crop, with the rounding of fastMRI."""
    return (shape[0] - crop[0]) // 2, (shape[1] - crop[1]) // 2


def unknown_size(spacing: Sequence[float | None]) -> dict[str, str]:
    """Return the attribute that tells which sizes ``(y, x, slice)`` of a voxel are not known; none if all are.

    >>> unknown_size((1.2, 1.2, None))
    {'voxel_size': 'not stated along slice: 1 mm is assumed'}
    """
    missing = [axis for axis, size in zip(("y", "x", "slice"), spacing, strict=True) if size is None]
    return {"voxel_size": f"not stated along {', '.join(missing)}: 1 mm is assumed"} if missing else {}


def slice_names(name: str, count: int, frames: int) -> tuple[str, ...]:
    """Return a name for every slice of a volume, of which all frames have as many."""
    return tuple(slice_name(name, i, count, frames) for i in range(count))


def slice_name(name: str, index: int, count: int, frames: int) -> str:
    """Return the name of one slice of a volume."""
    frame, slice_ = divmod(range(count)[index], count // frames)
    return f"{name}-{slice_:03d}" if frames == 1 else f"{name}-{frame:03d}-{slice_:03d}"
