"""The noise scan of an ISMRMRD file: what it makes of the receiver channels, and the noise level that it tells."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smug.data.kspace.acquisitions import Rows, readouts
from smug.data.kspace.prewhitening import noise_covariance, noise_variance, whitening_matrix
from smug.data.kspace.raw_data import RawData


class Prewhitening(NamedTuple):
    """The ``matrix`` that whitens the channels, the noise per part of whitened images, and ``attributes`` about it."""

    matrix: Tensor | None
    noise_sigma: float | None
    attributes: dict[str, str]


def prewhitening(raw: RawData, channels: int, averages: int | None) -> Prewhitening:
    """Return what a noise scan, where there is one, makes of the channels of the images.

    The noise is that of ``averages`` readouts; None where they differ, and it is not known.
    """
    head, noise = raw.head, raw.purposes.noise
    if len(noise) == 0:
        return Prewhitening(None, None, {})
    if (head["active_channels"][noise] != channels).any():
        unlike = "none: the noise measurement has other channels than the images"
        return Prewhitening(None, None, {"prewhitening": unlike})
    psi, samples = noise_covariance(_noise(raw, noise, channels))
    try:
        whitening = torch.from_numpy(whitening_matrix(psi, samples))
    except ValueError as reason:
        return Prewhitening(None, None, {"prewhitening": f"none: {reason}"})
    bandwidth = raw.header.noise_bandwidth or 1.0
    ratio = _dwell_time(head, noise) / _dwell_time(head, raw.purposes.imaging)
    variance = noise_variance(psi) * ratio / bandwidth
    sigma = math.sqrt(variance / averages) if averages and variance < math.inf else None
    return Prewhitening(whitening, sigma, {"prewhitening": f"from {samples} noise samples per channel"})


def _noise(raw: RawData, rows: Rows, channels: int) -> Iterator[NDArray[np.complex64]]:
    """The noise readouts of each length."""
    lengths = raw.head["number_of_samples"][rows]
    for samples in np.unique(lengths).tolist():
        yield from (values for _, values in readouts(raw.table, rows[lengths == samples], channels, samples))


def _dwell_time(head: NDArray[np.void], rows: Rows) -> float:
    """The time per sample that these rows have in common; NaN if there is none."""
    times = np.unique(head["sample_time_us"][rows])
    return float(times[0]) if len(times) == 1 and 0 < times[0] < np.inf else math.nan
