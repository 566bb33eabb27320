import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from smug.bounds.tradeoff import needed_error, needed_gain
from smug.models.classical import CGSense
from smug.models.noise import complex_normal
from smug.physics.sense import Sense

SHAPE = (4, 5)


def images(seed: int, device: torch.device) -> torch.Tensor:
    return complex_normal(torch.tensor(seed), (1, *SHAPE), torch.complex128, device)


def operator(device: torch.device) -> Sense:
    return Sense(mask=torch.tensor([[True, False, True, True, False]], device=device))


def norm(x: torch.Tensor) -> float:
    return float(torch.linalg.vector_norm(x))


@given(seed=st.integers(0, 10**6), size=st.floats(0.01, 3), lam=st.floats(0.001, 1))
def test_no_linear_method_beats_it(device, seed, size, lam):
    """F = (A^H A + lam)^-1 A^H has ||F|| = max s / (s^2 + lam), s in {0, 1} for one coil."""
    A, f = operator(device), CGSense(lam)
    x, v = images(seed, device), size * images(seed + 1, device)
    eta = max(norm(f(A(z), A) - z) for z in (x, x + v))
    lipschitz = 1 / (1 + lam)
    assert float(needed_gain(A, v, eta)) <= lipschitz * (1 + 1e-9)
    assert float(needed_error(A, v, lipschitz)) <= eta * (1 + 1e-9)


def test_it_is_reached(device):
    """A method that is exact on both images has the gain ||v|| / ||A v|| between them."""
    A, v = operator(device), images(3, device)
    gain = float(needed_gain(A, v))
    assert gain == pytest.approx(norm(v) / norm(A(v)))
    assert float(needed_gain(A, v, 0.1)) < gain
    assert float(needed_error(A, v, float(needed_gain(A, v, 0.1)))) == pytest.approx(0.1)


def test_what_is_not_measured_cannot_be_recovered(device):
    A = operator(device)
    v = images(4, device)
    blind = v - A.H(A(v))
    assert float(needed_gain(A, blind, 0.4 * norm(blind))) > 1e10
    assert float(needed_gain(A, blind, 0.6 * norm(blind))) == 0
    assert float(needed_error(A, blind, 1e3)) == pytest.approx(norm(blind) / 2)
    zero_frequency = Sense(mask=torch.tensor([[False, True]]))
    assert math.isinf(float(needed_gain(zero_frequency, torch.tensor([[[1.0, -1.0]]]) + 0j)))


def test_errors(device):
    A = operator(device)
    with pytest.raises(ValueError, match="eta: expected a norm >= 0"):
        needed_gain(A, images(0, device), -1.0)
