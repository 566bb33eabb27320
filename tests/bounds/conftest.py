"""Tiny operators and their dense matrices: the oracle of everything about singular values."""

from collections.abc import Callable

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


@pytest.fixture(scope="session")
def dense() -> Callable[[Sense], Tensor]:
    """Return the matrix of A, complex ``(coil y x, y x)``, from its action on unit vectors."""

    def matrix(A: Sense) -> Tensor:
        pixels = SHAPE[0] * SHAPE[1]
        basis = torch.eye(pixels, dtype=torch.complex128, device=A.mask.device).reshape(pixels, 1, *SHAPE)
        return A(basis).flatten(1).mT

    return matrix


@pytest.fixture(scope="session")
def unrolled_matrix() -> Callable[[Tensor, Tensor, int, float], Tensor]:
    """Return the matrix of MoDL with a linear denoiser: equation (2) in dense algebra."""

    def matrix(A: Tensor, D: Tensor, steps: int, lam: float) -> Tensor:
        identity = torch.eye(A.shape[1], dtype=A.dtype, device=A.device)
        P = torch.linalg.inv(A.mH @ A + lam * identity)
        x = A.mH
        for _ in range(steps):
            x = P @ (A.mH + lam * D @ x)
        return x

    return matrix
