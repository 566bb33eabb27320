"""K-space whose lines lie in a table of acquisitions: where their samples belong, and slices made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smug.data.hdf5 import opened
from smug.data.kspace.acquisitions import Rows, acquisitions, readouts
from smug.data.kspace.encoding import Grid, samples_of
from smug.data.kspace.sampling import ISOLATED_ZEROS, Pattern, check_mask, check_slice, readout_cropped
from smug.data.slices import Slices

CUT_MARGIN = 4
"""Entries next to the cut of an asymmetric echo that are not counted as measured where the readout is cropped.

Cropping the field of view interpolates k-space: near the cut, samples that are missing are a part of the result.
"""


FEW_LINES = 8
"""Fewer readouts than this, all of one line, are its averages; if there are more, the counter is not set."""


@dataclass(frozen=True, eq=False)
class Measurement:
    """The acquisitions of an open ``table``, with what was found when all of it was read.

    ``head`` ``(row,)`` are their headers, ``signal`` ``(row,)`` tells which hold anything but zeros, ``grid`` where
    their samples belong, and ``where`` names the measurement in errors.
    """

    table: Any
    head: NDArray[np.void]
    signal: Pattern
    grid: Grid
    where: str

    @property
    def places(self) -> NDArray[np.intp]:
        """The places of the lines along x; the centre of k-space lies at the middle of the encoded matrix."""
        return self.grid.place(self.head["idx"]["kspace_encode_step_1"])


@dataclass(frozen=True)
class Readout:
    """Which of the ``samples`` of a row belong where along y.

    Those from ``first`` to before ``last`` lie from ``start`` on in the encoded ``matrix``, of whose field of view the
    central ``cropped`` pixels are kept.
    """

    channels: int
    samples: int
    first: int
    last: int
    start: int
    matrix: int
    cropped: int

    @property
    def stop(self) -> int:
        """Where in the encoded matrix the samples end."""
        return self.start + self.last - self.first

    @property
    def sampled(self) -> Pattern:
        """What is measured of cropped k-space along y, ``(y,)``: not all of it where an echo is asymmetric."""
        if self.matrix - (self.last - self.first) <= ISOLATED_ZEROS * self.matrix:
            return np.ones(self.cropped, dtype=bool)
        spacing = self.matrix / self.cropped
        place = self.matrix // 2 + spacing * (np.arange(self.cropped) - self.cropped // 2)
        margin = CUT_MARGIN * spacing if self.cropped < self.matrix else 0
        after_start = (self.start == 0) | (place >= self.start + margin)
        before_stop = (self.stop == self.matrix) | (place <= self.stop - 1 - margin)
        return after_start & before_stop


@dataclass(frozen=True, eq=False)
class StoredLines:
    """K-space of slices, whose lines are ``rows`` of the table in a file's ``group`` and lie at ``places`` along x.

    Rows of the same place are averaged. ``whitening`` ``(channel, channel)`` is applied to the channels.
    """

    path: Path
    group: str
    readout: Readout
    width: int
    rows: tuple[Rows, ...]
    places: tuple[NDArray[np.intp], ...]
    whitening: Tensor | None = None

    @property
    def kspace(self) -> Slices[Tensor]:
        """The slices, each read when needed."""
        return Slices(len(self.rows), self.read)

    @property
    def mask(self) -> Tensor:
        """What is sampled, ``bool (1 or slices, x)``, or ``(1 or slices, y, x)`` for asymmetric echoes."""
        sampled = self.readout.sampled
        mask = np.zeros((len(self.rows), self.width), dtype=bool)
        for lines, places in zip(mask, self.places, strict=True):
            lines[places] = True
        if (mask == mask[0]).all():
            mask = mask[:1]
        return torch.from_numpy(mask if sampled.all() else mask[:, None] & sampled[:, None])

    @property
    def averages(self) -> int | None:
        """How many rows each line is the mean of; None where lines differ."""
        counts = {n for places in self.places for n in np.bincount(places)[places].tolist()}
        return counts.pop() if len(counts) == 1 else None

    def read(self, index: int) -> Tensor:
        """Read a slice, complex64 ``(coil, y, x)``."""
        readout, places = self.readout, self.places[index]
        lines = np.zeros((self.width, readout.channels, readout.matrix), dtype=np.complex64)
        with opened(self.path) as file:
            table = acquisitions(file[self.group])
            for part, values in readouts(table, self.rows[index], readout.channels, readout.samples):
                for place, line in zip(places[part], values[..., readout.first : readout.last], strict=True):
                    lines[place, :, readout.start : readout.stop] += line
        lines /= np.maximum(np.bincount(places, minlength=self.width), 1).astype(np.float32)[:, None, None]
        kspace = readout_cropped(torch.from_numpy(lines).permute(1, 2, 0), readout.cropped)
        return (kspace if self.whitening is None else torch.tensordot(self.whitening, kspace, 1)).contiguous()


def stored_lines(measurement: Measurement, slices: Sequence[Rows]) -> StoredLines:
    """Return the k-space of slices, each given by its rows; nothing of it is read yet.

    Lines without signal are left out, but for slices that have none at all. Raises ValueError for rows that do not
    belong together or do not fit the encoded matrix, and for too many or too large slices.
    """
    head, grid, where, signal = measurement.head, measurement.grid, measurement.where, measurement.signal
    rows = np.unique(np.concatenate(slices))
    readout = readout_of(measurement, rows)
    width = grid.lines
    check_slice((readout.channels, readout.matrix, width), where)
    check_mask((len(slices), 1 if readout.sampled.all() else readout.cropped, width), where)
    places = measurement.places
    outside = rows[(places[rows] < 0) | (places[rows] >= width)]
    if len(outside):
        raise ValueError(
            f"{where}: acquisition {outside[0]}: got line {head['idx']['kspace_encode_step_1'][outside[0]]} with the "
            f"centre of k-space at line {grid.central_line}: it lies outside the encoded matrix of {width}"
        )
    if width > 1 and all(len(rows) >= FEW_LINES and len(np.unique(places[rows])) == 1 for rows in slices):
        step = int(head["idx"]["kspace_encode_step_1"][slices[0][0]])
        raise ValueError(
            f"{where}: got {len(slices[0])} readouts per slice, all of line {step}: their counter is not set"
        )
    kept = tuple(rows[signal[rows]] if signal[rows].any() else rows for rows in slices)
    path, group = Path(measurement.table.file.filename), measurement.table.parent.name
    return StoredLines(path, group, readout, width, kept, tuple(places[rows] for rows in kept))


def readout_of(measurement: Measurement, rows: Rows) -> Readout:
    """Return the readout that these rows have in common.

    Raises ValueError if there is none, or if it does not fit the encoded matrix.
    """
    where, matrix = measurement.where, measurement.grid.samples
    found = samples_of(measurement.head, rows, where)
    kept, centre = found.last - found.first, found.centre
    if (centre == 0 and found.count == matrix) or kept == matrix:
        centre = found.first + matrix // 2  # not set, wrong, or that of a readout before oversampling was removed
    start = matrix // 2 - centre + found.first
    if start < 0 or start + kept > matrix:
        raise ValueError(
            f"{where}: got {found.count} samples with the centre of k-space at sample {centre}: "
            f"they do not fit the encoded matrix of {matrix}"
        )
    return Readout(found.channels, found.count, found.first, found.last, start, matrix, measurement.grid.image[0])
