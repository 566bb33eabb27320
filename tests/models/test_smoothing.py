from dataclasses import replace

import pytest
import torch

from smug.losses import mean_square
from smug.models.level import batched
from smug.models.noise import complex_normal, derive
from smug.models.smoothing import Smoothing, smooth, unsmoothed

from .conftest import SMOOTHED, SMOOTHING, Counting, make, make_problem, toy_denoiser, toy_encoder


@pytest.fixture
def x(problem):
    return problem.target


@pytest.fixture(name="D")
def denoiser(device):
    return batched(toy_denoiser(device))


@pytest.fixture(name="E")
def encoder(device):
    return batched(toy_encoder(device))


def test_equation_4(x, D, problem):
    smoothed = smooth(D, x, SMOOTHING, problem.seeds)
    noise = [complex_normal(derive(problem.seeds, k), x.shape[1:], x.dtype, x.device) for k in range(4)]
    samples = [D(x + SMOOTHING.sigma * eta) for eta in noise]
    torch.testing.assert_close(smoothed.value, sum(samples) / 4)
    torch.testing.assert_close(smoothed.samples, torch.stack(samples))
    assert smoothed.weights is None


def test_equation_10(x, D, E, problem):
    smoothed = smooth(D, x, SMOOTHING, problem.seeds, weight=E)
    noise = [complex_normal(derive(problem.seeds, k), x.shape[1:], x.dtype, x.device) for k in range(4)]
    weights = [E(x + SMOOTHING.sigma * eta)[:, None, None] for eta in noise]
    samples = [D(x + SMOOTHING.sigma * eta) for eta in noise]
    expected = sum(w * s for w, s in zip(weights, samples, strict=True)) / sum(weights)
    torch.testing.assert_close(smoothed.value, expected)
    assert (smoothed.weights > 0).all()
    assert smoothed.weights.shape == (4, 2)
    torch.testing.assert_close(smoothed.weights.sum(0), torch.ones_like(smoothed.weights[0]))
    assert smoothed.weights.std(0).min() > 0  # or the comparison says nothing about weights


def test_a_constant_weight_is_no_weight(x, D, problem):
    def constant(x):
        return torch.full(x.shape[:-2], 0.3, dtype=torch.float64, device=x.device)

    weighted = smooth(D, x, SMOOTHING, problem.seeds, weight=constant)
    torch.testing.assert_close(weighted.value, smooth(D, x, SMOOTHING, problem.seeds).value)


@pytest.mark.parametrize("chunk", [None, 1, 3, 10])
def test_spread_is_the_standard_deviation_of_the_samples(x, D, problem, chunk):
    smoothed = smooth(D, x, replace(SMOOTHING, num_samples=10, chunk=chunk), problem.seeds)
    parts = torch.view_as_real(smoothed.samples)
    torch.testing.assert_close(smoothed.spread, parts.var(0, correction=0).sum(-1).sqrt())
    assert smoothed.spread.shape == x.shape


def test_spread_measures_sigma(x, problem):
    smoothed = smooth(lambda x: x, x, Smoothing(sigma=0.2, num_samples=400), problem.seeds)
    assert smoothed.spread.square().mean().sqrt() == pytest.approx(0.2 * 2**0.5, rel=0.02)


@pytest.mark.parametrize("settings", [{"sigma": 0}, {"num_samples": 0}])
def test_without_noise_it_is_one_call(x, D, E, problem, settings):
    D, E = Counting(D), Counting(E)
    smoothed = smooth(D, x, replace(SMOOTHING, **settings), problem.seeds, weight=E)
    assert (D.calls, E.calls) == (1, 0)
    assert torch.equal(smoothed.value, D(x))
    assert torch.equal(smoothed.samples, smoothed.value[None])
    assert not smoothed.spread.any()


