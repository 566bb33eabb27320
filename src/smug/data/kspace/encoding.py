"""The Cartesian grid of an ISMRMRD scan: what its header states, completed from and compared with its acquisitions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smug.data.kspace.acquisitions import Rows
from smug.data.kspace.header import Header


@dataclass(frozen=True)
class Grid:
    """Where samples belong: ``samples`` along the readout y, their centre at ``samples // 2``, and ``lines`` along x.

    Line ``central_line`` of the counter is that of the centre of k-space. The image is the central ``image`` ``(y, x)``
    of it; ``spacing`` ``(y, x, slice)`` is the size of its voxels in mm, None where the header does not state it.
    """

    samples: int
    lines: int
    central_line: int
    image: tuple[int, int]
    spacing: tuple[float | None, float | None, float | None]
    warnings: tuple[str, ...] = ()

    def place(self, step: NDArray[np.integer]) -> NDArray[np.intp]:
        """Return the places along x of lines of these counters."""
        return self.lines // 2 - self.central_line + step.astype(np.intp)


@dataclass(frozen=True)
class Samples:
    """The samples of a readout: ``first`` to before ``last`` of ``count``; the centre of k-space is ``centre``."""

    channels: int
    count: int
    first: int
    last: int
    centre: int

    @property
    def is_centred(self) -> bool:
        """Whether the centre is in the middle, or is not set: many programs leave it 0."""
        return self.centre in (0, self.first + (self.last - self.first) // 2)


def samples_of(head: NDArray[np.void], rows: Rows, where: str) -> Samples:
    """Return what the readouts of these rows have in common.

    Raises ValueError, beginning with ``where``, if they differ or hold nothing.
    """
    channels, count, before, after = (common(head, rows, name, where) for name in LAYOUT)
    if channels < 1 or count - before - after < 1:
        raise ValueError(f"{where}: expected samples, got {channels} channels of {count} - {before} - {after}")
    return Samples(channels, count, before, count - after, common(head, rows, "center_sample", where))


LAYOUT = ("active_channels", "number_of_samples", "discard_pre", "discard_post")
"""The fields of the headers of readouts that tell how many samples of how many channels each has."""


def common(head: NDArray[np.void], rows: Rows, name: str, where: str) -> int:
    """Return the value of a field that the headers of these rows have in common; raises ValueError if they differ."""
    found = np.unique(head[name][rows]).tolist()
    if len(found) > 1:
        raise ValueError(f"{where}: {name}: expected the same for all readouts of the image, got {found[:4]}")
    value: int = found[0]
    return value


def grid_of(header: Header, head: NDArray[np.void], imaging: Rows, where: str) -> Grid:
    """Return the grid of a scan whose images consist of the ``imaging`` rows; ``where`` names it in errors.

    What the header does not state is taken from the acquisitions: as many samples and lines as there are, about the
    centre of k-space, which is in the middle where it is not stated. A readout from which oversampling was removed,
    while the header still states it, is told by its number of samples. Raises ValueError as :func:`samples_of` does.
    """
    warnings: list[str] = []
    readout = samples_of(head, imaging, where)
    samples, height, warning = _along_readout(header, readout)
    warnings += warning
    lines, central_line, warning = _along_phase(header, head["idx"]["kspace_encode_step_1"][imaging])
    warnings += warning
    image = height, header.pixels_kept(1, lines)
    warnings += _phase_oversampling(head["idx"]["kspace_encode_step_1"][imaging], lines, central_line, image[1])
    stated, outer = header.encoded.matrix, header.encoded.field_of_view
    y, x, z = header.voxel_size
    y = outer[0] / (stated[0] or samples) if outer[0] else y
    x = outer[1] / (stated[1] or lines) if outer[1] else x
    return Grid(samples, lines, central_line, image, (y, x, z), tuple(f"{where}: {warning}" for warning in warnings))


def _along_readout(header: Header, readout: Samples) -> tuple[int, int, list[str]]:
    """The number of samples of the grid, how many pixels of them are kept, and warnings."""
    stated, kept = header.encoded.matrix[0], readout.last - readout.first
    if stated is None:
        centre = readout.centre - readout.first
        samples = kept if readout.is_centred else 2 * max(centre, kept - centre)
        return samples, header.pixels_kept(0, samples), []
    image = header.pixels_kept(0, stated)
    whole = kept == image and (readout.is_centred or readout.centre == stated // 2)
    if image < stated and (whole or (_is_asymmetric(readout, image) and not _is_asymmetric(readout, stated))):
        told = f"lines have {kept} samples, where the header states {stated} with oversampling"
        return image, image, [f"{told}: it is taken as removed already"]
    if kept == stated and not readout.is_centred:
        told = f"the centre of k-space is stated at sample {readout.centre} of {readout.count}, which fill the matrix"
        return stated, image, [f"{told}: it is taken as in the middle"]
    return stated, image, []


def _is_asymmetric(readout: Samples, matrix: int) -> bool:
    """Whether a readout is an asymmetric echo in this matrix: it reaches one end of it and not the other."""
    start = matrix // 2 - (readout.centre - readout.first)
    stop = start + readout.last - readout.first
    return not readout.is_centred and ((start == 0 and stop < matrix) or (start > 0 and stop == matrix))


def _phase_oversampling(steps: NDArray[np.integer], lines: int, central: int, image: int) -> list[str]:
    """A warning where there are as many lines as the image has pixels, though the header states more."""
    first, last = int(steps.min()), int(steps.max())
    if not (last + 1 - first == image < lines and central - first == image // 2):
        return []
    told = f"there are {image} lines, where the header states {lines} with oversampling along the phase encoding"
    return [f"{told}: if it was removed already, the image is stretched; else its resolution is low"]


def _along_phase(header: Header, steps: NDArray[np.integer]) -> tuple[int, int, list[str]]:
    """The number of lines of the grid, the counter of its central line, and warnings."""
    limits, last = header.lines, int(steps.max())
    lines = header.encoded.matrix[1]
    if lines is None:
        last = max(last, 0 if limits is None else limits.maximum)
        centre = None if limits is None else limits.center
        lines = 2 * max(centre, last + 1 - centre) if centre else last + 1
    if limits is None or (not limits.center and limits.maximum + 1 == lines):
        central = lines // 2
    elif not limits.center and last + lines // 2 >= lines:  # lines from a centre at 0 on would not fit
        central = limits.minimum + (limits.maximum + 1 - limits.minimum) // 2
    else:
        return lines, limits.middle, []
    is_wrong = limits is not None and limits.center == 0 and central > 0
    return lines, central, [f"the header's central line is 0: it is taken as line {central}"] if is_wrong else []
