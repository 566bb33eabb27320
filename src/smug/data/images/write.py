"""Reconstructed images, and the files they are written to."""

import gzip
import json
import math
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smug.data.geometry import Geometry
from smug.data.images.nifti import check_affine
from smug.data.slices import spread
from smug.system.files import write_atomically
from smug.version import __version__

Magnitudes = NDArray[np.float32]

NOTICE = "research use only, not for diagnosis"

FORMATS = (".h5", ".hdf5", ".nii", ".nii.gz", ".png")
"""What the name of a written file may end in."""


def write_images(
    path: str | Path,
    images: Tensor,
    *,
    geometry: Geometry,
    metadata: Mapping[str, Any],
    noise_std: Tensor | None = None,
    frames: int = 1,
) -> None:
    """Write the magnitudes of images, real or complex ``(slices, y, x)``, whole or not at all.

    Slices are those of the first of ``frames``, then those of the second, ... ``noise_std``, real and of the same
    shape, is written where it is known. ``metadata`` are values or, nested, become JSON: by custom ``model``,
    ``input``, ``acceleration`` and ``settings``. The version, the units and the notice "research use only" are always
    there. The format is that of the suffix:

    - ``.h5``, ``.hdf5``: data sets ``reconstruction`` and ``noise_std``, float32 ``(slices, y, x)``; metadata, the
      ``affine`` of the geometry and whether it is ``oriented``, ``voxel_size_mm`` ``(y, x, slice)`` and ``frames`` as
      attributes.
    - ``.nii``, ``.nii.gz``: float32 ``(x, y, slice)`` or ``(x, y, slice, frame)`` with the geometry; metadata as a
      comment. The noise is in a second file, whose name ends in ``_noise_std``.
    - ``.png``: a picture to look at, see :func:`smug.data.images.write.png_bytes`; metadata as text. The noise is a
      second picture.

    Raises ValueError for another suffix, for images of another shape or that are not finite, and OSError where a file
    cannot be written.
    """
    path, suffix = Path(path), check_format(path)
    volumes = {"reconstruction": _magnitudes("reconstruction", images, images.shape)}
    if noise_std is not None:
        volumes["noise_std"] = _magnitudes("noise_std", noise_std, images.shape)
    check_affine(geometry, "geometry")
    if frames < 1 or len(images) % frames:
        raise ValueError(f"frames: expected a divisor of the number of slices {len(images)}, got {frames}")
    attributes = {
        "smug_version": __version__,
        "notice": NOTICE,
        "units": "those of the input k-space",
        "kspace": "measured",
        **metadata,
        "frames": frames,
    }
    if suffix in (".h5", ".hdf5"):
        _write_together({path: _hdf5(volumes, geometry, attributes)})
        return
    encode = _png if suffix == ".png" else _nifti if suffix == ".nii" else _compressed_nifti
    paths = {"reconstruction": path, "noise_std": noise_path(path) or path}
    _write_together({paths[name]: encode(volume, geometry, attributes) for name, volume in volumes.items()})


def check_format(path: str | Path) -> str:
    """Return which of :data:`FORMATS` a path names; raises ValueError if none.

    >>> check_format("brain.nii.gz")
    '.nii.gz'
    """
    name = Path(path).name.lower()
    for suffix in FORMATS:
        if name.endswith(suffix):
            return suffix
    raise ValueError(f"{path}: expected a file name that ends in one of {', '.join(FORMATS)}")


def noise_path(path: Path) -> Path | None:
    """Return where the noise of images at ``path`` is written, None if it is in the same file; raises ValueError.

    >>> noise_path(Path("brain.nii.gz")).name
    'brain_noise_std.nii.gz'
    """
    suffix = check_format(path)
    if suffix in (".h5", ".hdf5"):
        return None
    return path.with_name(f"{path.name[: -len(suffix)]}_noise_std{path.name[-len(suffix) :]}")


def _magnitudes(name: str, volume: Tensor, shape: torch.Size) -> Magnitudes:
    if volume.ndim != 3 or volume.shape != shape or 0 in shape:
        raise ValueError(f"{name}: expected (slices, y, x) like the reconstruction, got {tuple(volume.shape)}")
    magnitudes: Magnitudes = volume.detach().abs().to("cpu", torch.float32).numpy()
    if not np.isfinite(magnitudes).all():
        raise ValueError(f"{name}: expected finite single-precision values, got NaN or infinite ones")
    return magnitudes


def _hdf5(volumes: Mapping[str, Magnitudes], geometry: Geometry, attributes: Mapping[str, Any]) -> bytes:
    import h5py

    file_in_memory = BytesIO()  # HDF5 does not report every failure to write; Python does
    with h5py.File(file_in_memory, "w") as file:
        for name, volume in volumes.items():
            file.create_dataset(name, data=volume)
        for key, value in attributes.items():
            file.attrs[key] = value if isinstance(value, str | int | float) else json.dumps(value)
        file.attrs["affine"] = geometry.affine
        file.attrs["oriented"] = geometry.oriented
        file.attrs["voxel_size_mm"] = geometry.voxel_size
    return file_in_memory.getvalue()


