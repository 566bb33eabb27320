"""Images and error maps of one slice, side by side: what the numbers of a table look like."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from smug.evaluation.row import Outcome, Row
from smug.evaluation.summary import per_cent
from smug.metrics import head_mask
from smug.system.figures import GAP, PANEL, Array
from smug.system.words import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ERROR_COLOURS = "magma"
"""Colour map of errors: its brightness grows throughout, so it reads in greyscale too."""

WHITE = 99
"""Percentile of the magnitudes inside the head that is shown as white."""

RIM = 0.08
"""Width of the rim of the head, skin and fat and skull, as a share of the image's side."""

ZOOM = 6  # an inset shows 1/ZOOM of the image's side


@dataclass(frozen=True, eq=False)
class Picture:
    """Magnitudes ``(y, x)`` of a reconstruction and its target, in units of the target's maximum."""

    row: Row
    image: Array
    target: Array

    @property
    def error(self) -> Array:
        """The error map, | |x| - |t| |."""
        return np.abs(self.image - self.target)

    @cached_property
    def white(self) -> float:
        """The magnitude that is shown as white: the :func:`white_level` of the target."""
        return white_level(self.target)


def picture(outcome: Outcome) -> Picture:
    """Return an outcome as it is shown."""
    image, target = (value.detach().cpu().abs().double().numpy() for value in (outcome.image, outcome.target))
    peak = float(target.max()) or 1.0
    return Picture(outcome.row, image / peak, target / peak)


def white_level(target: Array) -> float:
    """Return the upper end of the display window of a slice, which a target's magnitudes ``(y, x)`` decide.

    It is chosen for what is inside the head, not for the little that is brightest: the 99th percentile of the head
    without its rim, where fat lies; where that leaves nothing, of all of the head. It is the same for all models.
    """
    from scipy.ndimage import distance_transform_edt

    head = head_mask(torch.from_numpy(target)[None])[0].numpy()
    inner = distance_transform_edt(np.pad(head, 1, mode="edge"))[1:-1, 1:-1] > max(1.0, RIM * min(target.shape))
    return float(np.percentile(target[inner if inner.any() else head], WHITE)) or 1.0


def error_limit(pictures: Iterable[Picture]) -> float:
    """Return the upper end of one scale for all error maps: the largest of their 99.5th percentiles, two digits."""
    tops = [float(np.percentile(np.nan_to_num(p.error, posinf=0), 99.5)) for p in pictures]
    return float(f"{max(tops, default=0):.2g}") or 1.0


def comparison_figure(outcomes: Sequence[Outcome], *, title: str = "") -> "Figure":
    """Return a figure of one slice: target and models across, image and error map of every condition down.

    All images of a condition share the window of its target (:func:`white_level`), and all error maps one scale. PSNR
    stands in the panel; the inset enlarges the place where the models differ most. Raises ValueError for outcomes of
    several slices, and where a model lacks a condition.
    """
    models, conditions, cells = _one_slice(outcomes)
    first = cells[conditions[0], models[0]]
    place = most_different([[cells[condition, model] for model in models] for condition in conditions])
    limit = error_limit(cells.values())
    figure, axes, bar = _layout(2 * len(conditions), ("target", *models), first.image.shape, title)
    for condition, above, below in zip(conditions, axes[::2], axes[1::2], strict=True):
        shown = [cells[condition, model] for model in models]
        above[0].set_ylabel(heading(condition), fontsize=9, parse_math=False)
        draw_image(above[0], shown[0].target, place, shown[0].white)
        below[0].axis("off")
        below[0].text(0.5, 0.5, _perturbation(shown), ha="center", va="center", fontsize=7.5, linespacing=1.4)
        for image_axis, error_axis, p in zip(above[1:], below[1:], shown, strict=True):
            draw_image(image_axis, p.image, place, shown[0].white)
            label(image_axis, _decibels(p.row.psnr))
            errors = error_axis.imshow(p.error, cmap=ERROR_COLOURS, vmin=0, vmax=limit, interpolation="nearest")
    figure.colorbar(errors, cax=bar, extend="max")
    bar.tick_params(labelsize=7)
    bar.set_ylabel("error / maximum of the target", fontsize=7)
    figure.text(0.01, 0.08 / figure.get_figheight(), _legend(first, limit), fontsize=7, parse_math=False)
    return figure


def _legend(first: Picture, limit: float) -> str:
    return (
        f"Slice {first.row.slice}. Images: magnitudes, white where the target inside the head is brightest (99th "
        f"percentile), the same for all models. Below them: errors | |x| − |t| |,\n0 to {limit:g} of the target's "
        "maximum on one scale. Numbers: magnitude-slice PSNR, higher is better. Boxes: where the models differ most, "
        "enlarged in a corner."
    )


