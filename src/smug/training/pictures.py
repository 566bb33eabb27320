"""Two pictures of a run: what its reconstructions look like, and how its losses fall."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from smug.data.scan import Scan
from smug.metrics import psnr
from smug.system.figures import GAP, PANEL, Array, write_figure
from smug.training.log import LogEntry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

MOST = 4
"""Most slices in a picture."""

ENHANCED = 5
"""The factor by which error images are brightened."""

LONGEST = 20
"""Letters of a slice's name that are shown: its last ones."""

HEADING, MARGIN, SCALE = 0.2, 0.08, 0.7  # inches

LINES = (("#0072B2", "-"), ("#E69F00", "--"), ("#000000", "-."), ("#CC79A7", ":"))
"""Colours of Okabe and Ito, which the colour-blind tell apart; brightness and dashes tell them apart in grey."""

POINTS = 1000
"""Most points of a line: one of more updates is drawn as the range of its values in each of so many intervals."""


def write_validation(path: Path, scans: Sequence[Scan], images: Sequence[Tensor]) -> None:
    """Write a PNG of up to four slices: target, reconstruction, and the error enhanced five times.

    ``images`` are the reconstructions of the scans, complex ``(batch, y, x)``, in the same units. All panels of a slice
    share the grey window from 0 to the target's maximum, and the bar tells what it is in the error map. PSNR is that of
    the slice's magnitude.
    """
    write_figure(path, validation_figure(scans, images))


def write_losses(path: Path, entries: Sequence[LogEntry]) -> None:
    """Write a PNG of the loss terms and of the validation PSNR over the updates of a run."""
    write_figure(path, losses_figure(entries))


def validation_figure(scans: Sequence[Scan], images: Sequence[Tensor]) -> "Figure":
    """Return the figure of :func:`write_validation`. Raises ValueError where there is no slice."""
    slices = [
        (scan.id[row], scan.truth[row], image[row])
        for scan, image in zip(scans, images, strict=True)
        for row in range(len(scan.id))
    ][:MOST]
    if not slices:
        raise ValueError("validation picture: expected at least one scan, got none")
    height, width = slices[0][1].shape
    figure, axes, bar = _panels(len(slices), PANEL * height / width)
    for (left, middle, right), (name, target, image) in zip(axes, slices, strict=True):
        quality = psnr(image[None], target[None]).item()
        t, x = (_magnitude(values) / float(target.abs().max()) for values in (target, image))
        _draw(left, t, 1, f"target {name}" if len(name) <= LONGEST else f"target …{name[-LONGEST:]}")
        _draw(middle, x, 1, f"reconstruction, {quality:.2f} dB")
        errors = _draw(right, np.abs(x - t), 1 / ENHANCED, f"error × {ENHANCED}")
    figure.colorbar(errors, cax=bar, extend="max")
    bar.tick_params(labelsize=7)
    bar.set_ylabel("error / maximum of the target", fontsize=7)
    return figure


def losses_figure(entries: Sequence[LogEntry]) -> "Figure":
    """Return the figure of :func:`write_losses`. Raises ValueError where there is no entry."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not entries:
        raise ValueError("picture of the losses: expected at least one update, got none")
    figure = Figure(figsize=(6, 4.6))
    FigureCanvasAgg(figure)
    margins = {"left": 0.16, "right": 0.98, "bottom": 0.11, "top": 0.97, "hspace": 0.08}
    losses, quality = figure.subplots(2, 1, sharex=True, gridspec_kw=margins | {"height_ratios": (3, 2)})
    quality.xaxis.get_major_locator().set_params(integer=True)
    _draw_terms(losses, entries)
    _draw_quality(quality, entries)
    return figure


def _draw_terms(axis: "Axes", entries: Sequence[LogEntry]) -> None:
    """Every term: the range of its values, faint, and its running mean."""
    updates = np.array([float(entry.update) for entry in entries])
    window = max(1, len(entries) // 50)
    marker = "o" if len(entries) == 1 else None
    positive = False
    for index, name in enumerate(entries[0].terms):
        colour, dashes = LINES[index % len(LINES)]
        values = np.array([entry.terms[name] for entry in entries])
        positive |= bool((values > 0).any())
        axis.plot(*_drawable(updates, values), color=colour, alpha=0.2, linewidth=0.6)
        smooth = _running_mean(updates, window), _running_mean(values, window)
        line: dict[str, Any] = {"color": colour, "linestyle": dashes, "linewidth": 1.8, "zorder": 3}
        axis.plot(*smooth, label=name, marker=marker, markersize=3, **line)
    if positive:
        axis.set_yscale("log", nonpositive="mask")
    axis.set_ylabel("loss term (normalised units)")
    axis.grid(alpha=0.3, linewidth=0.5)
    title = f"mean of {window} updates" if window > 1 else None
    axis.legend(title=title, fontsize=8, title_fontsize=8, frameon=False)


def _draw_quality(axis: "Axes", entries: Sequence[LogEntry]) -> None:
    points = [(entry.update, entry.validation_psnr) for entry in entries if entry.validation_psnr is not None]
    axis.plot([update for update, _ in points], [value for _, value in points], "o-", color="black", markersize=3)
    axis.set(xlabel="update", ylabel="validation PSNR (dB)")
    axis.grid(alpha=0.3, linewidth=0.5)


def _drawable(updates: Array, values: Array) -> tuple[Array, Array]:
    """Return the points of a line, or the lowest and the highest value in each of so many places."""
    if len(values) <= 2 * POINTS:
        return updates, values
    starts = np.linspace(0, len(values), POINTS, endpoint=False).astype(int)
    extremes = [np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)]
    return np.repeat(updates[starts], 2), np.stack(extremes, axis=-1).ravel()


def _running_mean(values: Array, window: int) -> Array:
    """Return the means of ``window`` consecutive values."""
    sums = np.concatenate([[0], np.cumsum(values)])
    mean: Array = (sums[window:] - sums[:-window]) / window
    return mean


def _panels(rows: int, height: float) -> tuple["Figure", NDArray[Any], "Axes"]:
    """Rows of three panels with room for titles, and a narrow one on the right for the scale."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width, total = MARGIN + 3 * (PANEL + GAP) + SCALE, rows * (height + HEADING) + MARGIN
    figure = Figure(figsize=(width, total))
    FigureCanvasAgg(figure)
    margins = {
        "left": MARGIN / width,
        "right": (MARGIN + 3 * PANEL + 2 * GAP) / width,
        "bottom": MARGIN / total,
        "top": 1 - HEADING / total,
        "wspace": GAP / PANEL,
        "hspace": HEADING / height,
    }
    axes: NDArray[Any] = figure.subplots(rows, 3, squeeze=False, gridspec_kw=margins)
    bar = figure.add_axes((1 - (SCALE - MARGIN) / width, MARGIN / total, 0.1 / width, height / total))
    return figure, axes, bar


def _draw(axis: "Axes", values: Array, top: float, title: str) -> "AxesImage":
    axis.set_title(title, fontsize=7, pad=3, parse_math=False)
    axis.set_axis_off()
    return axis.imshow(values, cmap="gray", vmin=0, vmax=top, interpolation="nearest")


def _magnitude(image: Tensor) -> Array:
    magnitude: Array = image.detach().cpu().abs().double().numpy()
    return magnitude
