import h5py
import numpy as np
import pytest
import torch

from benchmarks.prepare import prepare_throughput, write_volume
from smug.data.kspace.fastmri import read_fastmri
from smug.physics.fourier import fft2c


def test_a_row_per_number_of_workers():
    rows = prepare_throughput((0, 0), volumes=2, slices=3, coils=2, matrix=(32, 40), maps="calibration")
    assert [(row.workers, row.slices) for row in rows] == [(0, 6), (0, 6)]
    for row in rows:
        assert row.slices_per_second == pytest.approx(6 / row.seconds)
        assert row.megabytes_per_second * row.seconds == pytest.approx(2 * 3 * 2 * 32 * 40 * 8e-6, rel=0.1)


def test_synthetic_volumes_are_as_fastmri_has_them(tmp_path):
    write_volume(tmp_path / "a.h5", 3, 2, (33, 40), seed=4, noise=0.02)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["kspace"].shape == (3, 2, 33, 40) and file["kspace"].dtype == np.complex64
    volume = read_fastmri(tmp_path / "a.h5")
    assert volume.fully_sampled and 0.5 < float(volume.rss(0).max()) < 2
    difference = volume.kspace[0] - volume.kspace[1]  # twice the noise's variance, and no image
    assert float(torch.view_as_real(difference).std()) == pytest.approx(0.02 * 2**0.5, rel=0.1)
    assert float(fft2c(difference).abs().mean()) < 0.1
