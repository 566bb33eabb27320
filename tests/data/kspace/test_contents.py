"""What k-space shows of itself: images stored in its place, and images at the edges of the field of view."""

import h5py
import numpy as np
import pytest
import torch

from smug.data.kspace.read import read, undersample
from smug.data.phantom import head_phantom
from smug.physics.fourier import fft2c
from smug.physics.maps.simulated import simulated_maps
from smug.physics.masks import random_lines

SIZE = 64
MEASURED = ("brain_16ch_96", "brain_8ch_undersampled_R8", "brain_mprage_4ch", "brain_t1_4ch", "brain_t1_sag_1ch")


def kspace():
    heads = torch.stack([head_phantom(seed, SIZE) for seed in (1, 2)])
    return fft2c(simulated_maps(4, SIZE, SIZE, seed=0) * heads[:, None]).to(torch.complex64).numpy()


def warnings_of(array, tmp_path):
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["kspace"] = array.astype(np.complex64)
    return read(tmp_path / "scan.h5").warnings


SIGNS = (-1.0) ** np.arange(SIZE)


@pytest.mark.parametrize(
    ("signs", "along"),
    [
        (SIGNS[:, None], "along y (readout), shifted"),
        (SIGNS, "along x (phase encoding), shifted"),
        (SIGNS * SIGNS[:, None], "along y (readout) and x (phase encoding), shifted"),
    ],
)
def test_alternating_signs_are_told(signs, along, tmp_path):
    (warning,) = warnings_of(signs * kspace(), tmp_path)
    assert "the image lies at the edges of the field of view" in warning and along in warning


def test_images_in_the_place_of_k_space_are_told(tmp_path):
    images = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(kspace(), axes=(-2, -1))), axes=(-2, -1))
    (warning,) = warnings_of(images, tmp_path)
    assert "look like images" in warning


@pytest.mark.parametrize("rate", [1, 4])
def test_good_k_space_has_nothing_to_say(rate, tmp_path):
    mask = random_lines(SIZE, rate, 0.08, seed=0)[0].numpy()
    assert warnings_of(kspace() * mask, tmp_path) == ()
    assert warnings_of(np.roll(kspace(), 1, -1), tmp_path) == ()


@pytest.mark.parametrize("name", MEASURED)
def test_nor_have_measured_files_but_for_what_is_made_of_them(name, data_root, tmp_path):
    volume = read(data_root / "multicoil_kspace" / f"{name}.h5")
    assert volume.warnings == ()
    samples = volume.measured(len(volume) // 2)[0].numpy()
    height, width = samples.shape[-2:]
    turned = (-1.0) ** (np.arange(height)[:, None] + np.arange(width)) * samples
    if name != "brain_t1_sag_1ch":  # a sagittal head and neck fill the field of view, edges and all
        assert "y (readout) and x" in " ".join(warnings_of(turned, tmp_path))


def test_undersampling_what_is_undersampled_is_told(tmp_path):
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["kspace"] = kspace() * random_lines(SIZE, 2, 0.08, seed=0)[0].numpy()
    volume = read(tmp_path / "scan.h5")
    (warning,) = undersample(volume, 2, seed=1).warnings
    assert "was undersampled already, 2.00x" in warning and "no full scan" in warning
