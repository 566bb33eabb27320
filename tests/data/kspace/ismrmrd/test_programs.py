"""Files of other programs, end to end."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import ismrmrd
import numpy as np
import pytest
import torch
from torch import Tensor

from smug.data.kspace.ismrmrd import read_ismrmrd
from smug.data.kspace.noise import noise_level
from smug.data.kspace.read import read
from smug.models.classical import CGSense
from smug.physics.fourier import ifft2c
from smug.reconstruction import reconstruct

from .conftest import GENERATOR, images_of


@pytest.fixture(scope="module")
def generate(tmp_path_factory) -> Callable[..., Path]:
    if shutil.which(GENERATOR) is None:
        pytest.skip(f"needs {GENERATOR}")

    def run(*arguments: str) -> Path:
        path = tmp_path_factory.mktemp("generated") / "phantom.h5"
        subprocess.run([GENERATOR, *arguments, "-o", str(path)], check=True, capture_output=True)
        return path

    return run


def stored_complex(path: Path, name: str) -> Tensor:
    """A data set of the generator, its axes (phase, readout) turned to ``(y, x)``."""
    with h5py.File(path) as file:
        values = file[f"dataset/{name}"][0]
    return torch.from_numpy(values["real"] + 1j * values["imag"]).mT


@pytest.mark.parametrize(
    ("arguments", "frames", "acceleration"),
    [
        (("-a", "4", "-r", "2"), 8, 4),
        (("-a", "4", "-w", "24"), 4, 4),
        (("-a", "4", "-C"), 4, 4),
        (("-k",), 1, 1),
        (("-a", "2", "-w", "16", "-C", "-k", "-r", "2"), 4, 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_generated_files_end_to_end(generate, arguments, frames, acceleration):
    path = generate("-m", "96", "-c", "8", "-n", "0.005", *arguments)
    v = read(path)
    assert (v.frames, len(v), v.acceleration) == (frames, frames, acceleration)
    assert v.kspace[0].shape == (8, 96, 96)
    phantom, maps = stored_complex(path, "phantom"), stored_complex(path, "csm")
    inside = phantom.abs() > 0.05
    if "-C" in arguments:  # the noise is in the units of what is stored
        assert v.noise_sigma == pytest.approx(0.005, rel=0.05)
    for i in (0, len(v) - 1):
        scan = v.scan(i)
        if "-C" not in arguments:  # whitening from some 200 samples mixes channels a little
            scalar = torch.linalg.vector_norm(maps, dim=0)
            agreement = (scan.A.maps[0].conj() * maps).sum(0).abs() / scalar
            assert agreement[inside].mean() > 0.995 and agreement[inside].min() > 0.8
        image = CGSense(lam=0.003)(scan.y, scan.A)[0].abs()
        found, truth = image[inside], (phantom.abs() * torch.linalg.vector_norm(maps, dim=0))[inside]
        scaled = truth * (found @ truth) / (truth @ truth)
        assert torch.linalg.vector_norm(found - scaled) < 0.2 * torch.linalg.vector_norm(found)
        assert np.corrcoef(image.flatten(), phantom.abs().flatten())[0, 1] > 0.95


def test_the_ismrmrd_package_reads_the_same(generate):
    path = generate("-m", "48", "-c", "3", "-a", "2", "-r", "2")
    v = read_ismrmrd(path)
    expected = np.zeros((4, 3, 96, 48), dtype=np.complex64)
    with ismrmrd.Dataset(str(path), "dataset", False) as dataset:
        for i in range(dataset.number_of_acquisitions()):
            one = dataset.read_acquisition(i)
            expected[one.idx.repetition, :, :, one.idx.kspace_encode_step_1] = one.data
    images = ifft2c(torch.from_numpy(expected))[..., 24:72, :]
    torch.testing.assert_close(images_of(v), images)


def test_a_whole_volume_is_reconstructed(generate):
    v = read(generate("-m", "48", "-c", "4", "-a", "2", "-w", "12", "-r", "1", "-C"))
    result = reconstruct(CGSense(), v)
    assert result.images.shape == (2, 48, 48) and bool(result.images.abs().isfinite().all())


@pytest.mark.parametrize("acceleration", [1, 2])
def test_noise_scan_and_measurements_tell_the_same_noise(generate, acceleration):
    path = generate("-m", "128", "-c", "8", "-n", "0.05", "-C", "-a", str(acceleration), "-w", "16")
    v = read(path)
    scanned, estimated = noise_level(v), noise_level(replace(v, noise_sigma=None))
    assert (scanned.source, estimated.source) == ("noise scan", "background of k-space")
    assert estimated.sigma == pytest.approx(scanned.sigma, rel=0.1)
