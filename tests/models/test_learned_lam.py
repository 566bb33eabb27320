"""lam as a parameter: the same reconstruction as with the number, and its gradient."""

import pytest
import torch

from smug.models.learned_lam import LearnedLam, current
from smug.models.reconstructors import RSE2E, SMUG, MoDL, WeightedSMUG

from .conftest import SMOOTHING, toy_denoiser, toy_encoder


def reconstructors(device, lam):
    D = toy_denoiser(device)
    yield MoDL(D, 3, lam)
    yield SMUG(D, SMOOTHING, 3, lam)
    yield WeightedSMUG(D, toy_encoder(device), SMOOTHING, 3, lam)
    yield RSE2E(D, SMOOTHING, 3, lam)


def test_the_reconstruction_is_that_of_the_number(problem, device):
    learned = LearnedLam(0.3).to(device)
    assert float(learned) == pytest.approx(0.3)
    for one, other in zip(reconstructors(device, learned), reconstructors(device, 0.3), strict=True):
        x, expected = (f(problem.y, problem.A, problem.seeds) for f in (one, other))
        torch.testing.assert_close(x, expected, rtol=1e-5, atol=1e-6)
        assert "lam" in one.networks() and "lam" not in other.networks()
        assert set(one.image_networks()) == set(other.networks())


def test_its_gradient_is_the_slope(problem, device):
    learned = LearnedLam(0.3).to(device)

    def loss(lam):
        return MoDL(toy_denoiser(device), 3, lam)(problem.y, problem.A).abs().square().mean()

    loss(learned).backward()
    step = 0.01
    slope = (loss(0.3 * (1 + step)) - loss(0.3 * (1 - step))) / (2 * step)
    assert learned.log.grad.item() == pytest.approx(slope.item(), rel=0.02)
    assert slope.abs() > 1e-4


def test_it_stays_positive():
    learned = LearnedLam(0.1)
    with torch.no_grad():
        learned.log -= 20
    assert 0 < float(learned) < 1e-8 and current(learned).requires_grad
    assert current(0.5) == 0.5


def test_it_can_be_set_by_a_number(device):
    f = MoDL(toy_denoiser(device), 3, LearnedLam(0.3).to(device)).replace(lam=0.7)
    assert f.settings()["lam"] == 0.7 and "lam" not in f.networks()