def _one_slice(
    outcomes: Sequence[Outcome],
) -> tuple[tuple[str, ...], tuple[str, ...], dict[tuple[str, str], Picture]]:
    names = sorted({outcome.row.slice for outcome in outcomes})
    if len(names) != 1:
        raise ValueError(f"got outcomes of {len(names)} slices, expected those of one: {', '.join(names[:5])}")
    models = tuple(dict.fromkeys(outcome.row.model for outcome in outcomes))
    conditions = tuple(dict.fromkeys(outcome.row.condition for outcome in outcomes))
    cells = {(outcome.row.condition, outcome.row.model): picture(outcome) for outcome in outcomes}
    for condition in conditions:
        if missing := [model for model in models if (condition, model) not in cells]:
            raise ValueError(f"got no outcome of {missing[0]} under {condition}, expected every model under each")
    return models, conditions, cells


def most_different(cells: Sequence[Sequence[Picture]]) -> tuple[int, int, int]:
    """Return top, left and side of the square where models differ most under equal conditions; of one, the errors."""
    from scipy.ndimage import uniform_filter

    side = max(4, min(cells[0][0].image.shape) // ZOOM)
    difference = sum(
        np.ptp([p.image for p in models], axis=0) if len(models) > 1 else models[0].error for models in cells
    )
    smooth = uniform_filter(np.nan_to_num(np.asarray(difference), posinf=0), side, mode="constant")
    before, after = side // 2, (side - 1) // 2
    inside = smooth[before : smooth.shape[0] - after, before : smooth.shape[1] - after]
    top, left = np.unravel_index(np.argmax(inside), inside.shape)
    return int(top), int(left), side


def _layout(
    rows: int, names: Sequence[str], shape: tuple[int, ...], title: str
) -> tuple["Figure", NDArray[Any], "Axes"]:
    """Panels of equal size under their headings, and a narrow one on the right for the scale."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    headings = [heading(name) for name in names]
    lines = 1 + max(text.count("\n") for text in headings)
    panel = PANEL * shape[0] / shape[1]
    left, right, bottom, top = 0.3, 0.75, 0.42, 0.15 * (1 + lines) + (0.3 if title else 0)  # inches
    width = left + len(names) * (PANEL + GAP) - GAP + right
    height = bottom + rows * (panel + GAP) - GAP + top
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    margins = {"left": left / width, "right": 1 - right / width, "bottom": bottom / height, "top": 1 - top / height}
    gaps = {"wspace": GAP / PANEL, "hspace": GAP / panel}
    axes: NDArray[Any] = figure.subplots(rows, len(names), squeeze=False, gridspec_kw=margins | gaps)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    for axis, text in zip(axes[0], headings, strict=True):
        axis.set_title(text, fontsize=9, parse_math=False)
    if title:
        figure.suptitle(title, fontsize=11, y=1 - 0.12 / height, va="top", parse_math=False)
    bar = figure.add_axes((1 - (right - 0.1) / width, bottom / height, 0.1 / width, 1.8 / height))
    return figure, axes, bar


def heading(name: str) -> str:
    """Return a name in up to three lines above a panel, cut off where it is longer."""
    return "\n".join(wrap(printable(name), 20, max_lines=3, placeholder="…"))


def draw_image(axis: "Axes", image: Array, place: tuple[int, int, int], white: float = 1.0) -> None:
    """Draw magnitudes from 0 to ``white``, a box at ``place`` (top, left, side), and its content in a corner."""
    from matplotlib.patches import Rectangle

    top, left, side = place
    window: dict[str, Any] = {"cmap": "gray", "vmin": 0, "vmax": white, "interpolation": "nearest"}
    axis.imshow(image, **window)
    axis.add_patch(Rectangle((left - 0.5, top - 0.5), side, side, fill=False, edgecolor="white", linewidth=0.6))
    # The inset lies in the corner that is far from what it shows.
    right_half = left + side / 2 < image.shape[1] / 2
    inset = axis.inset_axes((0.62 if right_half else 0.0, 0.0, 0.38, 0.38 * image.shape[1] / image.shape[0]))
    inset.imshow(image[top : top + side, left : left + side], **window)
    inset.set(xticks=[], yticks=[])
    for spine in inset.spines.values():
        spine.set(edgecolor="white", linewidth=0.6)


def label(axis: "Axes", text: str) -> None:
    """Write into the upper left corner of a panel, so that it can be read on any image."""
    from matplotlib.patheffects import withStroke

    outlined = [withStroke(linewidth=2, foreground="black")]
    axis.text(0.03, 0.97, text, transform=axis.transAxes, color="white", fontsize=7.5, va="top", path_effects=outlined)


def _decibels(psnr: float) -> str:
    return f"{psnr:.2f} dB" if math.isfinite(psnr) else f"{psnr} dB"


def _perturbation(pictures: Sequence[Picture]) -> str:
    sizes = [p.row.relative_l2 for p in pictures]
    if not any(map(math.isfinite, sizes)):
        return "measured\nin another way"
    if not any(sizes):
        return "measurements\nunchanged"
    return f"measurements\nperturbed by\n{per_cent(sizes)}\n(relative l2)"
