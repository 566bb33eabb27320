"""Somebody else's code gets copies: what it does to its arguments changes nobody's numbers but its own."""

import re
from functools import partial

import numpy as np
import pytest
import torch

import smug
from smug import attacks, foreign
from smug.attacks import PGD, Threat
from smug.data.simulate import Acquisition
from smug.evaluation.conditions import attacked, clean, noisy
from smug.evaluation.datasets import simulated_set
from smug.evaluation.scoring import score
from smug.evaluation.tuning import tuned
from smug.models.adapters import as_complex
from smug.models.classical import CGSense
from smug.models.noise_map import noise_map
from smug.models.normalised import normalised
from smug.models.reconstructors import MoDL
from smug.reconstructor import Guarded, takes_generator, taking_generator

CONDITIONS = (clean(), noisy(0.01), attacked(Threat(0.02), PGD(steps=2), "PGD"))


@pytest.fixture(scope="module")
def scan():
    return simulated_set("phantom", "test", 16, Acquisition(coils=2), count=1).scans[0]


@pytest.fixture(scope="module")
def alone(scan):
    return score({"cg": CGSense(0.01)}, CONDITIONS, [scan])


class Keeps:
    """Keep what it was given and what it returned, and spoil both at the next call."""

    def __init__(self):
        self.kept = []

    def __call__(self, y, A, generator=None):
        for kept in self.kept:
            kept.data.zero_()
        x = A.H(y)
        self.kept = [y, A.mask, A.maps, x, *([] if generator is None else [generator])]
        return x


class Buffered:
    """Return the same memory every time."""

    def __init__(self):
        self.image = torch.zeros(1, 16, 16, dtype=torch.complex64)

    def __call__(self, y, A, generator=None):
        self.image.copy_(A.H(y).detach())
        return self.image


