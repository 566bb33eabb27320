"""Fully sampled volumes, measured or simulated, slice by slice: what a prepared set is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Self

import torch
from torch import Tensor

from smug.data.images.sets import resample
from smug.data.images.volume import ImageVolume
from smug.data.kspace.volume import MapsEstimator, Volume
from smug.data.scan import Scan
from smug.data.simulate import Acquisition, named_seed, simulate


@dataclass(frozen=True, eq=False)
class FullVolume:
    """The full scans of a volume: ``scan(i)`` makes that of one slice, with all that was encoded, maps and target.

    ``shape`` is that of a slice's k-space, ``(coil, y, x)``; ``mask``, ``bool (1, x)``, is False where it is zero
    padded. ``voxel_size`` is along y, x and slice in mm; the rest is as in :class:`smug.data.kspace.volume.Volume`.
    """

    kspace: Literal["measured", "simulated"]
    names: tuple[str, ...]
    scan: Callable[[int], Scan]
    shape: tuple[int, int, int]
    mask: Tensor
    encoded_lines: int
    crop: tuple[int, int]
    voxel_size: tuple[float, float, float]
    noise_sigma: float | None
    units: str
    attributes: Mapping[str, str] = field(default_factory=dict)

    def central(self, count: int | None) -> Self:
        """Return the volume with at most ``count`` slices, those about its middle; all of them for None."""
        if count is None or count >= len(self.names):
            return self
        first = (len(self.names) - count) // 2
        return replace(self, names=self.names[first : first + count], scan=lambda i: self.scan(first + i))


def measured_volume(volume: Volume, maps: MapsEstimator, lines: int) -> FullVolume:
    """Return a measured volume; its coil maps come from at most ``lines`` central lines along each axis.

    Raises ValueError for what is not fully sampled: without a reference it cannot be learned from nor scored.
    """
    if not volume.fully_sampled or volume.mask.ndim != 2:
        raise ValueError(
            f"undersampled ({volume.acceleration:.2f}x): there is no target to learn from or to compare with; "
            "smug reconstruct makes images of it"
        )
    volume = replace(volume, mask=volume.mask.all(0, keepdim=True))
    coils, height, width = volume.kspace[0].shape
    return FullVolume(
        kspace="measured",
        names=volume.names,
        scan=lambda i: volume.scan(i, maps=lambda y, mask: maps(y, central(mask, y.shape[-2], lines))),
        shape=(coils, height, width),
        mask=volume.mask,
        encoded_lines=volume.encoded_lines,
        crop=volume.crop,
        voxel_size=volume.geometry.voxel_size,
        noise_sigma=volume.noise_sigma,
        units=volume.units,
        attributes=volume.attributes,
    )


def central(mask: Tensor, height: int, lines: int) -> Tensor:
    """Keep the central ``lines`` of a line mask along each axis: ``bool (1, x)`` to ``(1, height, x)``.

    >>> central(torch.ones(1, 5, dtype=torch.bool), 2, lines=3)[0].int()
    tensor([[0, 1, 1, 1, 0],
            [0, 1, 1, 1, 0]], dtype=torch.int32)
    """
    near_y, near_x = (
        (torch.arange(n) >= n // 2 - lines // 2) & (torch.arange(n) < n // 2 - lines // 2 + lines)
        for n in (height, mask.shape[-1])
    )
    return near_y[:, None] & (near_x & mask)[:, None]


def simulated_volume(
    images: ImageVolume, names: tuple[str, ...], acquisition: Acquisition, size: int | None
) -> FullVolume:
    """Return the full scan of images, each divided by its largest magnitude, and before that resampled to ``size``.

    Coil maps, phase and receiver noise depend on the slice's name only, and are those of
    :func:`smug.data.simulate.named_scans`; the masks and the acceleration of ``acquisition`` have no influence.
    """
    height, width = (size, size) if size else tuple(images.slices[0].shape)
    full = replace(acquisition, mask="random", acceleration=1.0, center_fraction=1.0)

    def scan(i: int) -> Scan:
        image = images.slices[i]
        image = resample(image, size) if size else image / image.abs().max().clamp_min(1e-12)
        return simulate(image[None], full, [named_seed(names[i])], [names[i]])

    extent, (y, x, z) = max(images.slices[0].shape), images.geometry.voxel_size
    return FullVolume(
        kspace="simulated",
        names=names,
        scan=scan,
        shape=(acquisition.coils, height, width),
        mask=torch.ones(1, width, dtype=torch.bool),
        encoded_lines=width,
        crop=(height, width),
        voxel_size=(y * extent / size, x * extent / size, z) if size else (y, x, z),
        noise_sigma=acquisition.noise,
        units="the largest magnitude of each slice is 1",
    )
