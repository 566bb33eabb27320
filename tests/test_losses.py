import pytest
import torch

from smug import losses
from smug.data.scan import Scan
from smug.models.level import batched
from smug.models.noise import complex_normal, derive
from smug.models.reconstructors import MoDL
from smug.models.smoothing import Smoothing
from smug.models.unet import LevelUNet
from smug.physics.consistency import solve

from .models.conftest import Counting, make, make_problem, toy_denoiser
from .properties import assert_refused

SIGMA, SAMPLES, STEPS, LAM = 0.3, 4, 3, 0.8


@pytest.fixture
def problem(device):
    return make_problem(device)


@pytest.fixture
def scan(problem):
    return Scan(problem.y, problem.A, problem.target, ("a", "b"))


@pytest.fixture(params=["smug", "weighted-smug"])
def f(request, device):
    """What the unrolled losses train: four samples in each of three steps."""
    return make(request.param, device)


@pytest.fixture
def modl(device):
    """The denoiser of another, trained MoDL."""
    D = toy_denoiser(device)
    with torch.no_grad():
        for parameter in D.parameters():
            parameter.mul_(1.3)
    return D


def square(difference):
    """The squared norm as a mean over everything, of the real and the imaginary part."""
    return torch.view_as_real(difference).square().mean()


def noise(problem, n):
    """Return the noise of step n, by its address."""
    t = problem.target
    return [SIGMA * complex_normal(derive(problem.seeds, n, k), t.shape[1:], t.dtype, t.device) for k in range(SAMPLES)]


def literal_steps(f, problem):
    """Yield (x^n, [D(x^n + eta_k)]) and at last (F(y), None), one sample at a time."""
    A, y, D = problem.A, problem.y, f.denoiser
    encoder = getattr(f, "encoder", lambda x: torch.ones(len(x), dtype=torch.float64, device=x.device))
    x = A.H(y)
    for n in range(STEPS):
        noisy = [x + eta for eta in noise(problem, n)]
        weights = [encoder(image)[:, None, None] for image in noisy]
        samples = [D(image) for image in noisy]
        yield x, samples
        z = sum(w * s for w, s in zip(weights, samples, strict=True)) / sum(weights)
        x = solve(A, A.H(y) + LAM * z, LAM).value
    yield x, None


def literal_stability(f, problem, target):
    """Equation (7), with any target(x^n), every sample counting the same."""
    total = 0
    for x, samples in literal_steps(f, problem):
        if samples is not None:
            total = total + sum(square(sample - target(x)) for sample in samples) / SAMPLES
    return total


