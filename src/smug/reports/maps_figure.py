"""One picture of coil maps: what they look like, where they are trusted, and what they leave unexplained."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from smug.data.kspace.volume import Volume
from smug.physics.fourier import ifft2c
from smug.physics.maps.estimate import estimate_maps
from smug.physics.masks import calibration_region
from smug.reports.figure import ERROR_COLOURS
from smug.system.figures import GAP, Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

BACKGROUND = 0.1
"""Where the root sum of squares is below this fraction of its 99th percentile there is nothing to explain."""

FAINT = 0.05
"""Where the magnitude of a map is below this its phase is left out: a coil that sees nothing has none."""

RESIDUAL_LIMIT = 0.2
"""Upper end of the scale of the residual, the same in every picture."""

COLUMNS = 8
"""Most coils side by side."""

WIDTH, PANEL, MARGIN, HEADING, BASELINE, SCALE = 7.6, 1.6, 0.15, 0.3, 0.24, 0.75  # inches

NUMBER: dict[str, Any] = {
    "fontsize": 7,
    "va": "top",
    "color": "white",
    "bbox": {"facecolor": "black", "alpha": 0.6, "linewidth": 0, "pad": 1.2},
}
"""How the number of a coil is written."""


@dataclass(frozen=True)
class Colours:
    """How the values of a row of panels are shown."""

    cmap: str
    limits: tuple[float, float]
    ticks: Sequence[float]
    labels: Sequence[str]
    extend: str = "neither"


MAGNITUDE = Colours("gray", (0, 1), (0, 0.5, 1), ("0", "0.5", "1"))
IMAGE = replace(MAGNITUDE, extend="max")
PHASE = Colours("twilight", (-math.pi, math.pi), (-math.pi, 0, math.pi), ("−π", "0", "π"))
EIGENVALUE = Colours("viridis", (0, 1), (0, 0.5, 0.8, 1), ("0", "0.5", "0.8", "1"))
RESIDUAL = Colours(ERROR_COLOURS, (0, RESIDUAL_LIMIT), (0, 0.1, 0.2), ("0", "10 %", "20 %"), extend="max")

BORDER = {IMAGE: "white", EIGENVALUE: "black"}
"""Panels that show where the maps end, and the colour of that line."""


def slice_maps_figure(volume: Volume, index: int) -> "Figure":
    """Return :func:`maps_figure` of a slice of measured data, with the ESPIRiT maps that reconstruct it.

    The coil images are those of the full scan, where it is known, else of the calibration region alone. Raises
    ValueError for a single coil, and as :func:`smug.physics.maps.estimate_maps` does.
    """
    y, mask = (volume if volume.calibration is None else volume.calibration).measured(index)
    if y.shape[1] == 1:
        raise ValueError(f"{volume.name}: a single coil has no maps to draw")
    result = estimate_maps(y, mask)
    rows, columns = calibration_region(mask)
    centre = torch.zeros_like(y)
    centre[..., rows, columns] = y[..., rows, columns]
    images = ifft2c(volume.kspace[index] if volume.fully_sampled else centre[0])
    title = f"{volume.names[index]}: maps of patches of {' x '.join(map(str, result.kernels[0]))}"
    return maps_figure(result.maps[0], images, result.eigenvalues[0], title=title)


def unexplained(maps: Tensor, coil_images: Tensor) -> Tensor:
    """The part of coil images outside the model, ``|(1 - s s^H) m| / |m|``, real ``(y, x)``, between 0 and 1.

    ``maps`` s and ``coil_images`` m are complex ``(coil, y, x)``. It is 1 where the maps are zero, 0 without signal.
    """
    length = torch.linalg.vector_norm(coil_images, dim=0)
    rest = torch.linalg.vector_norm(coil_images - maps * (maps.conj() * coil_images).sum(0), dim=0)
    relative: Tensor = rest / torch.where(length > 0, length, 1)
    return relative


def maps_figure(maps: Tensor, coil_images: Tensor, eigenvalues: Tensor | None = None, *, title: str = "") -> "Figure":
    """Return a figure of one slice's coil maps, to be written by :func:`smug.system.figures.write_figure`.

    ``maps`` and ``coil_images`` are complex ``(coil, y, x)``, ``eigenvalues`` are those of ESPIRiT, real ``(y, x)``.
    Above are magnitude and phase of every map; below the image (root sum of squares), the eigenvalues, and the part of
    the coil images outside the model, which is left out in the background and where the coil images are undersampled
    shows aliasing as well. Raises ValueError for shapes that do not agree.
    """
    _check(maps, coil_images, eigenvalues)
    maps, coil_images = maps.detach().cpu(), coil_images.detach().cpu()
    rss = _array(torch.linalg.vector_norm(coil_images, dim=0))
    bright = float(np.percentile(rss, 99)) or 1.0
    inside, covered = rss > BACKGROUND * bright, _array(maps.abs().amax(0)) > 0
    residual = _array(unexplained(maps, coil_images))
    energy = np.average(residual[inside] ** 2, weights=rss[inside] ** 2) if inside.any() else 0.0
    above = _of_coils(maps)
    below = [("image (root sum of squares)", rss / bright, IMAGE)]
    if eigenvalues is not None:
        below.append(("eigenvalue", _array(eigenvalues.detach().cpu()), EIGENVALUE))
    below.append(("residual outside the model / image", np.where(inside, residual, np.nan), RESIDUAL))

    aspect = maps.shape[1] / maps.shape[2]
    columns = min(len(maps), COLUMNS)
    small, large = min(PANEL, (WIDTH - SCALE) / columns), WIDTH / 3 - SCALE
    block = HEADING + math.ceil(len(maps) / columns) * small * aspect
    top = HEADING if title else 0
    figure = _figure(WIDTH + 2 * MARGIN, top + 2 * block + HEADING + large * aspect + HEADING + MARGIN)
    if title:
        figure.suptitle(title, fontsize=11, y=1 - 0.1 / figure.get_figheight(), va="top", parse_math=False)
    for name, values, colours in above:
        _write(figure, MARGIN, top + BASELINE, name, fontsize=9)
        for c, value in enumerate(values):
            row, column = divmod(c, columns)
            place = MARGIN + column * small, top + HEADING + row * small * aspect
            axis, shown = _draw(figure, place, (small - GAP, (small - GAP) * aspect), value, colours)
            axis.text(0.04, 0.96, f"{c + 1}", transform=axis.transAxes, **NUMBER)
        _scale(figure, shown, colours, (MARGIN + columns * small, top + HEADING), block - HEADING - GAP * aspect)
        top += block
    for i, (name, value, colours) in enumerate(below):
        left = MARGIN + i * (large + SCALE)
        _write(figure, left, top + BASELINE, name, fontsize=9)
        axis, shown = _draw(figure, (left, top + HEADING), (large, large * aspect), value, colours)
        if colours in BORDER and covered.any() and not covered.all():
            axis.contour(covered, levels=[0.5], colors=BORDER[colours], linewidths=0.8, linestyles="dashed")
        _scale(figure, shown, colours, (left + large + GAP, top + HEADING), large * aspect)
    share = f"{100 * energy:.2f} % of the energy of the object is outside the model"
    cover = f"the maps cover {100 * covered.mean():.0f} % of the field of view, within the dashed line"
    _write(figure, MARGIN, figure.get_figheight() - 0.12, share if covered.all() else f"{share}; {cover}", fontsize=7)
    return figure


def _of_coils(maps: Tensor) -> list[tuple[str, Array, Colours]]:
    """Return what is drawn of every coil: magnitude and phase ``(coil, y, x)``."""
    magnitudes, phases = _array(maps.abs()), _array(maps.angle())
    phases[magnitudes < FAINT] = np.nan
    return [
        ("magnitude of the maps", magnitudes, MAGNITUDE),
        (f"phase, where the magnitude is above {FAINT:g}", phases, PHASE),
    ]


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def _axes(figure: "Figure", place: tuple[float, float], size: tuple[float, float]) -> "Axes":
    """Axes of a size at a place, in inches from the upper left corner of the figure."""
    (left, top), (width, height), (w, h) = place, size, figure.get_size_inches()
    return figure.add_axes((left / w, 1 - (top + height) / h, width / w, height / h))


def _write(figure: "Figure", left: float, baseline: float, text: str, fontsize: float) -> None:
    w, h = figure.get_size_inches()
    figure.text(left / w, 1 - baseline / h, text, fontsize=fontsize, parse_math=False)


def _draw(
    figure: "Figure", place: tuple[float, float], size: tuple[float, float], values: Array, colours: Colours
) -> tuple["Axes", "AxesImage"]:
    axis = _axes(figure, place, size)
    axis.set(xticks=[], yticks=[])
    low, high = colours.limits
    return axis, axis.imshow(values, cmap=colours.cmap, vmin=low, vmax=high, interpolation="nearest", aspect="auto")


def _scale(figure: "Figure", shown: "AxesImage", colours: Colours, place: tuple[float, float], height: float) -> None:
    bar = figure.colorbar(shown, cax=_axes(figure, place, (0.1, height)), extend=colours.extend)
    bar.set_ticks(list(colours.ticks), labels=list(colours.labels))
    bar.ax.tick_params(labelsize=7)


def _check(maps: Tensor, coil_images: Tensor, eigenvalues: Tensor | None) -> None:
    if maps.ndim != 3 or 0 in maps.shape or maps.shape != coil_images.shape:
        raise ValueError(
            f"got maps {tuple(maps.shape)} and coil images {tuple(coil_images.shape)}, expected (coil, y, x) of both"
        )
    if eigenvalues is not None and eigenvalues.shape != maps.shape[1:]:
        raise ValueError(f"got eigenvalues {tuple(eigenvalues.shape)}, expected (y, x) like {tuple(maps.shape)}")


def _array(values: Tensor) -> Array:
    array: Array = values.double().numpy()
    return array
