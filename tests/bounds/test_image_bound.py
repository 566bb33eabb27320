"""What is proved of an image: no change of its measurements exceeds it, and it says when nothing is."""

import math

import pytest
import torch

import smug
from smug.bounds.image_bound import image_bound, largest
from smug.models.normalised import Normalised
from smug.physics.parts import image_norm

from ..scans import tiny_scan

KNOWN = [smug.load("zero-filled"), smug.CGSense(0.01), smug.load("convex-ridge").unscaled().replace(tolerance=1e-6)]


@pytest.mark.parametrize("f", KNOWN, ids=lambda f: type(f).__name__)
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_no_change_exceeds_it_in_any_unit(f, scale):
    scan, threat = tiny_scan(height=16, width=16, dtype=torch.complex64), smug.Threat(0.05, norm="l2", unit="kspace-l2")
    scan = smug.Scan(scan.y * scale, scan.A, scan.truth * scale, scan.id)
    g = Normalised(f, scale=lambda y, A: torch.full((y.shape[0], 1, 1), scale))
    x = g(scan.y, scan.A).detach()
    bound = image_bound(g, scan, x, 0.05)
    changed = g(scan.y + smug.attacks.pgd(g, scan, threat, steps=5).delta, scan.A).detach()
    reached = float((image_norm(changed - x) / image_norm(x)).max())
    assert 0.01 < reached <= bound.value * 1.001 and "scale, mask and coil maps are frozen" in bound.assumptions


def test_a_worst_change_reaches_it():
    mask, tau = torch.ones(1, 8, dtype=torch.bool), 0.04
    A = smug.Sense(mask, torch.full((1, 1, 8, 8), math.sqrt(tau), dtype=torch.complex128))
    y = A(torch.randn(1, 8, 8, dtype=torch.complex128, generator=torch.Generator().manual_seed(0)))
    f, scan = smug.CGSense(tau), smug.Scan(y, A, None, ("a",))
    x = f(y, A)
    part = float(image_norm(f(1.01 * y, A) - x) / image_norm(x))
    bound = image_bound(f, scan, x)  # ||y|| / ||x|| = 2 sqrt(tau) here, so that 1 % of y is 1 % of the image
    assert part == pytest.approx(0.01, rel=1e-6) and bound.value == pytest.approx(0.01, rel=1e-6)


def test_every_slice_counts_alone_and_those_without_signal_not():
    scan, f = tiny_scan(batch=3), smug.CGSense(0.01)
    each = [image_bound(f, scan[i], f(scan[i].y, scan[i].A)) for i in range(3)]
    together = image_bound(f, scan, f(scan.y, scan.A))
    assert together.value == pytest.approx(max(bound.value for bound in each), rel=1e-6)
    empty = smug.Scan(torch.zeros_like(scan.y), scan.A, None, scan.id)
    assert image_bound(f, empty, f(empty.y, empty.A)) is None and largest([None, each[0]]) is each[0]


@pytest.mark.parametrize("name", ["ridge", "tv", "modl", "smug-4x"])
def test_of_others_nothing_is_proved(name):
    scan = tiny_scan(height=16, width=16, dtype=torch.complex64)
    assert image_bound(smug.load(name), scan, scan.truth) is None
