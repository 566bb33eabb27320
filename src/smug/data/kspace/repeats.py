"""Lines that were measured several times: whether they are of one image, so that their mean is one."""

import numpy as np
from numpy.typing import NDArray

from smug.data.kspace.acquisitions import readouts
from smug.data.kspace.lines import Measurement, StoredLines
from smug.data.slices import spread

MOST_SLICES = 8
"""Slices that are looked at, spread evenly."""

NEAR_CENTRE = 8
"""Lines that are compared with their repetitions are this near the centre, where there is most signal."""

MAX_DIFFERENCE = 0.1
"""Largest energy of the differences, relative to that of the lines, of good averages: what moves differs by less."""

MIN_PEAK = 4.0
"""Differences are no noise if they are stronger by this factor in the middle of the readout than at its ends."""


def unlike_repeats(measurement: Measurement, images: StoredLines) -> float | None:
    """Return by how much repeated lines differ, energy relative to theirs; None where they are alike but for noise."""
    readout = images.readout
    differences, energy = np.zeros(readout.samples), 0.0
    for i in spread(len(images.rows), MOST_SLICES):
        rows, places = images.rows[i], images.places[i]
        near = np.abs(places - images.width // 2) <= NEAR_CENTRE
        counts = np.bincount(places, minlength=images.width)
        chosen = near & (counts[places] > 1)
        if not chosen.any():
            continue
        blocks = readouts(measurement.table, rows[chosen], readout.channels, readout.samples)
        lines = np.concatenate([values for _, values in blocks]).astype(np.complex128)
        for place in np.unique(places[chosen]):
            repeated = lines[places[chosen] == place]
            n = len(repeated)
            apart = repeated - repeated.mean(0)
            differences += n / (n - 1) * (np.abs(apart) ** 2).sum((0, 1))
            energy += float((np.abs(repeated) ** 2).sum())
    share = float(differences.sum()) / energy if energy else 0.0
    centre = readout.first + readout.matrix // 2 - readout.start
    return share if share > MAX_DIFFERENCE and _peaks(differences, centre) else None


def _peaks(profile: NDArray[np.float64], centre: int) -> bool:
    """Whether a profile along the readout is high about its centre and low at its ends."""
    quarter = max(1, len(profile) // 8)
    middle = profile[max(0, centre - quarter) : centre + quarter]
    ends = np.concatenate([profile[:quarter], profile[-quarter:]])
    return bool(middle.mean() > MIN_PEAK * ends.mean())