class Backwards(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * 1

    @staticmethod
    def backward(ctx, gradient):
        ctx.saved_tensors[0].data.zero_()
        return gradient.mul_(3)


@torch.no_grad()
def scales(y, A, generator=None):
    y /= y.abs().amax()
    return A.H(y)


@torch.no_grad()
def halves_maps(y, A, generator=None):
    A.maps *= 0.5
    return A.H(y)


def flips_mask(y, A, generator=None):
    A.mask.logical_not_()
    return A.H(y)


def assigns(y, A, generator=None):
    A.mask = torch.ones_like(A.mask)
    A.maps = A.maps * 0.1
    return A.H(y)


def by_numpy(y, A, generator=None):
    y.detach().resolve_conj().numpy()[:] = 0
    A.maps.numpy()[:] = 0
    return A.H(y)


def resizes(y, A, generator=None):
    x = A.H(y).detach()
    y.detach().resize_(1)
    A.mask.resize_(0)
    return x


def sets(y, A, generator=None):
    x = A.H(y).detach()
    y.data.set_()
    A.maps.set_(torch.zeros(3, dtype=torch.complex64))
    return x


def through_data(y, A, generator=None):
    y.data.mul_(5)
    return A.H(y)


def returns_its_argument(y, A, generator=None):
    y.data.mul_(2)
    return y[:, 0]


def moves_seeds(y, A, generator=None):
    generator.add_(1)
    return A.H(y)


def stops_gradients(y, A, generator=None):
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    return A.H(y)


def in_backward(y, A, generator=None):
    return Backwards.apply(A.H(Backwards.apply(y)))


def halves_arrays(k, m, c):
    c *= 0.5
    m[:] = False
    return (c.conj() * k).sum(0)


VANDALS = [
    scales,
    halves_maps,
    flips_mask,
    assigns,
    by_numpy,
    resizes,
    sets,
    through_data,
    returns_its_argument,
    moves_seeds,
    stops_gradients,
    in_backward,
    Keeps(),
    Buffered(),
    partial(scales, generator=None),
    foreign.numpy_function(halves_arrays),
    foreign.slicewise(scales),
    normalised(scales),
]


@pytest.mark.parametrize("vandal", VANDALS, ids=lambda f: getattr(f, "__name__", type(f).__name__))
def test_the_rows_of_other_models_are_those_without_it(vandal, scan, alone):
    beside = score({"vandal": vandal, "cg": CGSense(0.01)}, CONDITIONS, [scan])
    assert [row for row in beside if row.model == "cg"] == alone
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()


def test_what_is_returned_in_the_same_memory_is_scored_as_it_was(scan):
    fresh, buffered = score({"f": lambda y, A: A.H(y), "g": Buffered()}, CONDITIONS[:2], [scan])[1::2]
    assert fresh.psnr == buffered.psnr
    assert fresh.gain == buffered.gain > 0


@torch.no_grad()
def _spoils(y, A, generator=None):
    x = A.H(y)
    y.zero_()
    A.maps.zero_()
    A.mask.zero_()
    return x


def test_everything_that_calls_a_reconstructor_gives_it_copies(scan):
    y, A, target = scan.y.clone(), (scan.A.mask.clone(), scan.A.maps.clone()), scan.truth.clone()
    noise_map(_spoils, scan.y, scan.A, 0.01, replicas=2)
    tuned(lambda lam: _spoils, [scan], [1.0, 2.0])
    normalised(_spoils)(scan.y, scan.A)
    attacks.is_random(_spoils, scan)
    foreign.Adapted(_in_place_network, lambda network, y, A: network(y, A))(scan.y, scan.A)
    for f in (MoDL(_in_place_denoiser, steps=2), MoDL(as_complex(torch.nn.ReLU(inplace=True)), steps=2)):
        torch.testing.assert_close(f(scan.y, scan.A), f(scan.y, scan.A), rtol=0, atol=0)
    assert torch.equal(scan.y, y)
    assert torch.equal(scan.A.mask, A[0])
    assert torch.equal(scan.A.maps, A[1])
    assert torch.equal(scan.truth, target)


def _in_place_network(y, A):
    x = A.H(y)
    y.zero_()
    A.mask.zero_()
    return x


def _in_place_denoiser(x):
    return x.mul_(0.5)


def test_an_in_place_denoiser_is_worth_what_its_twin_is(scan):
    one, other = MoDL(_in_place_denoiser, steps=3), MoDL(lambda x: 0.5 * x, steps=3)
    torch.testing.assert_close(one(scan.y, scan.A), other(scan.y, scan.A), rtol=0, atol=0)


def test_rules_of_users_code_do_not_reach_the_measurements(scan, alone):
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Spoils(PGD):
        def step(self, state, value, problem):
            problem.y.zero_()
            problem.A.maps.mul_(0.5)
            problem.target.zero_()
            return super().step(state, value, problem)

    both = score({"cg": CGSense(0.01)}, (*CONDITIONS[:2], attacked(Threat(0.02), Spoils(2), "mine")), [scan])
    assert both[:2] == alone[:2]
    assert score({"cg": CGSense(0.01)}, CONDITIONS[:2], [scan]) == alone[:2]


def test_gradients_flow_through(scan):
    y = scan.y.clone().requires_grad_()
    f = taking_generator(lambda y, A: A.H(y))
    (gradient,) = torch.autograd.grad(f(y, scan.A).abs().square().sum(), y)
    torch.testing.assert_close(gradient, 2 * scan.A.sampled * scan.A(scan.A.H(scan.y)))


def test_ours_are_left_alone():
    f = CGSense(0.01)
    assert taking_generator(f) is f
    guarded = taking_generator(partial(scales))
    assert isinstance(guarded, Guarded)
    assert taking_generator(guarded) is guarded
    assert takes_generator(torch.nn.Identity()) is False


def test_errors_are_told_with_their_place(scan):
    def breaks(y, A):
        raise KeyError("nothing here")

    with pytest.raises(ValueError, match=rf"breaks: {re.escape(__file__)}, line \d+: KeyError: 'nothing here'"):
        taking_generator(breaks)(scan.y, scan.A)
    with pytest.raises(ValueError, match=r"expected it to return a torch tensor, got ndarray"):
        taking_generator(lambda y, A: np.zeros(3))(scan.y, scan.A)


def test_a_network_of_images_is_told_how_to_become_a_reconstructor():
    network, scan = torch.nn.Conv2d(2, 2, 3, padding=1), smug.simulate(smug.head_phantom(seed=1, size=32)[None])
    for call in (lambda: smug.attacks.pgd(network, scan, smug.Threat(0.1)), lambda: smug.evaluate([network], scan)):
        with pytest.raises(ValueError, match=r"f\(y, A, generator=None\).*smug.foreign.image_network\(network\)"):
            call()
