import pytest
import torch

from smug.models.level import batched
from smug.models.reconstructors import last, unroll
from smug.models.smoothing import unsmoothed
from smug.physics.consistency import solve

from .conftest import Counting, toy_denoiser


def test_every_step_solves_equation_2(problem, device):
    A, D = problem.A, toy_denoiser(device)
    aliased = A.H(problem.y)
    expected = aliased
    steps = list(unroll(lambda x, n: unsmoothed(D, x), aliased, A, 4, 0.8))
    assert len(steps) == 4
    for step in steps:
        assert torch.equal(step.x, expected)
        assert torch.equal(step.z.value, D(step.x))
        residual = A.gram(step.solution.value) + 0.8 * step.solution.value - aliased - 0.8 * step.z.value
        assert residual.norm() < 1e-5 * aliased.norm()
        assert step.solution.converged.all()
        expected = step.solution.value


def test_the_step_number_reaches_the_denoiser(problem):
    numbers = []

    def denoise(x, n):
        numbers.append(n)
        return unsmoothed(lambda x: x, x)

    last(unroll(denoise, problem.A.H(problem.y), problem.A, 5, 1.0))
    assert numbers == [0, 1, 2, 3, 4]


def test_steps_are_made_on_demand(problem):
    D = Counting(lambda x: x)
    steps = unroll(lambda x, n: unsmoothed(D, x), problem.A.H(problem.y), problem.A, 5, 1.0)
    assert D.calls == 0
    next(steps)
    assert D.calls == 1


def test_last_is_the_image_after_the_last_step(problem):
    def steps():
        return unroll(lambda x, n: unsmoothed(torch.sin, x), problem.A.H(problem.y), problem.A, 3, 1.0)

    *_, step = steps()
    assert torch.equal(last(steps()), step.solution.value)


def test_with_the_identity_and_many_steps_it_solves_the_least_squares_problem(problem):
    """The proximal point iteration: x -> (A^H A + lam)^-1 (A^H y + lam x) ends at A^H A x = A^H y."""
    aliased = problem.A.H(problem.y)
    x = last(unroll(lambda x, n: unsmoothed(lambda x: x, x), aliased, problem.A, 80, 0.01))
    assert (problem.A.gram(x) - aliased).norm() < 1e-3 * aliased.norm()
    assert (solve(problem.A, aliased, 1.0).value - x).norm() > 0.1 * x.norm()


@pytest.mark.parametrize("leading", [(), (3,), (2, 3)])
def test_batched(problem, device, leading):
    D = toy_denoiser(device)
    x = torch.randn(*leading, 2, 5, 6, dtype=torch.complex128, generator=torch.Generator().manual_seed(0)).to(device)
    images = x.reshape(-1, 5, 6)
    torch.testing.assert_close(batched(D)(x), D(images).reshape(x.shape))
    weights = batched(lambda x: x.abs().sum((-2, -1)))(x)
    torch.testing.assert_close(weights, x.abs().sum((-2, -1)))
