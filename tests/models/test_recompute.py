from contextlib import nullcontext
from copy import deepcopy

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from smug import losses
from smug.data.scan import Scan
from smug.models import smoothing as smoothing_module
from smug.models.adapters import as_complex
from smug.models.compute import recomputed
from smug.models.level import batched
from smug.models.smoothing import Smoothing, smooth

from .conftest import METHODS, SMOOTHING, Counting, make, make_problem, seeded, toy_denoiser

UNROLLED = ("modl", "smug", "weighted-smug")


def recompute(f):
    """Recompute every network of a reconstructor."""
    return f.replace(**{name: recomputed(network) for name, network in f.networks().items()})


def scan_of(device, dtype):
    problem = make_problem(device, dtype)
    return Scan(problem.y, problem.A, problem.target, ("a", "b")), problem.seeds


def assert_bitwise_equal(loss, f, autocast=nullcontext):
    """The loss and the gradients are the same numbers, with and without recomputing."""
    parameters = list(f.networks().parameters())
    results = []
    for function in (f, recompute(f)):
        with autocast():
            value = loss(function)
        results.append((value, *torch.autograd.grad(value, parameters, materialize_grads=True)))
    assert any(gradient.any() for gradient in results[0][1:])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@settings(max_examples=5)
@given(steps=st.integers(1, 3), samples=st.integers(0, 4), chunk=st.sampled_from([None, 1, 3]))
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
@pytest.mark.parametrize("method", METHODS)
def test_the_gradient_is_the_same_to_the_last_bit(method, dtype, device, steps, samples, chunk):
    scan, seeds = scan_of(device, dtype)
    f = make(method, device, dtype, Smoothing(sigma=0.3, num_samples=samples, chunk=chunk), steps)
    assert_bitwise_equal(lambda f: losses.supervised(f, scan, seeds), f)
    if method in UNROLLED:
        assert_bitwise_equal(lambda f: losses.smug(f, scan, seeds, reconstruction_weight=3.0), f)


@pytest.mark.parametrize("target", [losses.denoised_target, losses.denoised_iterate])
@pytest.mark.parametrize("method", ["smug", "weighted-smug"])
def test_so_is_that_of_the_stability(method, target, device):
    scan, seeds = scan_of(device, torch.complex64)
    f = make(method, device, torch.complex64)
    assert_bitwise_equal(lambda f: losses.unrolled_stability(f, scan, seeds, towards=target(f.denoiser)), f)


def test_so_is_that_of_the_measurements(method, device):
    """Attacks differentiate the reconstruction with respect to its input."""
    problem = make_problem(device)
    f = make(method, device)
    gradients = []
    for function in (f, recompute(f)):
        y = problem.y.clone().requires_grad_()
        loss = losses.mean_square(function(y, problem.A, problem.seeds) - problem.target)
        gradients += torch.autograd.grad(loss, y)
    assert gradients[0].any()
    assert torch.equal(*gradients)


@pytest.mark.parametrize("method", METHODS)
def test_autocast_around_the_loss(method, device):
    scan, seeds = scan_of(device, torch.complex64)
    f = make(method, device, torch.complex64)

    def autocast():
        return torch.autocast(device.type, dtype=torch.bfloat16)

    assert_bitwise_equal(lambda f: losses.supervised(f, scan, seeds), f, autocast)
    with autocast():
        rounded = losses.supervised(f, scan, seeds)
    assert rounded != losses.supervised(f, scan, seeds)  # or nothing was cast


@pytest.mark.parametrize("order", ["autocast inside", "autocast outside"])
def test_autocast_of_the_denoiser_alone(order, device):
    scan, seeds = scan_of(device, torch.complex64)
    f = make("smug", device, torch.complex64)

    def cast(function):
        def call(x):
            with torch.autocast(device.type, dtype=torch.bfloat16):
                return function(x)

        return call

    D = f.denoiser
    both = recomputed(cast(D)) if order == "autocast inside" else cast(recomputed(D))
    gradients = []
    for denoiser in (cast(D), both):
        loss = losses.smug(f.replace(denoiser=denoiser), scan, seeds)
        gradients.append(torch.autograd.grad(loss, list(D.parameters())))
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


@pytest.mark.parametrize("method", METHODS)
def test_noise_is_drawn_once(method, device, monkeypatch):
    draws = []
    original = smoothing_module.normal
    monkeypatch.setattr(smoothing_module, "normal", lambda *a: draws.append(None) or original(*a))
    scan, seeds = scan_of(device, torch.complex128)
    loss = losses.supervised(recompute(make(method, device)), scan, seeds)
    drawn = len(draws)
    loss.backward()
    assert len(draws) == drawn
    assert drawn == {"modl": 0, "rs-e2e": 4}.get(method, 12)


def test_the_second_run_sees_the_same_images(device):
    problem = make_problem(device)
    seen = []

    def denoise(x):
        seen.append(x.detach().clone())
        return x * x.abs()

    x = problem.target.clone().requires_grad_()
    smooth(recomputed(denoise), x, SMOOTHING, problem.seeds).value.abs().sum().backward()
    assert len(seen) == 2
    assert torch.equal(*seen)


def test_the_dropout_of_a_network_is_repeated(device):
    problem = make_problem(device)
    D = seeded(lambda: as_complex(nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.Dropout(0.5))), device)

    def gradient(denoiser):
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(0)
            smoothed = smooth(batched(denoiser), problem.target, SMOOTHING, problem.seeds)
            return torch.autograd.grad(losses.mean_square(smoothed.value), list(D.parameters()))

    for a, b in zip(gradient(D), gradient(recomputed(D)), strict=True):
        assert torch.equal(a, b)


def test_without_gradients_it_is_the_function(device):
    problem = make_problem(device)
    D = Counting(toy_denoiser(device))
    with torch.no_grad():
        assert torch.equal(recomputed(D)(problem.target), D(problem.target))
    recomputed(D)(problem.target).abs().sum().backward()
    assert D.calls == 4  # one of them for the gradient


def test_a_copy_has_weights_of_its_own(device):
    """:func:`smug.losses.frozen` copies the denoiser."""
    x = make_problem(device).target
    D = toy_denoiser(device)
    before = D(x)
    copy = deepcopy(recomputed(D))
    with torch.no_grad():
        for parameter in D.parameters():
            parameter.mul_(2)
    assert torch.equal(copy(x), before)
    assert not torch.equal(recomputed(D)(x), before)


def saved_bytes(loss):
    """Return the bytes of all memory that autograd keeps of a loss."""
    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage()._cdata] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss()
    return sum(storage.nbytes() for storage in kept.values())


def test_memory_grows_by_images_alone(device):
    """With each sample ``x + eta`` and ``D(x + eta) - D(t)`` stay, with each step x, and no activation."""
    scan, seeds = scan_of(device, torch.complex128)
    one_batch = scan.truth.nbytes

    def kept(steps, samples):
        f = recompute(make("smug", device, smoothing=Smoothing(sigma=0.3, num_samples=samples, chunk=1), steps=steps))
        return saved_bytes(lambda: losses.smug(f, scan, seeds))

    grown = kept(8, 10) - kept(1, 1)
    images = (8 * 10 - 1) * 2 + (8 - 1)
    assert grown == pytest.approx(images * one_batch, rel=0.01)
    f = make("smug", device, smoothing=Smoothing(sigma=0.3, num_samples=10), steps=8)
    assert saved_bytes(lambda: losses.smug(f, scan, seeds)) > 2 * kept(8, 10)
