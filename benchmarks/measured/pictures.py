"""One picture per file: reference, oracles and models, with errors, for looking at what is there and what is not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from smug.data.geometry import Geometry
from smug.data.images.write import upright
from smug.reports.figure import ERROR_COLOURS, heading, label, white_level
from smug.system.figures import GAP

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 2.4
"""Width of an image, in inches."""

FACTORS = (50, 20, 10, 5, 2, 1)
"""Errors are shown times one of these: the largest at which the first image's are not cut off."""

TOP = 99
"""Percentile of the errors inside the head that is not cut off."""


@dataclass(frozen=True, eq=False)
class Strip:
    """One case: the images ``(y, x)`` of one slice by name, complex, and what stands below each."""

    title: str
    images: Mapping[str, Tensor]
    labels: Mapping[str, str]


def picture(
    strips: Sequence[Strip], reference: Tensor, head: Tensor, *, geometry: Geometry, title: str = ""
) -> "Figure":
    """Return a figure: two rows for each strip, images and errors; cut to the head, bool ``(y, x)``.

    White is the brightest that is inside the head. Errors | |x| - |t| | are shown times a factor, which is stated, in
    the same window.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(strips[0].images)
    stacks = [
        np.stack([each.abs().float().cpu().numpy() for each in (reference, *strip.images.values())]) for strip in strips
    ]
    white = white_level(stacks[0][0].astype(np.float64))
    factor = _factor(np.abs(stacks[0][1] - stacks[0][0])[head.cpu().numpy()], white)
    (inside,), _ = upright(head.cpu().numpy().astype(np.float32)[None], geometry)
    y, x = (slice(int(where.min()), int(where.max()) + 1) for where in np.nonzero(inside))
    hung = [upright(stack, geometry) for stack in stacks]
    size = hung[0][1]
    aspect = size[0] / size[1]
    high = WIDTH * aspect * (y.stop - y.start) / (x.stop - x.start)
    columns, top, left = 1 + len(names), 0.75, 0.3
    width, height = left + columns * (WIDTH + GAP), 2 * len(strips) * (high + GAP) + top
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    margins = {"left": left / width, "right": 1.0, "bottom": 0.0, "top": 1 - top / height}
    axes: Any = figure.subplots(
        2 * len(strips), columns, squeeze=False, gridspec_kw={**margins, "wspace": GAP / WIDTH, "hspace": GAP / high}
    )
    window: dict[str, Any] = {"vmin": 0, "vmax": white, "interpolation": "nearest", "aspect": aspect}
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.set_frame_on(False)
    for axis, name in zip(axes[0], ("reference", *names), strict=True):
        axis.set_title(heading(name), fontsize=9, parse_math=False)
    for strip, (stack, _), above, below in zip(strips, hung, axes[::2], axes[1::2], strict=True):
        above[0].set_ylabel(strip.title, fontsize=9)
        below[0].set_ylabel(f"errors x {factor}", fontsize=9)
        for axis, image in zip(above, stack, strict=True):
            axis.imshow(image[y, x], cmap="gray", **window)
        for axis, image, name in zip(below[1:], stack[1:], names, strict=True):
            axis.imshow(factor * np.abs(image - stack[0])[y, x], cmap=ERROR_COLOURS, **window)
            label(axis, strip.labels[name])
    figure.suptitle(
        f"{title}. Errors | |x| - |t| | are shown times {factor}.", fontsize=10, y=1 - 0.1 / height, va="top"
    )
    return figure


def _factor(errors: np.ndarray[Any, Any], white: float) -> int:
    top = float(np.percentile(errors, TOP))
    return next((factor for factor in FACTORS if factor * top <= white), FACTORS[-1])
