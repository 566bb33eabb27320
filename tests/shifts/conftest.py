"""Two small scans of smooth objects, 4 coils, 48 x 40, 2.5x."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from smug.data.scan import Scan
from smug.data.simulate import Acquisition, simulate
from smug.physics.sense import Sense

HEIGHT, WIDTH = 48, 40
NOISE = 0.01


def make_scan(batch: int = 2, dtype: torch.dtype = torch.complex64, **acquisition) -> Scan:
    y, x = torch.linspace(-1, 1, HEIGHT)[:, None], torch.linspace(-1, 1, WIDTH)
    body = torch.sigmoid((0.6 - (y**2 + (1.1 * x) ** 2)) / 0.05)
    stripes = [0.7 + 0.3 * torch.cos(5 * (i + 1) * y + 4 * x) for i in range(batch)]
    images = (body * torch.stack(stripes)).to(dtype)
    settings = Acquisition(**{"acceleration": 2.5, "center_fraction": 0.1, "noise": NOISE, **acquisition})
    return simulate(images, settings, range(batch), [f"slice {i}" for i in range(batch)])


@pytest.fixture
def scan(device: torch.device) -> Scan:
    return make_scan().to(device)


@pytest.fixture
def seeds() -> torch.Tensor:
    return torch.tensor([5, 11])


@pytest.fixture
def make() -> Callable[..., Scan]:
    return make_scan


@pytest.fixture
def full(make):
    """All lines sampled, no noise, one slice in double precision."""
    scan = make(1, dtype=torch.complex128, noise=0.0)
    A = Sense(mask=torch.ones(1, scan.y.shape[-1], dtype=torch.bool), maps=scan.A.maps.to(torch.complex128))
    return replace(scan, y=A(scan.truth), A=A)
