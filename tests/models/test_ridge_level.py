"""The noise level of a scan, as a ridge regulariser is told it."""

import pytest
import torch

from smug.models.ridge import RidgeRegulariser
from smug.models.ridge_reconstruction import Ridge

from ..scans import phantom_scan


def trained():
    """A regulariser of first differences, whose strength suits its level."""
    R = RidgeRegulariser(2, (), size=3, convex=True)
    with torch.no_grad():
        R.kernels[0].zero_()
        R.kernels[0][0, 0, 1, 1:] = torch.tensor([1.0, -1.0])
        R.kernels[0][1, 0, 1:, 1] = torch.tensor([1.0, -1.0])
        R.log_strength.zero_()
    return R


def scans(noise, coils, acceleration=2.0):
    return phantom_scan(64, 2, noise=noise, coils=coils, acceleration=acceleration)


@pytest.mark.parametrize("noise", [0.004, 0.01, 0.025])
@pytest.mark.parametrize("coils", [1, 4])
def test_the_level_of_an_exact_model_is_that_of_its_noise(noise, coils):
    scan = scans(noise, coils)
    error = (scan.y - scan.A(scan.truth)) * scan.A.sampled
    entries = coils * scan.A.sampled.expand(2, 1, 64, 64).sum((1, 2, 3))
    true = (error.abs().square().sum((1, 2, 3)) / (2 * entries)).sqrt()
    level = Ridge(trained()).level(scan.y, scan.A)
    assert bool(((level / true - 1).abs() < 0.3).all()), (level, true)


def test_wrong_maps_raise_it():
    scan = scans(0.005, 4)
    wrong = type(scan.A)(scan.A.mask, scan.A.maps.roll(6, -1))
    f = Ridge(trained())
    assert bool((f.level(scan.y, wrong) > 1.5 * f.level(scan.y, scan.A)).all())


def test_a_level_that_is_given_is_kept():
    scan = scans(0.01, 4)
    assert Ridge(trained(), sigma=0.02).level(scan.y, scan.A).tolist() == pytest.approx([0.02, 0.02])


def test_the_reconstruction_is_that_of_the_level_it_found():
    scan = scans(0.01, 4)
    f = Ridge(trained(), tolerance=1e-6, max_iterations=3000)
    frozen = f.replace(sigma=f.level(scan.y, scan.A))
    torch.testing.assert_close(f(scan.y, scan.A), frozen(scan.y, scan.A), rtol=1e-3, atol=1e-3)


def test_every_image_has_its_own_level():
    scan = scans(0.01, 4)
    f = Ridge(trained())
    for i in range(2):
        alone = f.level(scan.y[i : i + 1], scan.A[i])
        torch.testing.assert_close(alone, f.level(scan.y, scan.A)[i : i + 1], rtol=1e-4, atol=0)