def _nifti(volume: Magnitudes, geometry: Geometry, attributes: Mapping[str, Any]) -> bytes:
    from smug.data.images.nifti import nifti_bytes

    return nifti_bytes(volume, geometry, attributes, attributes["frames"])


def _compressed_nifti(volume: Magnitudes, geometry: Geometry, attributes: Mapping[str, Any]) -> bytes:
    return gzip.compress(_nifti(volume, geometry, attributes), compresslevel=1, mtime=0)


def _png(volume: Magnitudes, geometry: Geometry, attributes: Mapping[str, Any]) -> bytes:

    return png_bytes(volume, geometry, attributes)


def _write_together(contents: Mapping[Path, bytes]) -> None:
    """Write all files or none: each takes its place only when the next ones have taken theirs."""
    (path, content), *others = contents.items()

    def write(temporary: Path) -> None:
        temporary.write_bytes(content)
        if others:
            _write_together(dict(others))

    write_atomically(path, write)


MAX_TILES = 144
"""Most slices that are shown; of more, these are spread evenly over the volume."""

MAX_SIDE = 4096
"""Longest side of a picture, in pixels: slices become smaller if need be."""

WINDOW_PERCENTILE = 99.8
"""White is at this percentile of what is not zero."""

GAP, GAP_GREY = 2, 48
"""Width in pixels and grey of the lines between slices."""


def png_bytes(volume: NDArray[np.float32], geometry: Geometry, attributes: Mapping[str, Any]) -> bytes:
    """Return the PNG picture, 8-bit grey, of the slices of a volume ``(slices, y, x)``, row by row.

    At most 144 slices are shown, evenly spread. They have one window, from zero to the 99.8th percentile of what is not
    zero; pixels are square. An oriented volume hangs as radiologists are used to, see :func:`upright`. The
    ``attributes``, the ``window`` and the numbers of the ``slices`` are the picture's text.
    """
    from PIL import Image, PngImagePlugin

    shown = spread(len(volume), MAX_TILES)
    volume = volume[shown]
    white = window(volume)
    slices, size = upright(volume, geometry)
    grey = mosaic(slices / (white or 1), size)
    text = PngImagePlugin.PngInfo()
    for key, value in {**attributes, "window": [0, white], "slices": shown}.items():
        text.add_text(key, value if isinstance(value, str) else json.dumps(value))
    file = BytesIO()
    Image.fromarray(grey).save(file, "PNG", pnginfo=text)
    return file.getvalue()


def window(volume: NDArray[np.float32]) -> float:
    """Return the value that is shown in white; 0 for a volume of zeros."""
    signal = volume[volume != 0]
    return float(np.percentile(signal, WINDOW_PERCENTILE)) if signal.size else 0.0


def upright(volume: NDArray[np.float32], geometry: Geometry) -> tuple[NDArray[np.float32], tuple[float, float]]:
    """Return slices ``(slice, row, column)`` as they are hung on a wall, and the size of their pixels in mm.

    The patient's right is at the left, anterior at the top (in sagittal slices at the left), superior at the top. A
    volume without an orientation stays as it is.
    """
    y, x, _ = geometry.voxel_size
    if not geometry.oriented:
        return volume, (y, x)
    from nibabel.orientations import io_orientation

    axes, signs = io_orientation(geometry.affine).astype(int).T  # 0, 1, 2: right, anterior, superior
    volume = volume[:, :: -signs[1], :: -signs[0]]
    return (volume.swapaxes(1, 2), (x, y)) if axes[0] > axes[1] else (volume, (y, x))


def mosaic(slices: NDArray[np.float32], size: tuple[float, float]) -> NDArray[np.uint8]:
    """Return slices ``(slice, y, x)`` of values from 0 to 1 side by side, about as wide as high.

    ``size`` is that of a pixel along y and x; the larger side is resampled until they are equal.
    """
    from PIL import Image

    count, height, width = slices.shape
    high, wide = height * size[0] / min(size), width * size[1] / min(size)
    columns = max(1, min(count, math.ceil(math.sqrt(count * high / wide) - 0.1)))
    rows = math.ceil(count / columns)
    shrink = min(1.0, (MAX_SIDE // rows - GAP) / high, (MAX_SIDE // columns - GAP) / wide)
    high, wide = (max(1, round(shrink * extent)) for extent in (high, wide))
    canvas = np.zeros((rows * (high + GAP) - GAP, columns * (wide + GAP) - GAP), dtype=np.uint8)
    canvas[high :: high + GAP] = canvas[high + 1 :: high + GAP] = GAP_GREY
    canvas[:, wide :: wide + GAP] = canvas[:, wide + 1 :: wide + GAP] = GAP_GREY
    for i, values in enumerate(slices):
        tile = Image.fromarray(values).resize((wide, high), Image.Resampling.BICUBIC)
        top, left = i // columns * (high + GAP), i % columns * (wide + GAP)
        canvas[top : top + high, left : left + wide] = np.clip(255 * np.asarray(tile), 0, 255).round()
    return canvas
