"""One slice by several models, with errors where the full scan is known."""

from collections.abc import Mapping
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from smug.data.geometry import Geometry
from smug.data.images.write import upright
from smug.metrics import psnr
from smug.reports.figure import ERROR_COLOURS, label, white_level
from smug.system.figures import GAP

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 2.4
"""Width of an image, in inches."""


def side_by_side(
    images: Mapping[str, Tensor], reference: Tensor | None = None, *, geometry: Geometry, title: str = ""
) -> "Figure":
    """Return a figure of one slice, complex ``(y, x)`` by every model, and of the ``reference`` before them.

    Below are the errors | |x| - |t| | against it, all on one scale. Images share one window, that of
    the reference, or without one of the brightest (:func:`smug.reports.figure.white_level`); they hang as radiologists
    are used to where the geometry is known. Raises ValueError where there is nothing to draw.
    """
    if not images:
        raise ValueError("got no images, expected those of at least one model")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = dict(images) if reference is None else {"reference": reference, **images}
    stack = np.stack([image.detach().cpu().abs().float().numpy() for image in shown.values()])
    slices, size = upright(stack, geometry)
    white = max(map(white_level, slices if reference is None else slices[:1]))
    rows = 1 if reference is None else 2
    aspect = size[0] / size[1]
    high = WIDTH * aspect * slices.shape[1] / slices.shape[2]
    top, side = 0.65, 0.7  # inches
    width, height = len(shown) * (WIDTH + GAP) + side, rows * (high + GAP) + top
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    margins = {"left": GAP / width, "right": 1 - side / width, "bottom": GAP / height, "top": 1 - top / height}
    axes: Any = figure.subplots(
        rows, len(shown), squeeze=False, gridspec_kw={**margins, "wspace": GAP / WIDTH, "hspace": GAP / high}
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, name, values in zip(axes[0], shown, slices, strict=True):
        axis.imshow(values, cmap="gray", vmin=0, vmax=white, interpolation="nearest", aspect=aspect)
        axis.set_title(fill(name, 26), fontsize=9, parse_math=False)
    if reference is not None:
        errors = np.abs(slices[1:] - slices[:1]) / white
        limit = float(f"{np.percentile(errors, 99.5):.2g}") or 1.0
        for axis, image, values in zip(axes[1][1:], images.values(), errors, strict=True):
            drawn = axis.imshow(values, cmap=ERROR_COLOURS, vmin=0, vmax=limit, interpolation="nearest", aspect=aspect)
            label(axis, f"{float(psnr(image[None], reference[None])):.2f} dB")
        bar = figure.add_axes((1 - (side - 0.12) / width, GAP / height, 0.1 / width, high / height))
        figure.colorbar(drawn, cax=bar, extend="max")
        bar.tick_params(labelsize=7)
        bar.set_ylabel("error / white of the images", fontsize=7)
    figure.suptitle(title, fontsize=10, y=1 - 0.1 / height, va="top", parse_math=False)
    return figure
