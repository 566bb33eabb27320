import pytest
import torch

from benchmarks.denoiser import TextbookDenoiser, random_network
from benchmarks.textbook import joint_conjugate_gradient, textbook_smug, textbook_solve, textbook_steps
from smug.models.noise import complex_normal, derive
from smug.models.reconstructors import SMUG
from smug.models.smoothing import Smoothing
from smug.physics.consistency import solve

from ..scans import phantom_scan


@pytest.fixture
def scan(device):
    return phantom_scan(count=2, coils=3).normalised().to(device)


@pytest.fixture
def denoiser(device):
    return random_network("didn", 8, 2).to(device)


SMOOTHING = Smoothing(sigma=0.05, num_samples=3)


def addressed(scan, seeds):
    """The noise that SMUG makes from these seeds."""
    shape, device = scan.truth.shape[1:], scan.y.device
    return lambda n, k: SMOOTHING.sigma * complex_normal(derive(seeds, n, k), shape, device=device)


@torch.no_grad()
def test_the_textbook_is_smug(scan, denoiser):
    seeds = torch.tensor([5, 6])
    ours = SMUG(denoiser, SMOOTHING, steps=3, lam=0.7)(scan.y, scan.A, seeds)
    theirs = textbook_smug(
        TextbookDenoiser(denoiser),
        scan.y,
        scan.A.maps,
        scan.A.mask,
        addressed(scan, seeds),
        steps=3,
        samples=SMOOTHING.num_samples,
        lam=0.7,
    )
    assert float((theirs - ours).norm() / ours.norm()) < 1e-5
    torch.testing.assert_close(theirs, ours, rtol=1e-4, atol=1e-4)
    plain = SMUG(denoiser, SMOOTHING, steps=3, lam=0.7).replace(num_samples=0)(scan.y, scan.A)
    assert float((plain - ours).norm() / ours.norm()) > 1e-3  # so that noise and its place matter above


def test_gradients_through_the_textbook_are_the_implicit_ones(scan, denoiser):
    seeds, results = torch.tensor([5, 6]), []
    textbook = TextbookDenoiser(denoiser)
    for theirs in (False, True):
        y = scan.y.clone().requires_grad_()
        if theirs:
            noise = addressed(scan, seeds)
            x = textbook_smug(textbook, y, scan.A.maps, scan.A.mask, noise, steps=2, samples=SMOOTHING.num_samples)
        else:
            x = SMUG(denoiser, SMOOTHING, steps=2)(y, scan.A, seeds)
        weights = (textbook.network if theirs else denoiser).tail[3].weight
        results.append(torch.autograd.grad((x - scan.truth).abs().square().sum(), (y, weights)))
    for ours, theirs in zip(*results, strict=True):
        assert float((theirs - ours).norm() / ours.norm()) < 1e-4


def test_every_step_tells_its_samples(scan, denoiser):
    steps = list(
        textbook_steps(denoiser, scan.y, scan.A.maps, scan.A.mask, lambda n, k: (n + k) / 10, steps=2, samples=3)
    )
    assert [len(samples) for samples, _ in steps] == [3, 3]
    torch.testing.assert_close(steps[1][0][2], denoiser(steps[0][1] + 0.3))


@pytest.mark.parametrize("count", [1, 4])
def test_solutions_are_those_of_solve(count, scan, device):
    b = complex_normal(torch.arange(2 * count).reshape(count, 2), scan.truth.shape[1:], device=device)
    x, iterations = textbook_solve(b, scan.A.maps, scan.A.mask, 0.5)
    expected = solve(scan.A, b, 0.5)
    torch.testing.assert_close(x, expected.value, rtol=1e-4, atol=1e-5)
    assert abs(iterations - int(expected.iterations.max())) <= 1


def test_the_batch_is_one_system(device):
    diagonal = torch.tensor([[1.0, 1.0], [2.0, 3.0]], device=device)
    x, iterations = joint_conjugate_gradient(lambda p: diagonal * p, torch.ones(2, 2, device=device), 1e-6, 10)
    assert iterations == 3  # eigenvalues in all; the first row alone takes one
    torch.testing.assert_close(x, 1 / diagonal)
