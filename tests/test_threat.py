"""Typed sizes: every unit against its formula."""

import numpy as np
import pytest
import torch

from smug.threat import Threat, relative_l2

from .scans import tiny_scan


@pytest.fixture
def slices(device):
    return tiny_scan(device=device)


def by_hand(unit, norm, value, slices, sigma):
    radii = []
    for i in range(len(slices.y)):
        y, _, t = (slices.y[i].cpu().numpy(), None, slices.target[i].cpu().numpy())
        sampled = np.broadcast_to(slices.A.sampled[i].cpu().numpy(), y.shape)
        entries = np.concatenate([y[sampled].real, y[sampled].imag])
        reference = {
            "image-max": np.abs(t).max(),
            "kspace-max": np.abs(entries).max(),
            "kspace-l2": np.sqrt((entries**2).sum() / len(entries)),
            "noise": sigma,
        }[unit]
        radii.append(value * reference * (np.sqrt(len(entries)) if norm == "l2" else 1))
    return torch.tensor(np.array(radii), device=slices.y.device)


CASES = [("linf", u) for u in ("image-max", "kspace-max", "kspace-l2", "noise")] + [
    ("l2", "kspace-l2"),
    ("l2", "noise"),
]


@pytest.mark.parametrize(("norm", "unit"), CASES)
def test_radius_follows_the_unit_and_ignores_what_is_not_sampled(slices, norm, unit):
    sigma = 0.03 if unit == "noise" else None
    threat = Threat(0.5, norm=norm, unit=unit, noise_sigma=sigma)
    expected = by_hand(unit, norm, 0.5, slices, sigma)
    torch.testing.assert_close(threat.radius(slices.y, slices.A, slices.target), expected)
    polluted = torch.where(slices.A.sampled, slices.y, 100)
    torch.testing.assert_close(threat.radius(polluted, slices.A, slices.target), expected)
    assert Threat(0, norm=norm, unit=unit, noise_sigma=sigma).radius(slices.y, slices.A, slices.target).eq(0).all()


@pytest.mark.parametrize("unit", ["kspace-l2", "noise"])
def test_the_corner_of_the_box_has_the_l2_norm_of_the_same_value(slices, unit):
    sigma = 0.03 if unit == "noise" else None
    box = Threat(0.1, "linf", unit, sigma).radius(slices.y, slices.A, slices.target)
    corner = torch.where(slices.A.sampled, box[:, None, None, None] * (1 + 1j), 0).expand(slices.y.shape)
    torch.testing.assert_close(
        torch.linalg.vector_norm(corner.flatten(1), dim=1),
        Threat(0.1, "l2", unit, sigma).radius(slices.y, slices.A, slices.target),
    )


def test_relative_l2_is_the_value_on_the_boundary(slices):
    threat = Threat(0.07, "l2", "kspace-l2")
    delta = threat.project(1e6 * slices.y, threat.radius(slices.y, slices.A, slices.target))
    torch.testing.assert_close(relative_l2(delta, slices.y, slices.A), torch.full_like(delta.real[:, 0, 0, 0], 0.07))


def test_radii_are_per_slice(slices):
    threat = Threat(0.1, "linf", "kspace-max")
    y = slices.y * torch.tensor([1.0, 50.0], device=slices.y.device)[:, None, None, None]
    radius = threat.radius(y, slices.A, slices.target)
    torch.testing.assert_close(
        radius, threat.radius(slices.y, slices.A, slices.target) * torch.tensor([1.0, 50.0], device=radius.device)
    )


def test_text_tells_number_norm_and_unit():
    assert str(Threat(0.02)) == "linf 0.02 image-max"
    assert str(Threat(2, "l2", "noise", noise_sigma=0.01)) == "l2 2 noise (sigma 0.01)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"value": -0.1}, "value: .* got -0.1"),
        ({"value": float("nan")}, "value"),
        ({"value": float("inf")}, "value"),
        ({"value": 1, "norm": "l1"}, "norm: expected one of linf, l2, got 'l1'"),
        ({"value": 1, "unit": "percent"}, "unit: expected one of image-max, kspace-max, kspace-l2, noise"),
        ({"value": 1, "norm": "l2"}, "use 'kspace-l2' or 'noise'"),
        ({"value": 1, "norm": "l2", "unit": "kspace-max"}, "use 'kspace-l2' or 'noise'"),
        ({"value": 1, "unit": "noise"}, "noise_sigma: needed"),
        ({"value": 1, "noise_sigma": 0.1}, "noise_sigma: .* only"),
        ({"value": 1, "unit": "noise", "noise_sigma": 0.0}, "noise_sigma: expected a finite number > 0"),
    ],
)
def test_refuses_what_has_no_meaning(arguments, message):
    with pytest.raises(ValueError, match=message):
        Threat(**arguments)


def test_refuses_a_reference_that_is_not_finite(slices):
    slices.y[0, 0, :, 9] = torch.nan
    with pytest.raises(ValueError, match="not finite"):
        Threat(0.1, "l2", "kspace-l2").radius(slices.y, slices.A, slices.target)


def test_more_than_all_of_the_measurements_is_told():
    with pytest.warns(UserWarning, match="5 of the norm of the measurements is 500%: write 0.05 for 5 %"):
        Threat(5, "l2", "kspace-l2")
