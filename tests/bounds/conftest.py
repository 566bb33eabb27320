"""Tiny operators, whose dense matrices are the oracle of everything about singular values."""

import pytest
import torch
from torch import Tensor

from smug.models.noise import complex_normal
from smug.physics.sense import Sense

SHAPE = (6, 8)


def _maps(coils: int, seed: int = 1) -> Tensor:
    maps = complex_normal(torch.tensor(seed), (1, coils, *SHAPE), torch.complex128)
    return maps / maps.abs().square().sum(1, keepdim=True).sqrt()


def _operators() -> dict[str, Sense]:
    lines = torch.tensor([[True, False, False, True, True, False, True, False]])
    points = torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(0)) < 0.5
    one = torch.ones(1, 1, *SHAPE, dtype=torch.complex128)
    return {
        "one coil, lines": Sense(lines, one),
        "one coil, points": Sense(points, _maps(1)),
        "coils, lines": Sense(lines, _maps(3)),
        "coils, points": Sense(points, _maps(3)),
        "coils, everything": Sense(torch.ones_like(lines), 0.9 * _maps(2)),
    }


OPERATORS = _operators()


@pytest.fixture(params=sorted(OPERATORS))
def operator(request: pytest.FixtureRequest, device: torch.device) -> Sense:
    return OPERATORS[request.param].to(device)


@pytest.fixture
def coils(device: torch.device) -> Sense:
    return OPERATORS["coils, lines"].to(device)


@pytest.fixture
def one_coil(device: torch.device) -> Sense:
    return OPERATORS["one coil, lines"].to(device)


def unrolled_matrix(A: Tensor, D: Tensor, steps: int, lam: float) -> Tensor:
    """Return the matrix of MoDL with a linear denoiser: equation (2) in dense algebra."""
    P = torch.linalg.inv(A.mH @ A + lam * torch.eye(A.shape[1], dtype=A.dtype, device=A.device))
    x = A.mH
    for _ in range(steps):
        x = P @ (A.mH + lam * D @ x)
    return x
