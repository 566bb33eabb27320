from dataclasses import replace

import pytest
import torch

from smug.models.classical import CGSense
from smug.shifts import insertion, lesion, recovered, spurious
from smug.shifts.feature import DIAMETER


def test_height_width_and_phase(scan, seeds):
    v = lesion(scan, 0.3, seeds)
    for t, blob in zip(scan.truth, v, strict=True):
        assert blob.abs().max() == pytest.approx(0.3 * t.abs().max().item(), rel=1e-5)
        above = (blob.abs() > blob.abs().max() / 2).sum().item()
        assert above == pytest.approx(torch.pi * DIAMETER**2 / 4, rel=0.35)
        y, x = divmod(int(blob.abs().argmax()), t.shape[1])
        assert (blob[y, x] / t[y, x]).angle().abs() < 0.2  # brighter, not turned
        assert (t + blob)[y, x].abs() == pytest.approx((t[y, x].abs() + blob[y, x].abs()).item(), rel=0.02)


def test_wholly_inside_the_object_and_all_over_it(scan):
    body = scan.truth[0].abs()
    places = set()
    for seed in range(60):
        v = lesion(scan[0], 0.1, torch.tensor([seed]))[0].abs()
        assert body[v > 0.5 * v.max()].min() > 0.1 * body.max()
        places.add(int(v.argmax()))
    assert len(places) > 30


def test_dark_ones_too(scan, seeds):
    assert torch.equal(lesion(scan, -0.3, seeds), -lesion(scan, 0.3, seeds))


@pytest.mark.parametrize("shape", ["none", "dot"])
def test_objects_too_small_for_it(scan, seeds, shape):
    target = torch.zeros_like(scan.truth)
    if shape == "dot":
        target[:, 20, 13] = 1
    v = lesion(replace(scan, target=target), 0.5, seeds)
    if shape == "none":
        assert not v.any()
    else:
        assert {int(blob.argmax()) for blob in v.abs()} == {20 * 40 + 13}


def test_measured_where_it_is(scan, seeds):
    v = lesion(scan, 0.3, seeds)
    shifted = insertion(scan, 0.3, seeds)
    torch.testing.assert_close(shifted.truth - scan.truth, v, rtol=0, atol=1e-6)
    torch.testing.assert_close(shifted.y - scan.y, scan.A(v), rtol=0, atol=1e-5)


def test_all_is_recovered_by_an_exact_inverse_and_nothing_by_a_constant(make, seeds):
    scan = make(acceleration=1.0, center_fraction=1.0)
    shifted, v = insertion(scan, 0.2, seeds), lesion(scan, 0.2, seeds)
    exact = CGSense(0.0)
    one = recovered(exact(shifted.y, shifted.A), exact(scan.y, scan.A), v)
    torch.testing.assert_close(one.cpu(), torch.ones(2), rtol=0, atol=1e-4)
    constant = torch.ones_like(scan.truth)
    assert recovered(constant, constant, v).tolist() == [0, 0]
    torch.testing.assert_close(
        recovered(scan.truth + v / 2, scan.truth, v).cpu(), torch.full((2,), 0.5), rtol=0, atol=1e-4
    )


def test_a_false_one_is_seen_wherever_it_is(scan, seeds):
    v = lesion(scan, 0.2, seeds)
    torch.testing.assert_close(spurious(scan.truth + v, scan.truth, v).cpu(), torch.ones(2), rtol=0, atol=1e-4)
    elsewhere = -0.7j * v.roll((5, -3), (-2, -1))
    torch.testing.assert_close(
        spurious(scan.truth + elsewhere, scan.truth, v).cpu(), torch.full((2,), 0.7), rtol=0, atol=1e-4
    )
    assert spurious(scan.truth, scan.truth, v).tolist() == [0, 0]


def test_what_is_no_blob_hardly_counts(scan, seeds):
    v = lesion(scan, 0.2, seeds)
    height = v.abs().amax((-2, -1), keepdim=True)
    y = torch.linspace(0, 2 * torch.pi, 49, device=v.device)[:-1, None]
    point = torch.zeros_like(v)
    point[:, 9, 9] = 1
    others = {
        "offset": height.expand_as(v),
        "slow": height * torch.cos(y).expand_as(v),
        "point": height * point,
    }
    limits = {"offset": 1e-4, "slow": 0.05, "point": 0.35}
    for name, other in others.items():
        assert (spurious(scan.truth + other, scan.truth, v) < limits[name]).all(), name


@pytest.mark.parametrize("factor", [0.25, 4.0])
def test_of_the_size_of_the_lesion(scan, seeds, factor):
    v, other = (lesion(scan, 0.2, seeds, diameter) for diameter in (DIAMETER, factor * DIAMETER))
    assert (spurious(scan.truth + other, scan.truth, v) < 0.25).all()
