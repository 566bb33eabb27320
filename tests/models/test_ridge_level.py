"""The noise level of a scan, as a ridge regulariser is told it."""

import pytest
import torch

import smug

from ..scans import phantom_scan


@pytest.fixture(scope="module")
def f():
    return smug.load("ridge").unscaled()


def scans(noise, coils, acceleration=2.0):
    return phantom_scan(64, 2, noise=noise, coils=coils, acceleration=acceleration).normalised()


@pytest.mark.parametrize("noise", [0.004, 0.01, 0.025])
@pytest.mark.parametrize("coils", [1, 4])
def test_the_level_of_exact_maps_is_that_of_the_noise(noise, coils, f):
    scan = scans(noise, coils)
    error = (scan.y - scan.A(scan.truth)) * scan.A.sampled
    entries = coils * scan.A.sampled.expand(2, 1, 64, 64).sum((1, 2, 3))
    true = (error.abs().square().sum((1, 2, 3)) / (2 * entries)).sqrt()
    level = f.level(scan.y, scan.A)
    assert bool((level > 0.75 * true).all())
    # a coil alone leaves room for what the regulariser does not like: that is misfit too
    assert bool((level < (1.25 if coils > 1 else 3.5) * true).all()), (level, true)


def test_wrong_maps_raise_it(f):
    scan = scans(0.005, 4)
    wrong = type(scan.A)(scan.A.mask, scan.A.maps.roll(6, -1))
    assert bool((f.level(scan.y, wrong) > 1.5 * f.level(scan.y, scan.A)).all())


def test_a_level_that_is_given_is_kept(f):
    scan = scans(0.01, 4)
    assert f.replace(sigma=0.02).level(scan.y, scan.A).tolist() == pytest.approx([0.02, 0.02])


def test_the_reconstruction_is_that_of_the_level_it_found(f):
    scan = scans(0.01, 4)
    f = f.replace(tolerance=1e-5, max_iterations=3000)
    frozen = f.replace(sigma=f.level(scan.y, scan.A))
    torch.testing.assert_close(f(scan.y, scan.A), frozen(scan.y, scan.A), rtol=1e-3, atol=3e-3)


def test_every_image_has_its_own_level(f):
    scan = scans(0.01, 4)
    for i in range(2):
        alone = f.level(scan.y[i : i + 1], scan.A[i])
        torch.testing.assert_close(alone, f.level(scan.y, scan.A)[i : i + 1], rtol=1e-4, atol=0)
