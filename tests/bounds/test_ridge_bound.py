"""What no perturbation can do to a ridge reconstruction: the bound, what reaches it, and where there is none."""

import math

import pytest
import torch

from smug.attacks import PGD, attack, to_clean
from smug.bounds.bound import Certified
from smug.bounds.deterministic import deterministic_bounds
from smug.bounds.gain import local_gain
from smug.bounds.ridge_bound import ridge_bound, ridge_convexity
from smug.models.ridge import RidgeRegulariser
from smug.models.ridge_reconstruction import Ridge
from smug.physics.parts import image_norm
from smug.physics.sense import Sense
from smug.threat import Threat

from ..scans import tiny_scan


def regulariser(convex=True):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return RidgeRegulariser(4, (2,), convex=convex).double()


def exact(R, **settings):
    return Ridge(R, **{"lam": 0.5, "sigma": 0.05, "tolerance": 1e-9, "max_iterations": 20000} | settings)


@pytest.mark.parametrize("tau", [0.0025, 0.01, 0.1])
def test_without_a_regulariser_the_worst_direction_reaches_the_bound(tau):
    maps = torch.full((1, 1, 8, 8), math.sqrt(tau), dtype=torch.complex128)  # the singular value that is amplified most
    A = Sense(torch.ones(1, 8, dtype=torch.bool), maps)
    f = exact(regulariser(), lam=1e-9, tau=tau)
    (bound,) = deterministic_bounds(f, A, radius=0.3)
    assert isinstance(bound, Certified)
    y = torch.randn(1, 1, 8, 8, dtype=torch.complex128, generator=torch.Generator().manual_seed(1))
    worst = local_gain(f, y, A, generator=torch.tensor([0])).vector
    moved = float(image_norm(f(y + 0.3 * worst, A) - f(y, A)).detach())
    assert 0.99 * bound.value <= moved <= 1.0001 * bound.value
    assert moved > 0.98 * bound.value  # a bound that is 2 % smaller would be wrong


@pytest.mark.parametrize("radius", [0.01, 0.3, 10.0])
@pytest.mark.parametrize("lam", [0.01, 1.0])
def test_attacks_on_a_convex_one_stay_within_the_bound(radius, lam):
    scan = tiny_scan(1, height=8, width=12, coils=2)
    f = exact(regulariser(), lam=lam, tau=0.01, tolerance=1e-7)
    threat = Threat(
        1.0, "l2", "noise", noise_sigma=radius / math.sqrt(2 * float(scan.A.sampled.expand_as(scan.y).sum()))
    )
    found = attack(f, scan, threat, rule=PGD(5), objective=to_clean, generator=torch.tensor([0]))
    y = scan.y
    moved = float(image_norm(f(y + found.delta, scan.A) - f(y, scan.A)).detach())
    (bound,) = deterministic_bounds(f, scan.A, radius=radius)
    assert 0.1 * bound.value < moved <= bound.value * 1.001


def test_stopping_early_costs_what_the_formula_says():
    assert ridge_bound(1.0, 0.25) == pytest.approx(1.0)
    t, mu, d = 0.3, 0.25, 2.0
    e = ridge_bound(d, mu, t)
    assert mu * e**2 == pytest.approx(d**2 / 4 + 2 * t * e)  # the root of the quadratic


def test_images_of_an_iteration_that_stops_early_stay_within_its_bound():
    scan = tiny_scan(1, height=8, width=12, coils=2)
    f = exact(regulariser(), tau=0.01, tolerance=0.05)
    y = scan.y
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        d = torch.randn(y.shape, dtype=y.dtype, generator=generator) * scan.A.sampled
        d = 0.1 * d / torch.linalg.vector_norm(d)
        before, after = f.minimum(y, scan.A), f.minimum(y + d, scan.A)
        stopped = float(torch.maximum(before.gradient_norm, after.gradient_norm).detach())
        assert float(image_norm(after.value - before.value).detach()) <= ridge_bound(0.1, 0.01, stopped)


def test_weakly_convex_ones_have_a_bound_only_where_tau_outweighs_them():
    R = regulariser(convex=False)
    rho = float(R.weak_convexity().detach())
    A = tiny_scan().A
    assert rho > 0
    assert deterministic_bounds(exact(R, tau=0.9 * 0.5 * rho), A) == []
    (bound,) = deterministic_bounds(exact(R, tau=2 * 0.5 * rho), A)
    assert bound.value == pytest.approx((1 + rho) / (2 * math.sqrt(0.5 * rho)))
    assert "weakly convex" in bound.assumptions[0]


def test_a_convex_one_without_tau_has_none():
    assert deterministic_bounds(exact(regulariser(), tau=0.0), tiny_scan().A) == []


def test_the_least_convexity_of_a_batch_counts():
    assert ridge_convexity(exact(regulariser(), tau=torch.tensor([0.1, 0.02]))) == pytest.approx(0.02)


@pytest.mark.parametrize("arguments", [(1.0, 0.0), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0, -0.1)])
def test_bad_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match="ridge bound: expected"):
        ridge_bound(*arguments)
