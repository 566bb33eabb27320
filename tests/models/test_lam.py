"""lam as a parameter: the same reconstruction as with the number, and its gradient."""

import pytest
import torch

from smug.bounds import deterministic_bounds
from smug.models.lam import LearnedLam, ResidualLam, described_lam
from smug.models.reconstructors import RSE2E, SMUG, MoDL, WeightedSMUG
from smug.physics.consistency import solve
from smug.physics.residual import LEAST

from .conftest import SMOOTHING, make_problem, toy_denoiser, toy_encoder


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
    assert 0 < float(learned) < 1e-8 and learned().requires_grad


def test_it_can_be_set_by_a_number(device):
    f = MoDL(toy_denoiser(device), 3, LearnedLam(0.3).to(device)).replace(lam=0.7)
    assert f.settings()["lam"] == 0.7 and "lam" not in f.networks()


def residual_lam(problem, x):
    residual = problem.A(x) - problem.y * problem.A.sampled
    parts = [torch.view_as_real(r[..., mask]).flatten() for r, mask in zip(residual, problem.A.mask, strict=True)]
    return torch.stack([(part.square().mean() + LEAST**2).sqrt() for part in parts])


def test_a_lam_by_the_residual_is_a_factor_of_its_rms_at_every_step(device):
    problem = make_problem(device)
    f = MoDL(toy_denoiser(device), 3, ResidualLam(2.0))
    x = problem.A.H(problem.y)
    for step in f.iterate(problem.y, problem.A):
        weight = 2 * residual_lam(problem, x)
        b = problem.A.H(problem.y) + weight[:, None, None] * step.z.value
        x = step.solution.value
        torch.testing.assert_close(problem.A.gram(x) + weight[:, None, None] * x, b, rtol=1e-5, atol=1e-5)
    assert weight[0] != weight[1]


def test_each_image_has_its_own(problem, device):
    for f in reconstructors(device, ResidualLam(3.0)):
        together = f(problem.y, problem.A, problem.seeds)
        alone = [f(p.y, p.A, p.seeds) for p in (problem[0], problem[1])]
        torch.testing.assert_close(together, torch.cat(alone), rtol=1e-5, atol=1e-6)
        spoilt = problem.y.clone()
        spoilt[1, 0, 0, problem.A.mask[1]] = torch.nan
        torch.testing.assert_close(f(spoilt, problem.A, problem.seeds)[0], together[0], rtol=1e-5, atol=1e-6)


def test_gradients_go_through_the_residual(device):
    problem, denoiser = make_problem(device, batch=1, height=4, width=5, coils=2), toy_denoiser(device)

    def reconstruct(y, factor):
        return torch.view_as_real(MoDL(denoiser, 2, ResidualLam(factor))(torch.view_as_complex(y), problem.A))

    y = torch.view_as_real(problem.y).clone().requires_grad_()
    factor = torch.tensor(2.0, dtype=torch.float64, device=device, requires_grad=True)
    assert torch.autograd.gradcheck(reconstruct, (y, factor), atol=1e-4)


def test_one_coil_has_the_least_lam(device):
    problem = make_problem(device, coils=1)
    lam = ResidualLam(10.0)(solve(problem.A, problem.A.H(problem.y), 0.0).value, problem.y, problem.A)
    torch.testing.assert_close(lam, torch.full_like(lam, 10 * LEAST), rtol=1e-2, atol=0)


def test_it_is_learned_stored_and_set_by_a_number(device):
    f = SMUG(toy_denoiser(device), SMOOTHING, 3, ResidualLam(LearnedLam(5.0)))
    assert list(f.networks()["lam"].state_dict()) == ["factor.log"] and set(f.image_networks()) == {"denoiser"}
    assert described_lam(f.lam) == "5 times the residual of the data" and described_lam(0.25) == "0.25"
    assert f.replace(lam=0.5).lam == 0.5
    with pytest.raises(ValueError, match="lam: expected one positive number"):
        f.replace(lam=ResidualLam(-1.0))


def test_bounds_want_a_fixed_lam(problem, device):
    f = MoDL(toy_denoiser(device), 3, ResidualLam(5.0))
    with pytest.raises(ValueError, match="lam"):
        deterministic_bounds(f, problem.A)
    assert deterministic_bounds(f.replace(lam=0.1), problem.A, residual=0.5)
