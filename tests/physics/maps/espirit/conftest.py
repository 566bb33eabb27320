"""Calibration data, simulated and measured, and BART."""

import math
import shutil
import subprocess

import numpy as np
import pytest
import torch

from smug.data.phantom import head_phantom
from smug.physics.fourier import fft2c, ifft2c
from smug.physics.maps.eigenvectors import Espirit
from smug.physics.maps.simulated import simulated_maps

KEEP = Espirit(crop=0)


def power(maps):
    return maps.abs().square().sum(1)


def agreement(a, b):
    """``|<a, b>| / (|a| |b|)`` over the coils of maps ``(batch, coil, y, x)``: blind to phase and length."""
    return (a.conj() * b).sum(1).abs() / (power(a) * power(b)).sqrt()


def object_of(kspace):
    """Where the root sum of squares exceeds a tenth of its maximum, bool ``(batch, y, x)``."""
    rss = power(ifft2c(kspace)).sqrt()
    return rss > 0.1 * rss.amax((-2, -1), keepdim=True)


def central(width, lines, device=None):
    mask = torch.zeros(1, width, dtype=torch.bool, device=device)
    mask[:, width // 2 - lines // 2 : width // 2 - lines // 2 + lines] = True
    return mask


def largest_step(maps):
    """The largest difference of neighbouring coil vectors, at every pixel, ``(batch, y, x)``."""
    down, right = (
        torch.nn.functional.pad(torch.linalg.vector_norm(maps.diff(dim=dim), dim=1), pad)
        for dim, pad in ((-2, (0, 0, 0, 1)), (-1, (0, 1)))
    )
    return torch.maximum(down, right)


def simulated(coils=4, size=(96, 96), noise=0.01, seed=0, profile_width=1.2):
    """K-space of a head phantom and its true maps."""
    maps = simulated_maps(coils, *size, seed=seed, profile_width=profile_width)
    kspace = fft2c(maps * head_phantom(seed, size))
    generator = torch.Generator().manual_seed(seed)
    return kspace + noise * math.sqrt(2) * torch.randn(kspace.shape, dtype=kspace.dtype, generator=generator), maps


@pytest.fixture(scope="module")
def head():
    return simulated()


@pytest.fixture
def bart_ecalib(tmp_path):
    """BART's maps ``(1, coil, y, x)`` and eigenvalues ``(1, y, x)``."""
    if shutil.which("bart") is None:
        pytest.skip("needs BART (bart ecalib) to compare with")

    def run(kspace, *options):
        coils, height, width = kspace.shape[1:]
        (tmp_path / "kspace.hdr").write_text(f"# Dimensions\n{height} {width} 1 {coils}\n")
        kspace[0].numpy().transpose(1, 2, 0).ravel("F").tofile(tmp_path / "kspace.cfl")
        command = ["bart", "ecalib", "-m1", *options, "kspace", "maps", "eigenvalues"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

        def read(name, size):
            values = np.fromfile(tmp_path / f"{name}.cfl", dtype=np.complex64)
            return torch.from_numpy(values.reshape((height, width, size), order="F").transpose(2, 0, 1).copy())

        return read("maps", coils)[None], read("eigenvalues", 1).real

    return run
