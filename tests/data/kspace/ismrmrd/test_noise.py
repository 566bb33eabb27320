"""Receiver noise that is known, and becomes white."""

from dataclasses import replace

import ismrmrd
import numpy as np
import pytest
import torch

from smug.data.kspace.ismrmrd import read_ismrmrd

from .conftest import COILS, HEADER, HEIGHT, WIDTH, acquisition, coloured, lines, noise_scan, oversampled, smooth


def random_covariance(rng: np.random.Generator) -> np.ndarray:
    mixing = rng.normal(size=(COILS, COILS, 2)) @ [1, 1j]
    return mixing @ mixing.conj().T + 0.1 * np.eye(COILS)


@pytest.mark.parametrize(("dwell", "bandwidth", "averages"), [(5.0, None, 1), (2.5, 0.793, 1), (10.0, None, 4)])
@pytest.mark.parametrize("seed", range(3))
def test_noise_becomes_white_and_is_known(save, dwell, bandwidth, averages, seed):
    """Images of noise alone, of the covariance that the noise scan measured with another dwell time and filter."""
    rng = np.random.default_rng(seed)
    psi = random_covariance(rng)
    of_images = psi * (dwell / 5.0) / (bandwidth or 1)
    noise = coloured(of_images, (averages, WIDTH, 2 * HEIGHT), rng)
    rows = [acquisition(noise[a, x], kspace_encode_step_1=x, average=a) for a in range(averages) for x in range(WIDTH)]
    scan = noise_scan(psi, rng, sample_time_us=dwell)
    v = read_ismrmrd(save([scan, *rows], replace(HEADER, bandwidth=bandwidth)))
    assert v.noise_sigma == pytest.approx(np.sqrt(np.trace(of_images).real / COILS / 2 / averages), rel=0.03)
    read = v.kspace[0].numpy().reshape(COILS, -1)
    covariance = read @ read.conj().T / read.shape[1]
    np.testing.assert_allclose(covariance, 2 * v.noise_sigma**2 * np.eye(COILS), atol=0.45 * v.noise_sigma**2)
    assert v.attributes == {"prewhitening": "from 20000 noise samples per channel"}


def test_prewhitening_keeps_the_image_and_its_units(save):
    rng = np.random.default_rng(0)
    psi = random_covariance(rng)
    L = np.linalg.cholesky(psi)
    kspace = oversampled(smooth())[0]
    rows, scan = lines(kspace), noise_scan(psi, rng, samples=50000)
    W = np.sqrt(np.trace(psi).real / COILS) * np.linalg.inv(L)
    plain, v = read_ismrmrd(save(rows, name="plain")), read_ismrmrd(save([scan, *rows]))
    expected = np.tensordot(W, plain.kspace[0].numpy(), 1)
    assert np.linalg.norm(v.kspace[0].numpy() - expected) < 0.02 * np.linalg.norm(expected)


def test_calibration_is_whitened_too(save):
    rng = np.random.default_rng(0)
    kspace = oversampled(smooth())[0]
    rows = [one for r in range(2) for one in lines(kspace, repetition=r)]
    v = read_ismrmrd(save([noise_scan(random_covariance(rng), rng), *rows]))
    torch.testing.assert_close(v.calibration.measured(0)[0][0], v.kspace[0] * v.calibration.mask)


def test_noise_is_not_known_where_lines_have_different_averages(save):
    rng = np.random.default_rng(0)
    kspace = oversampled(smooth())[0]
    rows = [noise_scan(random_covariance(rng), rng), *lines(kspace), *lines(kspace, slice(5, 9), average=1)]
    v = read_ismrmrd(save(rows))
    assert v.noise_sigma is None and "from 20000" in v.attributes["prewhitening"]


def test_noise_is_not_known_without_a_dwell_time(save):
    rng = np.random.default_rng(0)
    scan = noise_scan(random_covariance(rng), rng, sample_time_us=0.0)
    assert read_ismrmrd(save([scan, *lines(oversampled(smooth())[0])])).noise_sigma is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda n: n[:, :29], "29 noise samples are too few for 3 channels, 30 are needed"),
        (lambda n: n[:2], "other channels"),
        (lambda n: n * np.array([[1], [0], [1]]), "channel 1 has no noise"),
        (lambda n: n[[0, 1, 0]] * np.array([[1], [1], [2j]]), "that of others"),
    ],
    ids=["too few", "channels", "dead", "repeated"],
)
def test_a_noise_scan_that_is_of_no_use_changes_nothing(save, change, reason):
    noise = coloured(np.eye(COILS), (1000,), np.random.default_rng(0))
    rows = lines(oversampled(smooth())[0])
    plain = read_ismrmrd(save(rows, name="plain"))
    v = read_ismrmrd(save([acquisition(change(noise), ismrmrd.ACQ_IS_NOISE_MEASUREMENT), *rows]))
    assert torch.equal(v.kspace[0], plain.kspace[0])
    assert v.noise_sigma is None
    assert reason in v.attributes["prewhitening"]
