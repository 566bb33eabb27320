"""What the acquisitions of an ISMRMRD file are for, by their flags: an image, calibration, noise."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from smug.data.kspace.acquisitions import Rows


def _flags(*numbers: int) -> np.uint64:
    """The bits of flags, which ISMRMRD numbers from 1."""
    return np.uint64(sum(1 << (number - 1) for number in numbers))


NOISE = _flags(19)
CALIBRATION = _flags(20)
CALIBRATION_AND_IMAGING = _flags(21)
REVERSE = _flags(22)
COMPRESSED = _flags(53, 54, 55, 56)
NOT_IMAGING = _flags(23, 24, 26, 27, 28, 29, 30, 31)
"""Navigators, phase correction, feedback, dummy scans, surface coil correction, phase stabilisation."""


class Purposes(NamedTuple):
    """The rows of images, those flagged as calibration (some are both), and those of noise measurements.

    ``elsewhere`` is how many are of calibration in other encoding spaces, which is not used.
    """

    imaging: Rows
    calibration: Rows
    noise: Rows
    elsewhere: int = 0


def purposes_of(head: NDArray[np.void], where: str) -> Purposes:
    """Return what rows are for, by their headers ``(row,)``.

    Raises ValueError where none is of an image, and for EPI, compressed samples and several encoding spaces.
    """
    flags, space = head["flags"], head["encoding_space_ref"]
    noise = flags & NOISE != 0
    useful = ~noise & (flags & NOT_IMAGING == 0)
    calibration = useful & (flags & (CALIBRATION | CALIBRATION_AND_IMAGING) != 0)
    imaging = useful & ((flags & CALIBRATION == 0) | (flags & CALIBRATION_AND_IMAGING != 0))
    if not imaging.any():
        raise ValueError(f"{where}: expected acquisitions of an image, got only noise, calibration, navigators, ...")
    spaces = np.unique(space[imaging]).tolist()
    if len(spaces) > 1:
        raise ValueError(f"{where}: images of several encoding spaces {spaces[:4]} are not supported: expected one")
    elsewhere = calibration & (space != spaces[0])
    calibration &= ~elsewhere
    if (flags[imaging | calibration] & REVERSE != 0).any():
        raise ValueError(f"{where}: EPI (readouts in reverse) is not supported: expected one direction")
    if (flags & COMPRESSED != 0).any():
        raise ValueError(f"{where}: compressed samples are not supported: expected single-precision values")
    found = np.flatnonzero(imaging), np.flatnonzero(calibration), np.flatnonzero(noise)
    return Purposes(*found, int(elsewhere.sum()))
