"""One small slice in double precision: 3 coils, 24 x 20, half of the phase lines and the centre."""

import pytest
import torch

from smug.data.scan import Scan
from smug.models.noise import complex_normal
from smug.physics.sense import Sense


@pytest.fixture
def scan(device: torch.device) -> Scan:
    def noise(seed: int, *shape: int) -> torch.Tensor:
        return complex_normal(torch.tensor([seed]), shape, torch.complex128, device)

    maps = noise(1, 3, 24, 20)
    mask = torch.arange(20, device=device) % 2 == 0
    mask[8:12] = True
    A = Sense(mask[None], maps / maps.abs().square().sum(1, keepdim=True).sqrt())
    target = noise(2, 24, 20) / 3
    return Scan(A(target) + 0.01 * A.sampled * noise(3, 3, 24, 20), A, target, ("slice",))
