"""NIfTI files: images in, reconstructions out."""

import gzip
import json
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from smug.data.geometry import Geometry
from smug.data.hdf5 import MAX_BYTES
from smug.data.images.volume import (
    ImageVolume,
    ReadSlice,
    check_stored,
    mapped_slice,
    numbered,
    parsing,
    stored_slices,
)

MAX_GZIP_BYTES = 2 * 2**30
"""Largest volume that is read from a ``.nii.gz``, in bytes: it is decompressed into memory."""

MAX_COMPRESSION = 1032
"""No gzip file is smaller than its content by more than this factor."""

TO_MILLIMETRES = {1: 1e3, 3: 1e-3}
"""NIfTI's units of length that are not mm: metres and micrometres."""

UNKNOWN, SCANNER = 0, 1
"""NIfTI's codes for coordinates that are not known, and for those of the scanner."""


def read_nifti(path: Path) -> ImageVolume:
    """Read the images of a ``.nii`` or ``.nii.gz`` file, NIfTI-1 or NIfTI-2.

    The first axis is x, the second y; slices lie along the third and frames along the fourth. The header's slope and
    intercept are applied. Raises ValueError for files of another form, and for those that do not hold what their
    header declares.
    """
    compressed = path.suffix.lower() == ".gz"
    with parsing(path, "NIfTI"):
        with _opened(path, compressed) as file:
            header = _header(file.read(540))
        sizes = tuple(int(n) for n in header.get_data_shape())
        dtype, offset = header.get_data_dtype(), header.get_data_offset() or header.single_vox_offset
        slope, intercept = header.get_slope_inter()
        geometry = _geometry(header)
    if len(sizes) < 2 or any(n != 1 for n in sizes[4:]):
        raise ValueError(f"{path}: expected sizes (x, y, slices) or (x, y, slices, frames), got {sizes}")
    check_affine(geometry, str(path))
    shape = (math.prod(sizes[2:4]), sizes[1], sizes[0])  # the first index of a file varies fastest
    check_stored(str(path), shape, dtype, limit=MAX_GZIP_BYTES if compressed else MAX_BYTES)
    read: ReadSlice = partial(mapped_slice, path, dtype, offset, shape, "C")
    with parsing(path, "NIfTI"):
        if compressed:
            read = partial(_held, _decompressed(path, dtype, offset, shape))
        read(0)
    if slope is not None:
        read = partial(_scaled, read, slope, intercept)
    name = path.name[: -len(".nii.gz" if compressed else ".nii")]
    return ImageVolume(name, name, numbered(name, shape[0]), stored_slices(str(path), shape, read), geometry)


def nifti_bytes(
    volume: NDArray[np.float32], geometry: Geometry, attributes: Mapping[str, Any], frames: int = 1
) -> bytes:
    """Return the NIfTI-1 file of a volume ``(slices, y, x)``, those of the first frame first.

    ``descrip`` holds ``attributes["notice"]``, a comment all attributes as JSON. Raises ValueError for sizes that NIfTI
    cannot hold.
    """
    import nibabel

    data = volume.reshape(frames, -1, *volume.shape[1:]).transpose(3, 2, 1, 0)
    if max(data.shape) > np.iinfo(np.int16).max:
        raise ValueError(
            f"NIfTI: got sizes {data.shape}, at most {np.iinfo(np.int16).max} each can be written: use .h5"
        )
    image = nibabel.Nifti1Image(data if frames > 1 else data[..., 0], geometry.affine)
    code = SCANNER if geometry.oriented else UNKNOWN
    image.set_qform(geometry.affine, code)
    image.set_sform(geometry.affine, code)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = str(attributes["notice"])[:79]
    comment = json.dumps(dict(attributes)).encode()
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", comment))
    content: bytes = image.to_bytes()
    return content


def check_affine(geometry: Geometry, where: str) -> None:
    """Raise ValueError, beginning with ``where``, if the voxels have no volume."""
    affine = geometry.affine
    if not np.isfinite(affine).all() or np.linalg.matrix_rank(affine[:3, :3]) < 3:
        raise ValueError(f"{where}: expected voxels with a volume, got the affine {affine.tolist()}")


def _opened(path: Path, compressed: bool) -> IO[bytes]:
    file: IO[bytes] = gzip.GzipFile(path) if compressed else path.open("rb")  # type: ignore[assignment]
    return file


def _header(block: bytes) -> Any:
    """The header alone: extensions, whose size a file may overstate, are not read."""
    import nibabel

    if len(block) < 348:
        raise ValueError(f"expected a header of at least 348 bytes, got {len(block)}")
    of_second_version = 540 in (int.from_bytes(block[:4], order) for order in ("little", "big"))
    kind: Any = nibabel.Nifti2Header if of_second_version else nibabel.Nifti1Header
    header = kind(block[: kind.sizeof_hdr])
    if header["magic"].item() != header.single_magic:
        raise ValueError("expected the header and the images in one file, got a header whose images are in another")
    return header


def _geometry(header: Any) -> Geometry:
    """Return the geometry; voxel sizes of 0 mean not stated and become 1 mm, as do those of a degenerate affine."""
    scale = TO_MILLIMETRES.get(int(header["xyzt_units"]) & 7, 1.0)
    if header["sform_code"] or header["qform_code"]:
        affine = np.array(header.get_best_affine(), dtype=np.float64)
        affine[:3] *= scale
        if not np.isfinite(affine).all() or np.linalg.matrix_rank(affine[:3, :3]) == 3:  # else it tells nothing
            return Geometry(affine, oriented=True)
    x, y, z = (float(size) * scale or 1.0 for size in (*header.get_zooms(), 1.0 / scale)[:3])
    return Geometry.spaced(y=y, x=x, z=z)


def _decompressed(path: Path, dtype: "np.dtype[Any]", offset: int, shape: tuple[int, int, int]) -> NDArray[Any]:
    size = offset + math.prod(shape) * dtype.itemsize
    if not 0 < size <= MAX_COMPRESSION * path.stat().st_size or offset > MAX_GZIP_BYTES:
        raise ValueError(f"the header declares {size:,} bytes, which the file cannot hold")
    with _opened(path, True) as file:
        file.seek(offset)
        content = file.read(size - offset)
        file.read(1)  # at the end, where the checksum is
    return np.frombuffer(content, dtype).reshape(shape)


def _held(values: NDArray[Any], index: int) -> NDArray[Any]:
    held: NDArray[Any] = values[index]
    return held


def _scaled(read: ReadSlice, slope: float, intercept: float, index: int) -> NDArray[Any]:
    values: NDArray[Any] = read(index) * slope + intercept
    return values
