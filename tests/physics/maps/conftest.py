"""Measured k-space to estimate coil maps from."""

import h5py
import pytest
import torch


@pytest.fixture(scope="session")
def brain(data_root):
    """Measured, fully sampled k-space of four coils, 1 x 4 x 256 x 256."""
    path = data_root / "multicoil_kspace" / "brain_mprage_4ch.h5"
    if not path.is_file():
        pytest.skip(f"needs measured k-space: {path.name} is not in the data folder")
    with h5py.File(path) as file:
        return torch.from_numpy(file["kspace"][:]).to(torch.complex64)
