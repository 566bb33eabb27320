import pytest
import torch

import smug
from smug.models.classical import CGSense, TotalVariation, ZeroFilled
from smug.physics.sense import Sense

from ..scans import dense, phantom_scan


@pytest.mark.parametrize("lam", [1e-3, 0.1, 1.0])
def test_cg_sense_solves_its_equation(problem, lam):
    A, y = problem.A, problem.y
    x = CGSense(lam)(y, A)
    torch.testing.assert_close(A.gram(x) + lam * x, A.H(y), rtol=1e-5, atol=1e-5)


def test_cg_sense_and_its_gradients_against_dense_linear_algebra(problem):
    lam, weight = 0.3, problem.target.conj()
    y, maps = (part.clone().requires_grad_() for part in (problem.y, problem.A.maps))
    A = Sense(problem.A.mask, maps)
    images = []
    for i in range(len(y)):
        E = dense(A, i)
        system = E.mH @ E + lam * torch.eye(E.shape[1], device=E.device)
        images.append(torch.linalg.solve(system, E.mH @ y[i].flatten()).reshape(weight.shape[1:]))
    expected, x = torch.stack(images), CGSense(lam)(y, A)
    torch.testing.assert_close(x, expected, rtol=1e-5, atol=1e-5)
    gradients = [torch.autograd.grad((weight * image).real.sum(), (y, maps)) for image in (x, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-5)
    assert all(gradient.abs().max() > 0.1 for gradient in gradients[0])


def test_cg_sense_tells_that_it_was_stopped(device):
    scan = phantom_scan(64, coils=8, acceleration=4).to(device)
    with pytest.warns(RuntimeWarning, match="stopped after 1000 iterations .* larger lam"):
        CGSense(0.0)(scan.y, scan.A)


def test_zero_filled(problem):
    assert torch.equal(ZeroFilled()(problem.y, problem.A), problem.A.H(problem.y))


@pytest.mark.parametrize("lam", [-1.0, float("nan"), float("inf"), 1j, torch.tensor([0.1, -1.0]), torch.ones(2, 2)])
@pytest.mark.parametrize("method", [CGSense, TotalVariation])
def test_bad_lam(method, lam):
    with pytest.raises(ValueError, match="lam: expected"):
        method(lam)


@pytest.mark.parametrize("factor", [0.05, 30.0])
def test_total_variation_does_not_depend_on_the_norm_of_the_operator(factor, problem):
    """With ``c A``, ``c y`` and ``c^2 lam`` the problem is the same."""
    y, A = problem.y, problem.A
    scaled = smug.operator(lambda x: factor * A(x), lambda z: factor * A.H(z))
    bound = A.norm_bound(A.H(y))
    scaled.norm_bound = lambda like: factor * bound
    found = TotalVariation(factor**2 * 0.01, 50)(factor * y, scaled)
    torch.testing.assert_close(found, TotalVariation(0.01, 50)(y, A), rtol=1e-4, atol=1e-4)
