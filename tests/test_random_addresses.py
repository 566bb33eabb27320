"""Whatever draws random numbers for one seed has numbers of its own."""

import itertools
import sys

import pytest
import torch

import smug
from smug.attacks import PGD, Square, start
from smug.models import noise
from smug.shifts import FAMILIES, SHIFTS
from smug.training.config import Config
from smug.training.methods import METHODS, training_loss

from .scans import phantom_scan

SEEDS = torch.tensor([3])
THREATS = (smug.Threat(0.05, norm="l2", unit="kspace-l2"), smug.Threat(0.02))
STARTS = (start.uniform, start.gaussian, start.image, start.singular)


def zero_filled(y, A, generator=None):
    return A.H(y)


def simulation(scan):
    smug.simulate(scan.target, smug.Acquisition(noise=0.01, background=0.01), SEEDS.tolist())


def shifts(scan):
    for shift in SHIFTS.values():
        for severity in shift.severities:
            shift.apply(scan, severity, SEEDS)


def attacks(scan):
    for threat, rule in itertools.product(THREATS, (*(PGD(steps=1, restarts=3, start=s) for s in STARTS), Square(3))):
        smug.attacks.attack(zero_filled, scan, threat, rule=rule, generator=SEEDS)
    for name in FAMILIES.keys() - {"spikes"}:  # whose places are those of the shift
        smug.attacks.random_of(scan, FAMILIES[name], 0.1, SEEDS)


def smoothing(scan):
    settings = smug.Smoothing(num_samples=12)
    for method in (smug.SMUG, smug.RSE2E):
        method(lambda x: x, settings, steps=12)(scan.y, scan.A, SEEDS)


def noise_map(scan):
    smug.noise_map(zero_filled, scan.y, scan.A, 0.01, 12, SEEDS)


def perturbed_training(scan):
    """What is drawn beside the smoothing noise of an update; training a denoiser alone has none beside it."""
    for name in ("jitter", "adversarial", "trades"):
        training_loss(Config(method=name), lambda x: x)(smug.MoDL(lambda x: x, 2), scan, SEEDS)


PARTS = (simulation, shifts, attacks, smoothing, noise_map, perturbed_training)


@pytest.fixture
def drawn(monkeypatch):
    """The keys of all numbers that are drawn: normal ones, and uniform ones, which are another hash of theirs."""
    keys = set()
    numbered, uniform = noise._numbered, noise.uniform

    def of_normal(seeds, *rest):
        keys.update(("normal", key) for key in seeds.flatten().tolist())
        return numbered(seeds, *rest)

    def of_uniform(seeds):
        keys.update(("uniform", key) for key in seeds.flatten().tolist())
        return uniform(seeds)

    monkeypatch.setattr(noise, "_numbered", of_normal)
    for module in [module for name, module in sys.modules.items() if name.startswith("smug.")]:
        if getattr(module, "uniform", None) is uniform:
            monkeypatch.setattr(module, "uniform", of_uniform)
    return keys


def test_no_two_draws_of_one_seed_share_numbers(drawn):
    scan = phantom_scan(32, coils=2, noise=0.01)
    found = {}
    for part in PARTS:
        drawn.clear()
        part(scan)
        found[part.__name__] = set(drawn)
    assert all(found.values())
    shared = {(a, b) for a, b in itertools.combinations(found, 2) if found[a] & found[b]}
    assert not shared


def test_every_method_that_perturbs_is_among_them():
    assert {name for name, method in METHODS.items() if method.perturb is not None} == {
        "jitter",
        "adversarial",
        "adversarial-smug",  # as adversarial
    }
