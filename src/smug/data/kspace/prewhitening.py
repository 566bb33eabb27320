"""Prewhitening: receiver channels whose noise is uncorrelated and equally strong (Pruessmann et al. 2001).

With the noise covariance ``Psi = L L^H`` of the channels and their mean variance ``sigma^2``, k-space is multiplied by
``W = sigma L^-1``: then its noise has the covariance ``sigma^2 I``, and the units stay those of the measurement.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

MIN_SAMPLES_PER_CHANNEL = 10
"""Fewest noise samples per channel: N of them for C channels cost about C / N of the signal-to-noise ratio squared."""

MAX_CONDITION = 1e6
"""Largest condition number of the channels' correlation matrix: channels that repeat others carry nothing new."""

MIN_VARIANCE = 1e-9
"""Smallest noise variance of a channel, relative to the largest: less is that of a channel which is not connected."""

Matrix = NDArray[np.complex128]


def noise_covariance(readouts: Iterable[NDArray[np.complex64]]) -> tuple[Matrix, int]:
    """Return ``Psi = E n n^H`` of noise ``(readout, channel, sample)``, and how many samples of each channel there are.

    It is complex128 ``(channel, channel)``; at least one readout is expected.
    """
    products, samples = [], 0
    for values in readouts:
        noise = values.astype(np.complex128).transpose(1, 0, 2).reshape(values.shape[1], -1)
        products.append(noise @ noise.conj().T)
        samples += noise.shape[1]
    covariance: Matrix = sum(products[1:], start=products[0]) / max(samples, 1)
    return covariance, samples


def noise_variance(covariance: Matrix) -> float:
    """Return the channels' mean noise variance per real or imaginary part."""
    return float(np.diagonal(covariance).real.mean()) / 2


def whitening_matrix(covariance: Matrix, samples: int) -> NDArray[np.complex64]:
    """Return ``W = sigma L^-1`` with ``Psi = L L^H`` and ``sigma^2 = trace(Psi) / channels``, complex64.

    Raises ValueError, which gives the reason, where ``Psi`` comes from too few samples, for channels without noise, and
    for channels that repeat others.

    >>> Psi = np.array([[4, 1j], [-1j, 2]])
    >>> W = whitening_matrix(Psi, samples=1000)
    >>> np.allclose(W @ Psi @ W.conj().T, 3 * np.eye(2))
    True
    """
    needed = MIN_SAMPLES_PER_CHANNEL * len(covariance)
    if samples < needed:
        raise ValueError(f"{samples} noise samples are too few for {len(covariance)} channels, {needed} are needed")
    variances = np.diagonal(covariance).real
    if not variances.min() > MIN_VARIANCE * variances.max():
        raise ValueError(f"receiver channel {int(variances.argmin())} has no noise")
    deviations = np.sqrt(variances)
    if not np.linalg.cond(covariance / np.outer(deviations, deviations)) < MAX_CONDITION:
        raise ValueError("the noise of some receiver channels is that of others")
    L = np.linalg.cholesky(covariance)
    W: NDArray[np.complex64] = (np.sqrt(variances.mean()) * np.linalg.inv(L)).astype(np.complex64)
    return W
