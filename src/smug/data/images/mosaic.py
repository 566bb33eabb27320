"""A volume as one picture, to look at."""

import json
import math
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smug.data.geometry import Geometry

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


def spread(count: int, most: int) -> list[int]:
    """Return the numbers of at most ``most`` slices of ``count``, evenly spread."""
    shown = min(count, most)
    return [int((i + 0.5) * count / shown) for i in range(shown)]


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
