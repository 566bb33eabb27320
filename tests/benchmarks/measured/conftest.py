import h5py
import pytest
import torch

from benchmarks.measured.cases import Case, full_scan
from smug.data.phantom import head_phantom
from smug.physics.fourier import fft2c
from smug.physics.maps.simulated import simulated_maps


@pytest.fixture(autouse=True)
def threads():
    """Commands may set the number of threads; tests after them get their own back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def write():
    """Write a file as fastMRI's: k-space of head phantoms, in units that are no image's, with receiver noise."""

    def write(path, slices=1, coils=4, size=48, noise=0.01, keep=slice(None)):
        images = torch.stack([head_phantom(seed, size) for seed in range(slices)])
        maps = simulated_maps(coils, size, size, seed=1) if coils > 1 else torch.ones(1, 1, size, size)
        kspace = fft2c(maps * images[:, None])
        generator = torch.Generator().manual_seed(0)
        kspace = kspace + noise * torch.randn(kspace.shape, dtype=kspace.dtype, generator=generator)
        kept = torch.zeros(size)
        kept[keep] = 1
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as file:
            file["kspace"] = (37 * kept * kspace).to(torch.complex64).numpy()
        return path

    return write


@pytest.fixture(scope="session")
def scan(write, tmp_path_factory):
    return full_scan(write(tmp_path_factory.mktemp("scan") / "head.h5", slices=2))


@pytest.fixture(scope="session")
def case(scan):
    return Case("head", 3, "equispaced", 1, scan)
