"""Settings, units, limits."""

import math

import pytest
import torch

from smug.physics.maps.eigenvectors import Espirit, espirit

from .conftest import KEEP, central, largest_step, object_of, power, simulated


def test_crop_only_crops(head, device):
    kspace, mask = head[0].to(device), central(96, 24, device)
    whole = espirit(kspace, mask, KEEP)
    torch.testing.assert_close(power(whole.maps), torch.ones_like(whole.eigenvalues))
    for crop in (0.5, 0.8, 0.95):
        cropped = espirit(kspace, mask, Espirit(crop=crop))
        assert torch.equal(cropped.eigenvalues, whole.eigenvalues)
        kept = whole.eigenvalues > crop
        assert 0 < kept.float().mean() < 1
        assert torch.equal(cropped.maps, whole.maps * kept[:, None])


@pytest.mark.parametrize("unit", [1e-36, 1e-9, 1e9, 1e30])
def test_any_unit(head, device, unit):
    """Of a power of two nothing would change at all; of these no more than rounding."""
    kspace, mask = head[0].to(device), central(96, 24, device)
    ours, same = espirit(unit * kspace, mask), espirit(kspace, mask)
    inside = object_of(kspace)
    torch.testing.assert_close(ours.eigenvalues[inside], same.eigenvalues[inside], atol=1e-4, rtol=0)
    torch.testing.assert_close(ours.maps[:, :, inside[0]], same.maps[:, :, inside[0]], atol=1e-3, rtol=0)


def test_double_precision_is_kept(head, device):
    kspace, mask = head[0].to(device), central(96, 24, device)
    double = espirit(kspace.to(torch.complex128), mask)
    assert double.maps.dtype == torch.complex128
    assert double.eigenvalues.dtype == torch.float64
    inside = object_of(kspace)
    single = espirit(kspace, mask)
    assert single.maps.dtype == torch.complex64
    torch.testing.assert_close(
        single.maps[:, :, inside[0]], double.maps[:, :, inside[0]].to(single.maps), atol=1e-3, rtol=0
    )


def test_one_coil_is_a_smooth_phase(device):
    kspace, _ = simulated(coils=1)
    result = espirit(kspace.to(device), central(96, 24, device), KEEP)
    torch.testing.assert_close(result.maps.abs(), torch.ones_like(result.maps.abs()))
    assert largest_step(result.maps)[object_of(kspace.to(device))].max() < 0.3


def test_a_dead_coil_has_no_sensitivity(head, device):
    kspace = head[0].to(device).clone()
    kspace[:, 2] = 0
    result = espirit(kspace, central(96, 24, device))
    assert not result.maps[:, 2].any()
    assert power(result.maps)[object_of(kspace)].min() > 0.999


def test_without_signal_maps_are_zero(head, device):
    kspace = torch.cat([head[0], 0 * head[0]]).to(device)
    for crop in (0, 0.8):
        result = espirit(kspace, central(96, 24, device), Espirit(crop=crop))
        assert not result.maps[1].any()
        assert not result.eigenvalues[1].any()
        assert result.maps[0].any()


def test_nothing_is_differentiated(head):
    kspace = head[0].clone().requires_grad_()
    assert not espirit(kspace, central(96, 24)).maps.requires_grad


def ones():
    return torch.ones(1, 2, 16, 16, dtype=torch.complex64)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_refuses_values_that_are_not_finite(bad):
    kspace = ones()
    kspace[0, 1, 3, 8] = bad
    with pytest.raises(ValueError, match="NaN or infinite"):
        espirit(kspace, central(16, 6))


@pytest.mark.parametrize(
    ("kspace", "mask", "message"),
    [
        (ones(), central(16, 3), "got 3 fully sampled central lines along x, expected at least 4"),
        (ones(), central(16, 3)[:, :, None].expand(1, 16, 16), "got 3 fully sampled central lines along y"),
        (ones(), ~central(16, 6), "DC is not sampled"),
        (ones().real, central(16, 6), "expected complex64 or complex128"),
        (ones()[0], central(16, 6), r"expected complex64 or complex128 \(batch, coil, y, x\)"),
        (ones()[:, :0], central(16, 6), "not empty"),
        (ones()[:0], central(16, 6), "not empty"),
        (ones(), central(15, 6), "does not fit"),
        (ones(), central(16, 6)[0], "does not fit"),
        (ones(), central(16, 6).expand(2, 16), "does not fit"),
    ],
)
def test_refuses(kspace, mask, message):
    with pytest.raises(ValueError, match=message):
        espirit(kspace, mask)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"kernel": 1}, "kernel"),
        ({"calibration": 3}, "calibration"),
        ({"threshold": 0}, "threshold"),
        ({"threshold": 1}, "threshold"),
        ({"threshold": math.nan}, "threshold"),
        ({"crop": -0.1}, "crop"),
        ({"crop": 1}, "crop"),
        ({"crop": math.nan}, "crop"),
    ],
)
def test_settings_are_checked(values, name):
    with pytest.raises(ValueError, match=f"espirit.{name}: expected"):
        Espirit(**values)
