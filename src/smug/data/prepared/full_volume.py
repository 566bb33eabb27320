"""The fully sampled volumes in a source file, measured or simulated from images."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import torch
from torch import Tensor

from smug.data.hdf5 import opened
from smug.data.images.read import read_images
from smug.data.images.sets import resample
from smug.data.images.volume import ImageVolume, numbered
from smug.data.kspace.read import read
from smug.data.kspace.volume import MapsEstimator, Volume
from smug.data.prepared.sources import KSPACE, own_folders, safe, stem
from smug.data.prepared.splits import subject_of
from smug.data.scan import Scan
from smug.data.simulate import Acquisition, named_seed, simulate
from smug.physics.maps.calibration import maps_from_calibration
from smug.physics.maps.estimate import espirit_maps

ESTIMATORS: Mapping[str, MapsEstimator] = {"espirit": espirit_maps, "calibration": maps_from_calibration}
"""How coil maps are estimated, by name."""

CALIBRATION_LINES = 24
"""Central lines along each axis that coil maps are estimated from: about as many as the usual undersampling keeps."""


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


@dataclass(frozen=True)
class Settings:
    """What prepared volumes depend on, besides their sources.

    Coil maps of measured k-space are those of an entry of :data:`ESTIMATORS`; ``central`` is how many slices about the
    middle of each volume are kept, where not all are. With ``simulate``, sources are images, resampled to ``size``
    where it is given; of the acquisition, coils, profile width, phase and noise matter. Raises ValueError for unknown
    maps and a size below 8.
    """

    maps: str = "espirit"
    simulate: Acquisition | None = None
    size: int | None = None
    central: int | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        if self.maps not in ESTIMATORS:
            raise ValueError(f"maps: expected one of {', '.join(ESTIMATORS)}, got {self.maps!r}")
        if self.size is not None and self.size < 8:
            raise ValueError(f"size: expected at least 8, got {self.size}")

    @property
    def described(self) -> dict[str, Any]:
        """The settings that influence this kind of set, as plain values."""
        if self.simulate is None:
            some = {} if self.central is None else {"central": self.central}
            return {"kspace": "measured", "maps": self.maps, "calibration_lines": CALIBRATION_LINES, **some}
        matter = {name: getattr(self.simulate, name) for name in ("coils", "profile_width", "noise", "phase")}
        return {"kspace": "simulated", "size": self.size, **matter}


@dataclass(frozen=True, eq=False)
class FullVolume:
    """The full scans of a volume: ``scan(i)`` makes that of one slice, with all that was encoded, maps and target.

    ``shape`` is that of a slice's k-space, ``(coil, y, x)``; ``mask``, ``bool (1, x)``, is False where it is zero
    padded. ``voxel_size`` is along y, x and slice in mm; ``warnings`` say what is doubtful in the file; the rest is as
    in :class:`smug.data.kspace.volume.Volume`.
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
    warnings: tuple[str, ...] = ()

    def central(self, count: int | None) -> Self:
        """Return the volume with at most ``count`` slices, those about its middle; all of them for None."""
        if count is None or count >= len(self.names):
            return self
        first = (len(self.names) - count) // 2
        return replace(self, names=self.names[first : first + count], scan=lambda i: self.scan(first + i))


def full_volumes(path: Path, file: str, name: str, settings: Settings) -> list[tuple[str, str, FullVolume]]:
    """Return what a source file holds: per volume a name, the subject, and the volume.

    ``file`` is its path below the source folder, ``name`` that of :func:`unique_names`. Raises ValueError as the
    readers do, for images without ``settings.simulate``, and for k-space that is undersampled.
    """
    if settings.simulate is None:
        if not path.name.lower().endswith(KSPACE):
            raise ValueError(f"{path}: holds images: smug prepare --simulate makes k-space of them")
        volume = replace(read(path), name=name)
        full = measured_volume(volume, ESTIMATORS[settings.maps], CALIBRATION_LINES)
        return [(name, patient(path) or subject_of(file), full.central(settings.central))]
    images, found = read_images(path), []
    prefix = "".join(f"{folder}-" for folder in own_folders(file))
    for i, image in enumerate(images):
        alone = image.name == stem(file)
        slices = numbered(name, len(image.slices)) if alone else tuple(prefix + each for each in image.names)
        subject = subject_of(file) if image.subject == image.name else image.subject
        full = simulated_volume(image, slices, settings.simulate, settings.size)
        found.append((name if len(images) == 1 else f"{name}+{i:02d}-{safe(image.name)}", subject, full))
    return found


def patient(path: Path) -> str | None:
    """Return a short hash of the patient's id, where an HDF5 file of fastMRI has one: the id itself is not kept."""
    if path.suffix.lower() == ".cfl":
        return None
    with opened(path) as file:
        identity = file.attrs.get("patient_id")
    return None if identity is None or not str(identity) else hashlib.sha256(str(identity).encode()).hexdigest()[:12]


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
        warnings=volume.warnings,
    )


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