@pytest.mark.parametrize(("chunk", "calls"), [(None, 1), (1, 10), (4, 3), (10, 1), (50, 1)])
def test_chunks_are_calls(x, problem, chunk, calls):
    D = Counting(lambda x: x)
    smooth(D, x, Smoothing(num_samples=10, chunk=chunk), problem.seeds)
    assert (D.calls, D.images) == (calls, 10)


def test_antithetic_pairs_cancel_for_an_affine_map(x, problem):
    def affine(x):
        return 1.7 * x.roll(1, -1) - 0.4j * x.conj() + 0.3

    exact = affine(x)
    antithetic = smooth(affine, x, Smoothing(sigma=0.3, num_samples=10, noise="antithetic"), problem.seeds)
    torch.testing.assert_close(antithetic.value, exact, rtol=1e-13, atol=1e-13)
    assert antithetic.spread.min() > 0.1
    iid = smooth(affine, x, Smoothing(sigma=0.3, num_samples=400), problem.seeds)
    error = (iid.value - exact).abs().square().mean().sqrt()
    expected = 0.3 * (2 * (1.7**2 + 0.4**2) / 400) ** 0.5
    assert error == pytest.approx(expected, rel=0.15)


def test_antithetic_pairs_survive_chunks_that_split_them(x, D, problem):
    settings = Smoothing(sigma=0.3, num_samples=6, noise="antithetic")
    whole = smooth(D, x, settings, problem.seeds)
    split = smooth(D, x, replace(settings, chunk=1), problem.seeds)
    torch.testing.assert_close(split.samples, whole.samples)
    iid = smooth(lambda x: x, x, replace(settings, noise="iid"), problem.seeds).samples - x
    pairs = smooth(lambda x: x, x, settings, problem.seeds).samples - x
    torch.testing.assert_close(pairs[::2], iid[:3])
    torch.testing.assert_close(pairs[1::2], -iid[:3])


def loss_and_gradients(method, smoothing, problem, device, dtype):
    f = make(method, device, dtype, smoothing)
    loss = mean_square(f(problem.y, problem.A, problem.seeds) - problem.target)
    parameters = list(f.networks().parameters())
    return loss.detach(), torch.autograd.grad(loss, parameters)


@pytest.mark.parametrize("method", SMOOTHED)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.complex64, 1e-5), (torch.complex128, 1e-10)])
def test_chunks_and_batches_change_nothing(method, dtype, tolerance, device):
    smoothing = Smoothing(sigma=0.3, num_samples=10)
    both = make_problem(device, dtype)
    one_by_one = [loss_and_gradients(method, smoothing, both[i], device, dtype) for i in range(2)]
    losses, gradients = zip(*one_by_one, strict=True)
    alone = one_by_one[0]
    mean = sum(losses) / 2, [(a + b) / 2 for a, b in zip(*gradients, strict=True)]
    for chunk in (1, 5, 10):
        for problem, expected in ((both[0], alone), (both, mean)):
            loss, gradient = loss_and_gradients(method, replace(smoothing, chunk=chunk), problem, device, dtype)
            assert abs(loss / expected[0] - 1) < tolerance
            for a, b in zip(gradient, expected[1], strict=True):
                assert (a - b).norm() <= tolerance * b.norm() + tolerance * 1e-2


def test_unsmoothed(x, D):
    smoothed = unsmoothed(D, x)
    assert torch.equal(smoothed.value, D(x))
    assert smoothed.samples.shape == (1, *x.shape)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sigma": -0.1}, "sigma: expected a finite number >= 0, got -0.1"),
        ({"sigma": float("nan")}, "sigma"),
        ({"sigma": float("inf")}, "sigma"),
        ({"num_samples": -1}, "num_samples: expected an integer of at least 0, got -1"),
        ({"noise": "sobol"}, "noise: expected one of iid, antithetic, got 'sobol'"),
        ({"noise": "antithetic", "num_samples": 3}, "num_samples: antithetic noise comes in pairs, got 3"),
        ({"chunk": 0}, "chunk: expected an integer of at least 1, got 0"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        Smoothing(**settings)
