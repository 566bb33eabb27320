import pytest
import torch

from smug.models.classical import CGSense, ZeroFilled
from smug.models.noise import complex_normal, derive
from smug.models.noise_map import noise_map

from ..scans import dense
from .conftest import make, make_problem


def analytic(problem, index, lam):
    """Return the deviation per part of W y for y of unit deviation: the row norms of W."""
    _, height, width = problem.target.shape
    matrix = dense(problem.A, index)
    system = matrix.mH @ matrix + lam * torch.eye(height * width, dtype=matrix.dtype, device=matrix.device)
    inverse = torch.linalg.solve(system, matrix.mH)
    return inverse.abs().square().sum(1).sqrt().reshape(height, width)


def test_of_cg_sense_against_the_analytic_covariance(device):
    problem = make_problem(device, coils=2, height=4, width=6)
    sigma, replicas = 0.03, 500
    result = noise_map(CGSense(0.1), problem.y, problem.A, sigma, replicas)
    error = 1 / (4 * replicas) ** 0.5
    for i in range(2):
        ratio = result[i] / (sigma * analytic(problem, i, 0.1))
        assert (ratio - 1).abs().max() < 4.5 * error
        assert (ratio - 1).square().mean().sqrt() < 1.5 * error
        assert ratio.mean() == pytest.approx(1, abs=0.02)


def test_scales_with_the_noise(problem):
    maps = [noise_map(ZeroFilled(), problem.y, problem.A, sigma, replicas=4) for sigma in (0.01, 0.1)]
    torch.testing.assert_close(10 * maps[0], maps[1], rtol=1e-6, atol=0)
    assert not noise_map(ZeroFilled(), problem.y, problem.A, 0.0, replicas=2).any()


def test_a_large_mean_is_no_noise(device):
    """Variances are of deviations from the reconstruction, so they survive single precision."""
    problem = make_problem(device, torch.complex64)
    small = noise_map(ZeroFilled(), problem.y, problem.A, 1e-3)
    large = noise_map(ZeroFilled(), 100 * problem.y, problem.A, 1e-3)
    torch.testing.assert_close(large, small, rtol=0.05, atol=1e-5)


@pytest.mark.parametrize("method", ["smug", "rs-e2e", "weighted-smug"])
def test_smoothing_noise_is_held(problem, device, method):
    f = make(method, device)
    assert not noise_map(f, problem.y, problem.A, 0.0, replicas=3).any()


def test_receiver_noise_repeats_no_smoothing_noise(problem):
    """The replicas' noise differs from the noise of every step and draw below the same seed."""
    measured = []

    def f(y, A, generator):
        measured.append(y)
        return A.H(y)

    noise_map(f, problem.y, problem.A, 1.0, replicas=4, generator=problem.seeds)
    for y in measured[1:]:
        eta = (y - measured[0])[0].flatten()
        sampled = eta != 0
        for step in range(4):
            for draw in range(6):
                smoothing = complex_normal(derive(problem.seeds[0], step, draw), problem.y.shape[1:], y.dtype, y.device)
                assert not torch.isclose(eta, smoothing.flatten())[sampled].any()


def test_seeds(problem):
    def result(generator):
        return noise_map(ZeroFilled(), problem.y, problem.A, 0.1, 4, generator)

    assert torch.equal(result(torch.Generator().manual_seed(1)), result(torch.Generator().manual_seed(1)))
    assert not torch.equal(result(torch.Generator().manual_seed(1)), result(torch.Generator().manual_seed(2)))
    alone = noise_map(ZeroFilled(), problem[1].y, problem[1].A, 0.1, 4, problem[1].seeds)
    torch.testing.assert_close(alone[0], result(problem.seeds)[1])


def test_no_gradient_is_kept(problem):
    y = problem.y.clone().requires_grad_()
    assert not noise_map(ZeroFilled(), y, problem.A, 0.1, 2).requires_grad


@pytest.mark.parametrize(("sigma", "replicas"), [(0.1, 1), (-0.1, 4), (float("nan"), 4)])
def test_bad_settings(problem, sigma, replicas):
    with pytest.raises(ValueError, match=r"(replicas|noise_sigma): expected"):
        noise_map(ZeroFilled(), problem.y, problem.A, sigma, replicas)
