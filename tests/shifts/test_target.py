"""Another target: other intensities, or turned."""

import pytest
import torch

from smug.shifts import contrast, rotation
from smug.shifts.rigid import rotated


@pytest.mark.parametrize("gamma", [0.5, 0.9, 1.5, 3.0])
def test_a_monotone_map_of_magnitudes_alone(scan, seeds, gamma):
    t, u = scan.truth, contrast(scan, gamma, seeds).truth
    largest = t.abs().amax((-2, -1))
    torch.testing.assert_close(u.abs().amax((-2, -1)), largest)
    seen = t.abs() > 1e-3
    torch.testing.assert_close(u[seen].sgn(), t[seen].sgn(), rtol=0, atol=1e-5)
    for before, after in zip(t.abs().flatten(1), u.abs().flatten(1), strict=True):
        ordered = after[before.argsort()]
        assert (ordered.diff() >= -1e-6).all()
    middle = (t.abs() / largest[:, None, None] - 0.5).abs() < 0.01
    assert torch.allclose((u.abs() / largest[:, None, None])[middle].cpu(), torch.tensor(0.5**gamma), rtol=0.1)


def test_the_noise_stays(scan, seeds):
    other = contrast(scan, 2.0, seeds)
    assert other.A is scan.A
    torch.testing.assert_close(other.y - other.A(other.truth), scan.y - scan.A(scan.truth), rtol=0, atol=1e-5)


@pytest.mark.parametrize("gamma", [0.0, -1.0])
def test_gamma_is_positive(scan, seeds, gamma):
    with pytest.raises(ValueError, match="contrast: expected a finite gamma > 0"):
        contrast(scan, gamma, seeds)


def test_empty_slices_stay_empty(scan, seeds):
    empty = type(scan)(0 * scan.y, scan.A, 0 * scan.truth, scan.id)
    assert not contrast(empty, 0.5, seeds).truth.any()


@pytest.mark.parametrize("degrees", [0.0, 360.0, -720.0])
def test_a_full_turn_leaves_the_scan(scan, seeds, degrees):
    assert rotation(scan, degrees, seeds) is scan


def test_measured_with_the_same_maps_mask_and_noise(scan, seeds):
    turned = rotation(scan, 5.0, seeds)
    assert turned.A is scan.A
    assert turned.truth.sub(rotated(scan.truth, 5.0)).abs().max() == 0
    torch.testing.assert_close(turned.y - turned.A(turned.truth), scan.y - scan.A(scan.truth), rtol=0, atol=1e-5)
