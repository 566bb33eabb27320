"""Off-resonance: what each sample of a readout sees, and how large the displacement is."""

import sys
from dataclasses import replace

import pytest
import torch

import smug
from smug.data.scan import Scan
from smug.physics.sense import Sense
from smug.shifts import FAMILIES
from smug.shifts.off_resonance import POINTS, displaced, field, off_resonance

from ..properties import assert_refused

ONE = torch.tensor([7])


@pytest.fixture
def full(make):
    """All lines sampled, no noise, one slice in double precision."""
    scan = make(1, dtype=torch.complex128, noise=0.0)
    A = Sense(mask=torch.ones(1, scan.y.shape[-1], dtype=torch.bool), maps=scan.A.maps.to(torch.complex128))
    return replace(scan, y=A(scan.truth), A=A)


def test_each_sample_sees_the_phase_of_its_time(full):
    """The sum over all pixels, of a random field of about two pixels."""
    points = 4 * torch.randn(1, POINTS, POINTS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    d = field(full, points)
    height = full.y.shape[-2]
    expected = torch.zeros_like(full.y)
    for row in range(height):
        time = (row - height // 2) / height
        expected[..., row, :] = full.A(full.truth * torch.exp(-2j * torch.pi * d * time))[..., row, :]
    found = displaced(full, points, ONE)
    assert (found - expected).norm() < 1e-7 * expected.norm()
    assert (found - full.y).norm() > 0.1 * full.y.norm()


def test_what_is_off_by_a_pixel_lies_a_pixel_further_along_the_readout():
    """Two points at the ends of a row, of opposite field: moved along y, in opposite directions."""
    image = torch.zeros(1, 16, 16, dtype=torch.complex128)
    image[0, 8, 0] = image[0, 8, -1] = 1
    A = Sense(mask=torch.ones(1, 16, dtype=torch.bool), maps=torch.ones(1, 1, 1, 1, dtype=torch.complex128))
    points = torch.ones(1, POINTS, POINTS, dtype=torch.float64)
    points[..., POINTS // 2 :] = -1
    moved = A.H(displaced(Scan(A(image), A, image, ("points",)), 3 * points, ONE))[0]
    expected = torch.zeros(16, 16, dtype=torch.complex128)
    expected[11, 0] = expected[5, -1] = 1
    torch.testing.assert_close(moved, expected, rtol=0, atol=1e-6)


def test_the_field_is_smooth_and_has_no_mean_over_the_object(full):
    points = torch.randn(1, POINTS, POINTS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    d = field(full, points)
    energy = full.truth.abs() ** 2
    assert abs(float((energy * d).sum() / energy.sum())) < 1e-12
    assert float(d.max() - d.min()) <= float(points.max() - points.min())
    assert float((d[:, 1:] - d[:, :-1]).abs().max()) < 0.5
    torch.testing.assert_close(field(full, torch.ones_like(points)), torch.zeros_like(d))


def test_a_uniform_field_changes_nothing(full):
    same = torch.full((1, POINTS, POINTS), 5.0, dtype=torch.float64)
    torch.testing.assert_close(displaced(full, same, ONE), full.y)


def test_the_severity_is_the_largest_displacement(full, monkeypatch):
    seen = []
    monkeypatch.setattr(
        sys.modules[displaced.__module__], "displaced", lambda scan, points, seeds: seen.append(points) or scan.y
    )
    off_resonance(full, 1.5, ONE)
    assert float(field(full, seen[0]).abs().max()) == pytest.approx(1.5)


def test_the_worst_is_worse_than_a_random_one(make):
    scan = make(1)
    seeds = torch.tensor([3])
    f = smug.ZeroFilled()

    def error(perturbed: Scan) -> float:
        return float((f(perturbed.y, perturbed.A) - scan.truth).norm())

    worst = smug.attacks.worst_of(f, scan, FAMILIES["off-resonance"], 1.0, generator=seeds)
    assert float(worst.parameters.abs().max()) <= 1 + 1e-6
    assert error(worst.scan) > error(smug.attacks.random_of(scan, FAMILIES["off-resonance"], 1.0, seeds)) > error(scan)


def test_absurd_displacements_are_refused(full):
    assert_refused(lambda: off_resonance(full, 1e6, ONE), "off-resonance: expected displacements of at most")
