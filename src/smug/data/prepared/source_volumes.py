"""What a source file holds, as fully sampled volumes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from smug.data.hdf5 import opened
from smug.data.images.read import read_images
from smug.data.images.volume import numbered
from smug.data.kspace.read import read_volume
from smug.data.kspace.volume import MapsEstimator
from smug.data.prepared.full import FullVolume, measured_volume, simulated_volume
from smug.data.prepared.sources import KSPACE, own_folders, safe, stem
from smug.data.prepared.splits import subject_of
from smug.data.simulate import Acquisition
from smug.physics.coils import maps_from_calibration
from smug.physics.espirit import espirit_maps

ESTIMATORS: Mapping[str, MapsEstimator] = {"espirit": espirit_maps, "calibration": maps_from_calibration}
"""How coil maps are estimated, by name."""

CALIBRATION_LINES = 24
"""Central lines along each axis that coil maps are estimated from: about as many as the usual undersampling keeps."""


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
        """What has an influence, as plain values."""
        if self.simulate is None:
            some = {} if self.central is None else {"central": self.central}
            return {"kspace": "measured", "maps": self.maps, "calibration_lines": CALIBRATION_LINES, **some}
        matter = {name: getattr(self.simulate, name) for name in ("coils", "profile_width", "noise", "phase")}
        return {"kspace": "simulated", "size": self.size, **matter}


def full_volumes(path: Path, file: str, name: str, settings: Settings) -> list[tuple[str, str, FullVolume]]:
    """Return what a source file holds: per volume a name, the subject, and the volume.

    ``file`` is its path below the source folder, ``name`` that of :func:`unique_names`. Raises ValueError as the
    readers do, for images without ``settings.simulate``, and for k-space that is undersampled.
    """
    if settings.simulate is None:
        if not path.name.lower().endswith(KSPACE):
            raise ValueError(f"{path}: holds images: smug prepare --simulate makes k-space of them")
        volume = replace(read_volume(path), name=name)
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
