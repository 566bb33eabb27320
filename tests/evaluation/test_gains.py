from dataclasses import replace

import pytest
import torch

import smug
from smug.attacks import with_seed
from smug.bounds.bound import Certified
from smug.data.simulate import Acquisition
from smug.evaluation.datasets import simulated_set
from smug.evaluation.gains import bounds_at, gain_row, l2_threat
from smug.evaluation.held import level_held, scale_held, scale_of
from smug.foreign import slicewise
from smug.models.classical import CGSense, ZeroFilled
from smug.models.nonexpansive import Nonexpansive
from smug.models.normalised import Normalised, normalised
from smug.models.reconstructors import SMUG, MoDL
from smug.models.smoothing import Smoothing
from smug.physics.factor import spectrum


@pytest.fixture(scope="module")
def scan(device):
    return simulated_set("phantom", "test", 24, Acquisition(), count=1).scans[0].to(device)


SEEDS = torch.tensor([7])


def test_a_linear_reconstructor_reaches_its_norm(scan):
    s = spectrum(scan.A).sqrt()
    exact = float((s / (s.square() + 0.1)).max())
    row = gain_row(CGSense(0.1), scan, 0.5, "cg", SEEDS)
    assert exact * 0.96 <= row.worst <= exact * (1 + 1e-3)
    assert row.average < row.worst


def test_the_scale_is_held(scan):
    """D = tanh: with the scale free, F(c y) = c F(y); held, it is not."""
    f = normalised(MoDL(lambda x: x.abs().tanh() * x, steps=1))
    held = scale_held(f, scan)
    assert isinstance(held, Normalised)
    torch.testing.assert_close(held(scan.y, scan.A), f(scan.y, scan.A))
    torch.testing.assert_close(f(2 * scan.y, scan.A), 2 * f(scan.y, scan.A))
    assert not torch.allclose(held(2 * scan.y, scan.A), 2 * held(scan.y, scan.A), rtol=0.01)
    assert scale_held(CGSense(), scan) == CGSense()


def test_the_noise_is_the_same_on_both_sides(scan):
    """The identity, smoothed with much noise: it only shifts the image, so that it changes no gain."""
    smoothed, plain = (
        gain_row(f, scan, 0.1, "", SEEDS)
        for f in (SMUG(lambda x: x, Smoothing(sigma=1.0, num_samples=2), steps=2), MoDL(lambda x: x, steps=2))
    )
    assert smoothed.worst == pytest.approx(plain.worst, rel=1e-2)


def test_the_radius_of_a_threat(scan):
    assert float(l2_threat(scan, 0.3).radius(scan.y, scan.A, scan.truth)) == pytest.approx(0.3)


def test_no_attack_exceeds_a_proved_bound(scan):
    rows = [
        gain_row(f, scan, 0.3, "", SEEDS)
        for f in (CGSense(0.1), ZeroFilled(), normalised(MoDL(Nonexpansive(4, 2), steps=4)))
    ]
    for row in rows:
        proved = [bound for bound in row.bounds if isinstance(bound, Certified)]
        assert proved
        assert all(row.worst <= bound.value * (1 + 1e-5) for bound in proved)
        assert all("0.3" in bound.statement for bound in proved)


def test_a_reconstructor_that_nothing_is_known_about(scan):
    assert bounds_at(lambda y, A: A.H(y), scan, 0.1) == ()


def test_bounds_do_not_depend_on_the_unit(scan):
    f, other = normalised(MoDL(lambda x: x, steps=3)), replace(scan, y=1e-3 * scan.y, target=1e-3 * scan.truth)
    assert scale_of(f, other) == pytest.approx(1e-3 * scale_of(f, scan))
    for one, another in zip(bounds_at(f, scan, 0.1), bounds_at(f, other, 1e-4), strict=True):
        assert one.value == pytest.approx(another.value)


@pytest.mark.parametrize("wrapped", [lambda f: with_seed(f, 3), slicewise])
def test_scale_and_bounds_are_seen_through_wrappers(wrapped, scan):
    f, other = normalised(MoDL(lambda x: x, steps=3)), replace(scan, y=9 * scan.y, target=9 * scan.truth)
    g = wrapped(f)
    assert scale_of(g, other) == scale_of(f, other)
    assert bounds_at(g, other, 0.1) == bounds_at(f, other, 0.1)
    held = scale_held(g, other)
    torch.testing.assert_close(held(3 * other.y, scan.A), scale_held(f, other)(3 * other.y, scan.A))


def test_a_held_level_is_that_of_the_clean_measurements():
    scan = smug.simulate(smug.head_phantom(1, 16)[None], smug.Acquisition(coils=2))
    f = smug.Ridge(smug.RidgeRegulariser(filters=4, widths=(2,)), max_iterations=5)
    held = level_held(f, scan)
    assert torch.equal(held.settings()["sigma"], f.level(scan.y, scan.A))
    assert level_held(smug.ZeroFilled(), scan) == smug.ZeroFilled()
    begun = level_held(smug.MoDL(lambda x: x, first=f), scan)
    assert torch.equal(begun.settings()["first"].sigma, held.settings()["sigma"])
