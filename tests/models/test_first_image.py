"""The image that the unrolling starts from."""

from dataclasses import replace

import pytest
import torch

import smug
from smug.bounds.deterministic import deterministic_bounds
from smug.models.reconstructors import SMUG, MoDL, WeightedSMUG, last, unroll
from smug.models.ridge import RidgeRegulariser
from smug.models.ridge_reconstruction import Ridge
from smug.models.smoothing import Smoothing, unsmoothed
from smug.training import runs
from smug.training.configured import build
from smug.training.presets import PRESETS

from ..properties import assert_refused
from .conftest import toy_denoiser


def shrunk(y, A, generator=None):
    """Return an image that is not A^H y."""
    return 0.5 * A.H(y)


def reconstructors(device):
    smoothing, encoder = Smoothing(sigma=0.02, num_samples=2), lambda x: x.abs().mean((-2, -1)) + 1
    D = toy_denoiser(device)
    return [
        MoDL(D, 2, 0.5, shrunk),
        SMUG(D, smoothing, 2, 0.5, shrunk),
        WeightedSMUG(D, encoder, smoothing, 2, 0.5, shrunk),
    ]


def test_the_first_step_denoises_it(problem, device):
    for f in reconstructors(device):
        first = next(iter(f.iterate(problem.y, problem.A))).x
        assert torch.equal(first, shrunk(problem.y, problem.A))
        assert not torch.allclose(f(problem.y, problem.A), f.replace(first=None)(problem.y, problem.A))


def test_it_is_no_more_than_the_first_x(problem, device):
    aliased, D = problem.A.H(problem.y), toy_denoiser(device)
    x = last(unroll(lambda x, n: unsmoothed(D, x), aliased, problem.A, 2, 0.5, shrunk(problem.y, problem.A)))
    assert torch.equal(reconstructors(device)[0](problem.y, problem.A), x)


def test_a_random_one_has_a_seed_for_every_image(problem, device):
    seen = []

    def random(y, A, generator=None):
        seen.append(generator)
        return A.H(y)

    seeds = torch.arange(problem.y.shape[0])
    MoDL(toy_denoiser(device), 1, first=random)(problem.y, problem.A, seeds)
    assert torch.equal(seen[0], seeds)


def test_gradients_go_through_a_ridge(device):
    """The slope of the whole reconstruction along a direction in the measurements, by differences."""
    generator = torch.Generator().manual_seed(0)
    A = smug.Sense(mask=torch.tensor([[True, False, True, True, False, True, True, False]]))
    x, d = (torch.randn(1, 6, 8, dtype=torch.complex128, generator=generator) for _ in range(2))
    ridge = Ridge(
        RidgeRegulariser(4, (2,), convex=True).double(), sigma=0.2, tau=0.1, tolerance=1e-10, max_iterations=9000,
        solve_tolerance=1e-9,
    )  # fmt: skip
    f = MoDL(torch.sin, 2, 0.5, ridge)
    y = A(x).requires_grad_()
    weight = torch.randn(1, 6, 8, dtype=torch.complex128, generator=generator)

    def value(y):
        return (weight.conj() * f(y, A)).real.sum()

    (gradient,) = torch.autograd.grad(value(y), y)
    slope = (gradient.conj() * A(d)).real.sum()
    with torch.no_grad():
        difference = (value(y + 1e-5 * A(d)) - value(y - 1e-5 * A(d))) / 2e-5
    assert torch.allclose(slope, difference, rtol=1e-4)


def test_that_of_a_configuration_is_the_shipped_ridge_and_does_not_learn():
    f = build(replace(PRESETS["tiny"], first="ridge"))
    ridge = smug.load("ridge").reconstructor
    own = f.networks()["first"].state_dict()
    assert all(torch.equal(own[name], value) for name, value in ridge.networks().state_dict().items())
    assert f.first.lam == ridge.lam
    assert not any(parameter.requires_grad for parameter in f.networks()["first"].parameters())
    assert "first" not in f.image_networks()


def test_it_is_stored_with_the_weights(tmp_path):
    config = replace(PRESETS["tiny"], first="ridge")
    f = build(config)
    for parameter in f.networks().parameters():
        torch.nn.init.normal_(parameter, std=0.02, generator=torch.Generator().manual_seed(0))
    runs.save_weights(tmp_path / "model.safetensors", f, config)
    again = runs.load_weights(tmp_path / "model.safetensors").reconstructor
    stored = f.networks().state_dict()
    assert all(torch.equal(again.networks().state_dict()[name], value) for name, value in stored.items())
    assert any(name.startswith("first.regulariser") for name in stored)


@pytest.mark.parametrize("method", ["ridge", "rs-e2e"])
def test_methods_without_one_refuse_it(method):
    assert_refused(lambda: replace(PRESETS["tiny"], method=method, first="ridge"), 'first: expected "adjoint"')


def test_bounds_want_the_adjoint(problem, device):
    f = MoDL(toy_denoiser(device), 2, 0.5, shrunk)
    assert_refused(lambda: deterministic_bounds(f, problem.A), "expected A^H y as the first image")
