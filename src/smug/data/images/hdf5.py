"""Images in HDF5: complex slices with their scale, or magnitude volumes."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smug.data.geometry import Geometry
from smug.data.hdf5 import dataset, opened
from smug.data.images.volume import ImageVolume, check_stored, numbered, parsing, stored_slices

VOXEL_SIZE = "voxel_mm_row_col_slice"
"""Attribute of a magnitude data set: the size of a voxel along y, x and slice in mm."""


def read_image_hdf5(path: Path) -> tuple[ImageVolume, ...]:
    """Read image volumes from HDF5, of one of two forms.

    Complex: ``image_ri`` ``(slices, 2, y, x)`` is multiplied by ``scale`` ``(slices,)``; ``subject`` ``(slices,)`` is
    optional, every subject becomes a volume. Otherwise every data set ``(slices, y, x)`` is a volume of magnitudes,
    with the optional attributes ``patient`` and ``voxel_mm_row_col_slice``. Raises ValueError for any other file.
    """
    with parsing(path, "HDF5"), opened(path) as file:
        names = list(file)
        if "kspace" in names or "dataset" in names:
            raise ValueError(f"{path}: expected images, got k-space, which needs no simulation")
        volumes = tuple(_complex_volumes(path, file) if "image_ri" in names else _magnitude_volumes(path, file))
    if not volumes:
        raise ValueError(f"{path}: expected image_ri with scale, or magnitude volumes (slices, y, x)")
    return volumes


def _complex_volumes(path: Path, file: Any) -> Iterator[ImageVolume]:
    parts, scales, subjects = _listed(file, "image_ri"), dataset(file, "scale"), dataset(file, "subject")
    per_slice = [scales] if subjects is None else [scales, subjects]
    if parts.ndim != 4 or parts.shape[1] != 2 or any(a is None or a.shape != parts.shape[:1] for a in per_slice):
        raise ValueError(f"{path}: expected image_ri (slices, 2, y, x), and scale and subject (slices,)")
    where, (count, _, height, width) = f"{path.parent.name}-{path.stem}", parts.shape
    check_stored(f"{path}: image_ri", (count, height, width), parts.dtype, kinds="iuf")
    rows: dict[str, list[int]] = {}
    for i, subject in enumerate([where] * count if subjects is None else subjects[()]):
        rows.setdefault(str(subject), []).append(i)
    names = numbered(where, count)
    for subject, own in rows.items():
        shape, read = (len(own), height, width), partial(_complex_slice, path, tuple(own))
        slices = stored_slices(f"{path}: image_ri of subject {subject}", shape, read)
        name = where if len(rows) == 1 else f"{where}-{subject}"
        yield ImageVolume(name, subject, tuple(names[i] for i in own), slices)


def _magnitude_volumes(path: Path, file: Any) -> Iterator[ImageVolume]:
    for name in file:
        found = _listed(file, name)
        if found.ndim == 3:
            where = f"{path}: {name}"
            check_stored(where, found.shape, found.dtype, kinds="iuf")
            slices = stored_slices(where, found.shape, partial(_magnitude_slice, path, name))
            subject = str(found.attrs.get("patient", name))
            yield ImageVolume(name, subject, numbered(name, len(slices)), slices, _geometry(found, where))


def _geometry(found: Any, where: str) -> Geometry:
    size = np.asarray(found.attrs.get(VOXEL_SIZE, (1, 1, 1)))
    if size.shape != (3,) or size.dtype.kind not in "iuf" or not (np.isfinite(size) & (size > 0)).all():
        raise ValueError(f"{where}: {VOXEL_SIZE}: expected three positive numbers, got {size}")
    y, x, z = size.tolist()
    return Geometry.spaced(y=y, x=x, z=z)


def _complex_slice(path: Path, rows: tuple[int, ...], index: int) -> NDArray[Any]:
    real, imaginary = _entry(path, "image_ri", rows[index]).astype(np.float32) * _entry(path, "scale", rows[index])
    image: NDArray[Any] = real + 1j * imaginary
    return image


def _magnitude_slice(path: Path, name: str, index: int) -> NDArray[Any]:
    magnitudes: NDArray[Any] = _entry(path, name, index)
    return magnitudes


def _entry(path: Path, name: str, index: int) -> Any:
    with opened(path) as file:
        return _listed(file, name)[index]


def _listed(file: Any, name: str) -> Any:
    """The data set of a name that the file lists."""
    found = dataset(file, name)
    if found is None:
        raise ValueError(f"{file.filename}: {name!r} is listed but not there: the file is damaged, or has changed")
    return found
