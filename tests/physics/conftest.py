"""Small random operators of every kind, and their dense matrices."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from smug.physics.maps.simulated import simulated_maps
from smug.physics.sense import Sense


def random_maps(batch: int, coils: int, height: int, width: int) -> Tensor:
    """Return smooth complex128 maps of every slice, a little below normalised in places."""
    maps = torch.cat([simulated_maps(coils, height, width, seed=seed) for seed in range(batch)]).to(torch.complex128)
    ripple = 0.95 + 0.05 * torch.sin(torch.arange(width, dtype=torch.float64))
    return maps * ripple / maps.abs().square().sum(1, keepdim=True).sqrt()


def random_mask(batch: int, *shape: int) -> Tensor:
    """Return an unsymmetric mask with something sampled in every slice."""
    mask = torch.rand(batch, *shape, generator=torch.Generator().manual_seed(3)) < 0.5
    mask[..., shape[-1] // 2] = True
    return mask


OPERATORS: dict[str, Callable[[], Sense]] = {
    "lines": lambda: Sense(random_mask(2, 9), random_maps(2, 3, 6, 9)),
    "lines, shared maps": lambda: Sense(random_mask(2, 8), random_maps(1, 3, 5, 8)),
    "lines, shared mask": lambda: Sense(random_mask(1, 8), random_maps(2, 2, 7, 8)),
    "any mask": lambda: Sense(random_mask(2, 7, 8), random_maps(2, 3, 7, 8)),
    "one coil": lambda: Sense(random_mask(2, 9), random_maps(2, 1, 6, 9)),
    "no maps": lambda: Sense(random_mask(2, 7, 9)),
    "one line": lambda: Sense(torch.tensor([[False, False, True, False, False]]), random_maps(2, 2, 4, 5)),
    "one pixel": lambda: Sense(torch.ones(2, 1, dtype=torch.bool), random_maps(2, 2, 1, 1)),
}


@pytest.fixture(params=OPERATORS)
def A(request: pytest.FixtureRequest, device: torch.device) -> Sense:
    """Every kind of operator, in double precision."""
    return OPERATORS[request.param]().to(device)


def image_shape(A: Sense) -> tuple[int, int, int]:
    """Return (batch, y, x) of an operator; 7 rows where it does not say."""
    height = max(A.maps.shape[-2], A.mask.shape[-2] if not A.is_line_mask else 1)
    return A.batch if A.batch > 1 else 2, height if height > 1 or A.maps.shape[-1] == 1 else 7, A.mask.shape[-1]


@pytest.fixture
def randn(device: torch.device) -> Callable[..., Tensor]:
    """Complex128 noise of any shape, from one seeded stream."""
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, dtype=torch.complex128, generator=generator).to(device)


@pytest.fixture
def image(A: Sense, randn: Callable[..., Tensor]) -> Tensor:
    """A random image that the operator takes."""
    return randn(*image_shape(A))
