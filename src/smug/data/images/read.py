"""Images, whatever their file's format, to simulate scans from."""

import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from smug.data.geometry import Geometry
from smug.data.hdf5 import dataset, opened
from smug.data.images.volume import ImageVolume, check_stored, mapped_slice, numbered, parsing, stored_slices
from smug.data.slices import Slices

PNG_COLOURS = {2: "colour", 3: "a palette", 4: "grey with transparency", 6: "colour with transparency"}
"""Kinds of picture that are not read, by PNG's number."""


def read_images(path: str | Path) -> tuple[ImageVolume, ...]:
    """Read the image volumes of a file; slices are read when needed, and once here to check them.

    By the file's suffix:

    - ``.nii``, ``.nii.gz``: NIfTI, with slices along the third axis and frames along the fourth.
    - ``.png``: one slice in grey of 8 or 16 bits. Colour is refused: which grey is meant only its owner knows.
    - ``.npy``: real or complex numbers ``(y, x)`` or ``(slices, y, x)``; objects are never unpickled.
    - ``.h5``, ``.hdf5``: complex slices or magnitude volumes, see :func:`smug.data.images.read.read_image_hdf5`.

    Raises FileNotFoundError, and ValueError for other files, for those that are damaged or declare more than they hold
    or than is reasonable, and for images that are not finite or zero everywhere.
    """
    path = Path(path)
    readers = {".nii": _nifti, ".nii.gz": _nifti, ".png": _png, ".npy": _npy, ".h5": _hdf5, ".hdf5": _hdf5}
    read = next((reader for suffix, reader in readers.items() if path.name.lower().endswith(suffix)), None)
    if path.is_dir():
        raise ValueError(f"{path}: expected a file of images, got a folder")
    if read is None:
        raise ValueError(f"{path}: expected a file of images whose name ends in one of {', '.join(readers)}")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file, or a link that leads nowhere")
    volumes = read(path)
    for volume in volumes:
        if sum(bool(image.any()) for image in volume.slices) == 0:  # all are read, which checks them
            raise ValueError(f"{path}: {volume.name}: expected images, got only zeros")
    return volumes


def _nifti(path: Path) -> tuple[ImageVolume, ...]:
    from smug.data.images.nifti import read_nifti

    return (read_nifti(path),)


def _hdf5(path: Path) -> tuple[ImageVolume, ...]:
    from smug.data.hdf5_check import check_readable

    check_readable(path)
    return read_image_hdf5(path)


def _npy(path: Path) -> tuple[ImageVolume, ...]:
    with parsing(path, "npy"), path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        sizes, is_fortran, dtype = header(file)
        offset = file.tell()
    if len(sizes) not in (2, 3):
        raise ValueError(f"{path}: expected an array (y, x) or (slices, y, x), got {sizes}")
    shape = (1 if len(sizes) == 2 else sizes[0], sizes[-2], sizes[-1])
    check_stored(str(path), shape, dtype)
    read = partial(mapped_slice, path, dtype, offset, shape, "F" if is_fortran else "C")
    with parsing(path, "npy"):
        read(0)
    return (_volume(path, stored_slices(str(path), shape, read)),)


def _png(path: Path) -> tuple[ImageVolume, ...]:
    with parsing(path, "PNG"), path.open("rb") as file:
        kind, width, height, bits, colour = struct.unpack(">8x4x4sIIBB", file.read(26))
        if kind != b"IHDR":
            raise ValueError("no header")
    if colour in PNG_COLOURS or bits not in (8, 16):
        got = PNG_COLOURS.get(colour, "grey")
        raise ValueError(f"{path}: expected grey of 8 or 16 bits, got {got} of {bits}: convert it first")
    shape = (1, height, width)
    check_stored(str(path), shape, np.dtype(np.uint16))
    return (_volume(path, stored_slices(str(path), shape, partial(_png_slice, path))),)


def _png_slice(path: Path, index: int) -> NDArray[Any]:
    from PIL import Image

    with parsing(path, "PNG"), Image.open(path, formats=["PNG"]) as image:
        return np.array(image)


def _volume(path: Path, slices: Slices[Tensor]) -> ImageVolume:
    return ImageVolume(path.stem, path.stem, numbered(path.stem, len(slices)), slices)


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
    if size.shape != (3,) or size.dtype.kind not in "iuf" or not (np.isfinite(size) & (size >= 0)).all():
        raise ValueError(f"{where}: {VOXEL_SIZE}: expected three positive numbers, got {size}")
    y, x, z = (extent or 1.0 for extent in size.tolist())  # 0 is not stated
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
