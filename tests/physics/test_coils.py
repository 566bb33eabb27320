"""Coil compression: what is lost, what stays, BART's, and bad input."""

import shutil
import subprocess

import numpy as np
import pytest
import torch

from smug.models.noise import complex_normal
from smug.physics.coils import compress_coils

from ..properties import assert_refused
from ..scans import phantom_scan


@pytest.fixture(scope="module")
def kspace():
    return phantom_scan(32, 2, coils=12, noise=0.01).y


def test_the_lost_energy_is_what_the_virtual_coils_lack(kspace):
    for coils in (1, 4, 11, 12):
        compressed, lost = compress_coils(kspace, coils)
        assert compressed.shape == (2, coils, 32, 32)
        assert compressed.dtype == kspace.dtype
        left = 1 - float(compressed.abs().square().sum() / kspace.abs().square().sum())
        assert lost == pytest.approx(left, abs=2e-6)
    assert lost == 0


def test_no_other_choice_loses_less(kspace):
    """The singular values of the samples tell the least that a subspace of this dimension loses (Eckart, Young)."""
    energies = torch.linalg.svdvals(kspace.movedim(1, 0).flatten(1).to(torch.complex128)).square()
    assert compress_coils(kspace, 5).lost == pytest.approx(float(energies[5:].sum() / energies.sum()), rel=1e-6)


def test_white_noise_stays_white():
    """Every virtual coil has the noise of a coil, and none that of another."""
    signal = torch.zeros(1, 8, 64, 64, dtype=torch.complex64)
    signal[:, :2, 32, 32] = 1e4
    noise = complex_normal(torch.tensor([3]), (8, 64, 64))
    compressed = compress_coils(signal + noise, 3).kspace[0].flatten(1)
    covariance = compressed[:, torch.arange(4096) != 32 * 64 + 32]
    covariance = covariance @ covariance.mH / covariance.shape[1]
    torch.testing.assert_close(covariance, 2 * torch.eye(3, dtype=torch.complex64), atol=0.15, rtol=0)


def test_all_coils_are_a_rotation_that_changes_no_root_of_squares(kspace):
    compressed, _ = compress_coils(kspace, 12)
    torch.testing.assert_close(compressed.norm(dim=1), kspace.norm(dim=1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(compress_coils(compressed, 4).kspace, compress_coils(kspace, 4).kspace)


def test_what_was_not_measured_stays_zero(kspace):
    empty = (kspace == 0).all(1)
    assert empty.any()
    assert not compress_coils(kspace, 4).kspace.movedim(1, -1)[empty].any()


def test_no_signal_loses_nothing():
    compressed, lost = compress_coils(torch.zeros(3, 8, 8, dtype=torch.complex64), 2)
    assert (compressed.shape, lost) == ((2, 8, 8), 0.0)


@pytest.mark.skipif(shutil.which("bart") is None, reason="BART is not installed")
@pytest.mark.parametrize("coils", [3, 8])
def test_as_bart_does(kspace, coils, tmp_path):
    """The same energy in every virtual coil, which are the same but for their phases."""
    full = phantom_scan(32, coils=12, acceleration=1, center_fraction=1.0, noise=0.01).y[0]
    stored = full.permute(1, 2, 0)[:, :, None]  # readout, phase, partition, coil
    _write_cfl(tmp_path / "k", stored.numpy())
    command = ["bart", "cc", "-p", str(coils), "-A", "-S", "k", "out"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    theirs = torch.from_numpy(_read_cfl(tmp_path / "out"))[:, :, 0].permute(2, 0, 1)
    ours = compress_coils(full, coils).kspace
    energy = [each.abs().square().sum((1, 2)) for each in (ours, theirs)]
    torch.testing.assert_close(*energy, rtol=1e-4, atol=0)
    overlap = (ours.conj() * theirs).sum((1, 2)).abs() / energy[0]
    torch.testing.assert_close(overlap, torch.ones(coils), rtol=1e-3, atol=0)


@pytest.mark.parametrize(
    ("coils", "message"),
    [
        (0, "coils: expected an integer of at least 1, got 0"),
        (-3, "coils: expected an integer of at least 1, got -3"),
        (13, "coils: expected at most the 12 that there are, got 13"),
        (2.5, "coils"),
        (True, "coils"),
    ],
)
def test_bad_numbers_of_coils(kspace, coils, message):
    assert_refused(lambda: compress_coils(kspace, coils), message)


def test_what_is_no_kspace(kspace):
    assert_refused(lambda: compress_coils(kspace.real, 2), "kspace: expected complex (..., coil, y, x)")
    assert_refused(lambda: compress_coils(kspace[0, 0], 2), "kspace: expected complex (..., coil, y, x)")
    assert_refused(lambda: compress_coils(kspace / 0, 2), "kspace: expected finite values, got NaN or inf")


def _write_cfl(path, values):
    path.with_suffix(".hdr").write_text("# Dimensions\n" + " ".join(map(str, values.shape)) + "\n")
    values.astype(np.complex64).ravel(order="F").tofile(path.with_suffix(".cfl"))


def _read_cfl(path):
    shape = [int(n) for n in path.with_suffix(".hdr").read_text().splitlines()[1].split()]
    values = np.fromfile(path.with_suffix(".cfl"), np.complex64).reshape(shape, order="F")
    return values.reshape([*shape[:4]])