def assert_same_value_and_gradients(loss, literal, f):
    torch.testing.assert_close(loss, literal)
    parameters = list(f.networks().parameters())
    gradients = torch.autograd.grad(loss, parameters, materialize_grads=True)
    expected = torch.autograd.grad(literal, parameters, materialize_grads=True)
    for a, b in zip(gradients, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


def test_mean_square_is_the_mean_over_pixels_and_parts(problem):
    torch.testing.assert_close(losses.mean_square(problem.target), square(problem.target))


def test_pretraining_is_equation_6(problem, device):
    D, t = toy_denoiser(device), problem.target
    eta = complex_normal(derive(problem.seeds, 0), t.shape[1:], t.dtype, device)
    expected = square(D(t + SIGMA * eta) - t)
    torch.testing.assert_close(losses.pretraining(D, t, SIGMA, problem.seeds), expected)


def test_pretraining_of_the_identity_is_the_noise_power(device):
    t = torch.zeros(4, 64, 64, dtype=torch.complex128, device=device)
    loss = losses.pretraining(lambda x: x, t, 0.1, torch.arange(4))
    assert loss.item() == pytest.approx(0.01, rel=0.03)


@pytest.mark.parametrize("method", ["modl", "rs-e2e"])
def test_supervised(problem, scan, device, method):
    f = make(method, device)
    expected = square(f(problem.y, problem.A, problem.seeds) - problem.target)
    torch.testing.assert_close(losses.supervised(f, scan, problem.seeds), expected)


def test_unrolled_stability_is_equation_7(f, problem, scan):
    D, t = f.denoiser, problem.target
    loss = losses.unrolled_stability(f, scan, problem.seeds)
    assert_same_value_and_gradients(loss, literal_stability(f, problem, lambda x: D(t)), f)


def test_smug_is_equations_8_and_12(f, problem, scan):
    D, t = f.denoiser, problem.target
    *_, (x, _) = literal_steps(f, problem)
    literal = literal_stability(f, problem, lambda x: D(t)) + 30 * square(x - t)
    loss = losses.smug(f, scan, problem.seeds, reconstruction_weight=30)
    assert_same_value_and_gradients(loss, literal, f)


def test_stability_does_not_weight_the_samples(problem, scan, device):
    """With one step the samples do not depend on the encoder, so neither does equation (7)."""
    f = make("weighted-smug", device, steps=1)
    parameters = list(f.networks()["encoder"].parameters())
    stability = losses.unrolled_stability(f, scan, problem.seeds)
    gradients = torch.autograd.grad(stability, parameters, materialize_grads=True)
    assert not any(gradient.any() for gradient in gradients)
    whole = torch.autograd.grad(losses.smug(f, scan, problem.seeds), parameters)
    assert any(gradient.any() for gradient in whole)


def fig_13(name, f, modl, t):
    """Return the target as the library says it, and as a literal function of x^n."""
    D = f.denoiser
    match name:
        case "D(t)":
            return losses.denoised_target(D), lambda x: D(t)
        case "t":
            return losses.target_itself, lambda x: t
        case "D(x)":
            return losses.denoised_iterate(D), lambda x: D(x)
        case "MoDL's D(t)":
            return losses.denoised_target(losses.frozen(modl)), lambda x: modl(t).detach()
        case "MoDL's D(x)":
            return losses.denoised_iterate(losses.frozen(modl)), lambda x: modl(x.detach()).detach()


FIG_13 = ["D(t)", "t", "D(x)", "MoDL's D(t)", "MoDL's D(x)"]


@pytest.mark.parametrize("name", FIG_13)
def test_the_targets_of_fig_13(name, f, modl, problem, scan):
    towards, literal = fig_13(name, f, modl, problem.target)
    loss = losses.unrolled_stability(f, scan, problem.seeds, towards=towards)
    assert_same_value_and_gradients(loss, literal_stability(f, problem, literal), f)
    whole = losses.smug(f, scan, problem.seeds, towards=towards, reconstruction_weight=2.0)
    *_, (x, _) = literal_steps(f, problem)
    torch.testing.assert_close(whole, loss + 2 * square(x - problem.target))


def test_the_targets_of_fig_13_differ(f, modl, problem, scan):
    values = [
        losses.unrolled_stability(f, scan, problem.seeds, towards=fig_13(name, f, modl, problem.target)[0]).item()
        for name in FIG_13
    ]
    assert len({round(value, 6) for value in values}) == 5


def test_the_default_is_the_papers_choice(f, problem, scan):
    default = losses.smug(f, scan, problem.seeds)
    named = losses.smug(f, scan, problem.seeds, towards=losses.denoised_target(f.denoiser))
    assert torch.equal(default, named)


def test_the_denoised_target_is_evaluated_once(f, problem, scan):
    D = Counting(f.denoiser)
    losses.unrolled_stability(f.replace(denoiser=D), scan, problem.seeds)
    assert D.images == 2 * (STEPS * SAMPLES + 1)


@pytest.mark.parametrize("part", ["D(x + eta)", "x", "D(t)"])
def test_gradients_flow_through_every_part(part, problem, scan, device):
    """Detaching a part of equation (7) changes the gradient: nothing is cut as it stands."""
    f = make("smug", device)
    D, goal = f.denoiser, f.denoiser(problem.target)
    cut = 0
    for n, step in enumerate(f.iterate(problem.y, problem.A, problem.seeds)):
        match part:
            case "D(x + eta)":
                difference = step.z.samples.detach() - goal
            case "x":
                noisy = torch.stack([step.x.detach() + eta for eta in noise(problem, n)])
                difference = batched(D)(noisy) - goal
            case "D(t)":
                difference = step.z.samples - goal.detach()
        cut = cut + losses.mean_square(difference)
    whole = losses.unrolled_stability(f, scan, problem.seeds)
    parameters = list(f.networks().parameters())
    a, b = (torch.autograd.grad(loss, parameters) for loss in (whole, cut))
    assert sum((p - q).norm() for p, q in zip(a, b, strict=True)) > 1e-3 * sum(p.norm() for p in a)


def test_frozen_is_a_copy_without_gradients(device, problem):
    D = toy_denoiser(device)
    fixed = losses.frozen(D)
    before = D(problem.target)
    with torch.no_grad():
        for parameter in D.parameters():
            parameter.mul_(2)
    assert torch.equal(fixed(problem.target), before)
    assert not fixed(problem.target.clone().requires_grad_()).requires_grad


def test_without_noise_one_sample_counts(problem, scan, device):
    f = make("smug", device, smoothing=Smoothing(sigma=0))
    D = f.denoiser
    expected, x = 0, problem.A.H(problem.y)
    for _ in range(STEPS):
        expected = expected + square(D(x) - D(problem.target))
        x = solve(problem.A, problem.A.H(problem.y) + LAM * D(x), LAM).value
    torch.testing.assert_close(losses.unrolled_stability(f, scan, problem.seeds), expected)
    modl = MoDL(D, STEPS, LAM)
    torch.testing.assert_close(losses.unrolled_stability(modl, scan), expected)


def test_the_moments_of_the_samples_give_the_same(f, problem, scan):
    """mean|a_k - c|^2 = |mean a - c|^2 + mean|a_k - mean a|^2."""
    goal = f.denoiser(problem.target)
    total = 0
    for step in f.iterate(problem.y, problem.A, problem.seeds):
        bias = losses.mean_square(step.z.samples.mean(0) - goal)
        total = total + bias + step.z.spread.square().mean() / 2
    torch.testing.assert_close(losses.unrolled_stability(f, scan, problem.seeds), total)


def test_stable_reconstruction_is_both(f, problem, scan):
    stability, x = losses.stable_reconstruction(f, scan, problem.seeds)
    alone = [losses.unrolled_stability(f, scan[i], problem.seeds[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(stability, torch.stack(alone))
    torch.testing.assert_close(x, f(problem.y, problem.A, problem.seeds))


def test_a_batch_is_the_mean_of_its_slices(f, problem, scan):
    together = losses.smug(f, scan, problem.seeds)
    alone = [losses.smug(f, scan[i], problem.seeds[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(together, sum(alone) / 2, rtol=1e-8, atol=0)


def test_single_precision(device):
    problem = make_problem(device, torch.complex64)
    scan = Scan(problem.y, problem.A, problem.target, ("a", "b"))
    assert losses.smug(make("smug", device, torch.complex64), scan, problem.seeds).dtype == torch.float32


def test_a_scan_without_target_is_refused(f, problem):
    scan = Scan(problem.y, problem.A, None, ("a", "b"))
    for loss in (losses.supervised, losses.unrolled_stability, losses.smug):
        with pytest.raises(ValueError, match="scan a: expected a fully sampled target"):
            loss(f, scan, problem.seeds)


def test_a_denoiser_that_takes_a_level_has_no_iterate_to_pull_towards():
    assert_refused(lambda: losses.denoised_iterate(LevelUNet(4, 1)), "take D(t) or t")
    assert losses.denoised_target(LevelUNet(4, 1))(torch.zeros(1, 8, 8, dtype=torch.complex64))
