import h5py
import pytest
import torch

from smug.cli import main
from smug.physics.fourier import fft2c


def run(*argv) -> int:
    """Run a command; return its status."""
    return main([str(word) for word in argv])


@pytest.fixture(autouse=True)
def threads():
    """Commands may set the number of threads; tests after them get their own back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def smug(tmp_path, monkeypatch):
    """Run a command in an empty folder; return its status."""
    monkeypatch.chdir(tmp_path)
    return run


@pytest.fixture
def mistaken(capsys):
    """Run a command that ends with status 2 and one line, which holds the message."""

    def check(*words, message):
        assert run(*words) == 2
        (error,) = capsys.readouterr().err.strip().splitlines()
        assert error.startswith("smug: ") and message in error

    return check


@pytest.fixture
def write_kspace(tmp_path):
    """Write a file of fully sampled k-space of a head, one slice unless told otherwise."""
    from smug.data.phantom import head_phantom

    def write(name="scan.h5", slices=1, size=32):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as file:
            images = torch.stack([head_phantom(seed, size) for seed in range(slices)])
            file["kspace"] = fft2c(images).to(torch.complex64).numpy()
        return path

    return write
