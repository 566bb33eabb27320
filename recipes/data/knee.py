"""Make the set "knee", two echoes of one knee for tests: python -m recipes.data.knee SOURCE DATA.

Needs ``pip install pydicom``. SOURCE is data/MESE_T2_dicom_data_anon of https://github.com/gattia/pymskt, commit
0f56f055fd154befe1e67ce82b2fa2de22dfdff5 (MIT): its DICOM files are 24 sagittal slices of several echoes. DATA gets
knee_mese_magnitude/knee.h5, and is what SMUG_DATA names.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recipes.data.whole import whole_file

ECHOES = (2, 6)
"""The echoes that are kept, counted from 1: like proton density, and T2-weighted."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A DICOM image: its echo time in ms, its place along the slices in mm, and magnitudes ``(y, x)``."""

    echo_time: float
    location: float
    pixels: NDArray[Any]


def convert(source: Path, data: Path) -> None:
    """Write the file; raises FileNotFoundError where there are no DICOM files."""
    pictures = [read(path) for path in sorted(source.glob("*.dcm"))]
    if not pictures:
        raise FileNotFoundError(f"no DICOM files in {source}")
    store(pictures, data / "knee_mese_magnitude" / "knee.h5")


def read(path: Path) -> Picture:
    """Read a DICOM file."""
    import pydicom

    found = pydicom.dcmread(path)
    return Picture(float(found.EchoTime), float(found.SliceLocation), found.pixel_array)


def store(pictures: Iterable[Picture], path: Path) -> None:
    """Write a volume of each echo that is kept; raises ValueError where echoes have different slices."""
    volumes: dict[float, dict[float, NDArray[Any]]] = {}
    for picture in pictures:
        volumes.setdefault(picture.echo_time, {})[picture.location] = picture.pixels
    times = sorted(volumes)
    locations = sorted(volumes[times[0]])
    if len(times) < max(ECHOES) or any(sorted(volume) != locations for volume in volumes.values()):
        raise ValueError(f"expected {max(ECHOES)} echoes or more of the same slices, got echo times {times} ms")
    with whole_file(path) as file:
        for echo in ECHOES:
            time = times[echo - 1]
            images = np.stack([volumes[time][location] for location in locations]).astype(np.uint16)
            file.create_dataset(
                f"echo{echo}_TE{time:.1f}ms",
                data=images,
                chunks=(1, *images.shape[1:]),
                compression="gzip",
                compression_opts=9,
                shuffle=True,
            )
        file["slice_location_mm"] = np.array(locations)


if __name__ == "__main__":
    convert(*map(Path, sys.argv[1:]))
