"""A volume measured along any trajectory through k-space."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from smug.data.geometry import Geometry
from smug.data.kspace.volume import MapsEstimator, slice_name, slice_names
from smug.data.scan import Scan
from smug.physics.maps.estimate import espirit_maps
from smug.physics.maps.non_cartesian import non_cartesian_maps
from smug.physics.non_cartesian import NonCartesian

MAX_MATRIX = 2048
"""Largest image that a trajectory may be for: what is beyond is in another unit."""


@dataclass(frozen=True, eq=False)
class NonCartesianVolume:
    """The measured samples of a volume along a trajectory.

    ``kspace`` holds complex64 ``(coil, samples)`` per slice. ``trajectory`` is float64 ``(1 or slices, 2, samples)``,
    ``(k_y, k_x)`` in cycles per field of view, or where slices have different numbers of samples a sequence of
    ``(2, samples)``, one for each; images are ``shape (y, x)``. Slices are those of the first of
    ``frames``, then those of the second, and so on. The other fields are those of :class:`smug.Volume`.
    """

    name: str
    kspace: Sequence[Tensor]
    trajectory: Tensor | Sequence[Tensor]
    shape: tuple[int, int]
    frames: int = 1
    geometry: Geometry = field(default_factory=Geometry.spaced)
    noise_sigma: float | None = None
    units: str = "those of the input k-space"
    attributes: Mapping[str, str] = field(default_factory=dict)
    format: str = "BART"
    warnings: tuple[str, ...] = ()

    fully_sampled: ClassVar[bool] = False

    def __len__(self) -> int:
        """Return the number of slices, those of all frames."""
        return len(self.kspace)

    @property
    def names(self) -> tuple[str, ...]:
        """One name per slice, from the volume's."""
        return slice_names(self.name, len(self), self.frames)

    @property
    def acceleration(self) -> float:
        """Pixels of the image per sample, of all slices together."""
        samples = sum(points.shape[-1] for points in self.trajectory)
        return self.shape[0] * self.shape[1] * len(self.trajectory) / samples

    def operator(self, index: int, maps: Tensor | None = None) -> NonCartesian:
        """Return the operator of a slice, by default of a single coil of sensitivity 1."""
        points = self.trajectory[index if len(self.trajectory) > 1 else 0]
        return NonCartesian(points[None], maps, self.shape)

    def scan(self, index: int, maps: MapsEstimator = espirit_maps) -> Scan:
        """Return the scan of one slice, with coil maps from the centre of its k-space; there is no target.

        A single coil has sensitivity 1. A slice without signal gets maps of zero. Raises ValueError as ``maps`` does.
        """
        y, single = self.kspace[index][None], self.operator(index)
        name = slice_name(self.name, index, len(self), self.frames)
        largest = y.abs().max()
        if y.shape[1] == 1:
            return Scan(y, single, None, (name,))
        if not largest > 0:
            estimated = torch.zeros(1, y.shape[1], *self.shape, dtype=y.dtype)
        else:
            try:
                estimated = non_cartesian_maps(y / largest, single, maps)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        return Scan(y, self.operator(index, estimated), None, (name,))

    def scale_of(self, index: int) -> Tensor | None:
        """Return about the largest magnitude of a slice's image; None where it has no signal."""
        y = self.kspace[index][None]
        if not y.any():
            return None
        maps = torch.full((1, y.shape[1], *self.shape), y.shape[1] ** -0.5, dtype=y.dtype)
        return self.operator(index, maps).scale(y)

    def cropped(self, images: Tensor) -> Tensor:
        """Return the images: nothing is cropped."""
        return images
