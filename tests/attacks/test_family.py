"""The worst case within a family: within its bound, worse than the random one, never outside the family."""

import pytest
import torch

from smug.attacks import PGD, random_of, worst_of
from smug.models.classical import CGSense
from smug.models.reconstructors import SMUG
from smug.models.smoothing import Smoothing
from smug.norm import NORMS
from smug.shifts import FAMILIES

from ..properties import assert_refused
from ..scans import phantom_scan

BOUNDS = {"motion": 1.0, "spikes": 0.1, "ghost": 10.0, "gain-drift": 0.1, "off-resonance": 1.0}
SEEDS = torch.tensor([3, 4])


@pytest.fixture(scope="module")
def scan():
    return phantom_scan(32, 2, acceleration=2.0, center_fraction=0.2)


def error(f, perturbed):
    return (f(perturbed.y, perturbed.A) - perturbed.truth).abs().square().flatten(1).mean(1)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_worst_is_within_the_bound_and_worse_than_the_random_one(scan, name):
    family, f = FAMILIES[name], CGSense()
    worst = worst_of(f, scan, family, BOUNDS[name], generator=SEEDS)
    size = NORMS[family.norm].size(worst.parameters)
    assert bool((size <= BOUNDS[name] * (1 + 1e-5)).all())
    torch.testing.assert_close(worst.scan.y, family.apply(scan, worst.parameters, SEEDS))
    torch.testing.assert_close(error(f, worst.scan), worst.attack.objective, rtol=1e-4, atol=0)
    random = random_of(scan, family, BOUNDS[name], SEEDS)
    assert bool((error(f, worst.scan) > 1.05 * error(f, random)).all())
    assert bool((error(f, random) > error(f, scan)).all())
    assert worst.attack.relative_l2.isfinite().all()


def test_no_larger_than_the_bound_in_a_norm_over_all(scan):
    """The radius of an l2 family is the bound itself, not one per number."""
    worst = worst_of(CGSense(), scan, FAMILIES["spikes"], 0.1, generator=SEEDS)
    torch.testing.assert_close(worst.attack.radius, torch.full((2,), 0.1))
    assert float(worst.parameters[0].norm()) == pytest.approx(0.1, rel=1e-3)


def test_nothing_without_a_bound(scan):
    family = FAMILIES["ghost"]
    assert random_of(scan, family, 0.0, SEEDS) is scan
    assert worst_of(CGSense(), scan, family, 0.0, generator=SEEDS).scan is scan


def test_another_rule_and_a_reconstructor_with_noise(scan):
    f = SMUG(lambda x: 0.9 * x, Smoothing(sigma=0.02, num_samples=2), steps=2)
    rule = PGD(steps=3)
    found = [worst_of(f, scan, FAMILIES["gain-drift"], 0.1, rule=rule, generator=SEEDS) for _ in range(2)]
    assert torch.equal(found[0].parameters, found[1].parameters)
    assert bool((found[0].attack.objective > found[0].attack.clean_objective).all())


@pytest.mark.parametrize("bound", [-1.0, float("nan"), float("inf")])
def test_bad_bounds(scan, bound):
    assert_refused(lambda: worst_of(CGSense(), scan, FAMILIES["ghost"], bound), "bound: expected")
    assert_refused(lambda: random_of(scan, FAMILIES["ghost"], bound), "bound: expected")
