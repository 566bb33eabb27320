"""Prewhitening: covariances, the matrix, and noise that is of no use."""

import numpy as np
import pytest

from smug.data.kspace.prewhitening import noise_covariance, noise_variance, whitening_matrix


def covariance(channels: int, seed: int) -> np.ndarray:
    mixing = np.random.default_rng(seed).normal(size=(channels, channels, 2)) @ [1, 1j]
    return mixing @ mixing.conj().T + 0.01 * np.eye(channels)


@pytest.mark.parametrize("channels", [1, 2, 8])
@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e9])
def test_the_noise_becomes_white_and_keeps_its_mean_variance(channels, unit):
    psi = unit * covariance(channels, seed=channels)
    W = whitening_matrix(psi, 10**6).astype(np.complex128)
    sigma2 = np.trace(psi).real / channels
    np.testing.assert_allclose(W @ psi @ W.conj().T, sigma2 * np.eye(channels), atol=1e-4 * sigma2)
    assert noise_variance(psi) == pytest.approx(sigma2 / 2)


def test_white_noise_stays_as_it_is():
    np.testing.assert_allclose(whitening_matrix(3 * np.eye(4, dtype=complex), 1000), np.eye(4), atol=1e-6)


def test_covariance_of_readouts_of_any_length():
    rng = np.random.default_rng(0)
    blocks = [(rng.normal(size=(2, 3, n, 2)) @ [1, 1j]).astype(np.complex64) for n in (5, 1, 70)]
    joined = np.concatenate([block.transpose(1, 0, 2).reshape(3, -1) for block in blocks], axis=1)
    psi, samples = noise_covariance(blocks)
    assert samples == joined.shape[1] == 152
    np.testing.assert_allclose(psi, joined @ joined.conj().T / 152, rtol=1e-5)
    assert psi.dtype == np.complex128


@pytest.mark.parametrize(
    ("psi", "samples", "reason"),
    [
        (np.eye(3), 29, "29 noise samples are too few for 3 channels, 30 are needed"),
        (np.zeros((3, 3)), 1000, "channel 0 has no noise"),
        (np.diag([1.0, 1.0, 1e-12]), 1000, "channel 2 has no noise"),
        (np.ones((3, 3)), 1000, "that of others"),
    ],
)
def test_noise_that_is_of_no_use(psi, samples, reason):
    with pytest.raises(ValueError, match=reason):
        whitening_matrix(psi.astype(complex), samples)
