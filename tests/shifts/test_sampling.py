from dataclasses import replace

import pytest
import torch

from smug.data.simulate import Acquisition
from smug.physics.masks import acceleration as rate_of
from smug.physics.masks import calibration_region
from smug.physics.sense import Sense
from smug.shifts import acceleration, mask_kind, mask_redraw
from smug.shifts.sampling import mask_kind_of, noise_level

from ..properties import assert_refused

KINDS = ["random", "equispaced", "variable-density", "poisson"]
RATES = [2.0, 3.0, 5.0, 8.0]


@pytest.mark.parametrize("rate", RATES)
def test_the_rate_is_as_asked(scan, seeds, rate):
    mask = acceleration(scan, rate, seeds).A.mask
    assert mask.shape == (2, 40)
    assert mask.sum(1).tolist() == [round(40 / rate)] * 2


@pytest.mark.parametrize("rate", RATES)
def test_of_points_too(scan, seeds, rate):
    points = mask_kind(scan, "poisson", seeds)
    mask = acceleration(points, rate, seeds).A.mask
    assert mask.flatten(1).sum(1).tolist() == [round(48 * 40 / rate)] * 2
    region = calibration_region(mask)
    assert mask[:, *region].all()


def test_another_rate_of_regular_lines_is_regular(device, make, seeds):
    scan = make(mask="equispaced", acceleration=2.0).to(device)
    for mask in acceleration(scan, 3.0, seeds).A.mask:
        assert mask_kind_of(mask) == "equispaced"
    named = acceleration(scan, 3.0, seeds, kind="random").A.mask
    assert not torch.equal(named, acceleration(scan, 3.0, seeds).A.mask)


@pytest.mark.parametrize(
    "change",
    [
        lambda scan, seeds: acceleration(scan, 3.0, seeds),
        lambda scan, seeds: mask_kind(scan, "poisson", seeds),
        lambda scan, seeds: mask_redraw(scan, 1, seeds),
    ],
    ids=["acceleration", "kind", "redraw"],
)
def test_zero_padding_is_never_sampled_and_not_counted(scan, seeds, change):
    encoded = torch.zeros(1, 40, dtype=torch.bool, device=scan.y.device)
    encoded[:, 4:34] = True
    mask = torch.zeros(2, 40, dtype=torch.bool, device=scan.y.device)
    mask[:, [4, 7, 14, 17, 18, 19, 20, 25, 29, 33]] = True  # 3x of 30 lines
    padded = replace(scan, encoded=encoded, A=Sense(mask=mask, maps=scan.A.maps))
    for each in (padded, padded[1]):
        changed = change(each, seeds[: len(each.id)])
        sampled = changed.A.mask.reshape(len(each.id), -1, 40).double().mean(1)
        assert not sampled[:, ~encoded[0]].any() and not changed.y[..., ~encoded[0]].any()
        assert sampled.sum(1).tolist() == pytest.approx([10.0] * len(each.id))
    assert torch.equal(padded[1].encoded_lines, encoded) and padded.encoded_lines.shape == (2, 40)


@pytest.mark.parametrize("kind", KINDS)
def test_of_the_kind_at_the_same_rate(scan, seeds, kind):
    shifted = mask_kind(scan, kind, seeds)
    assert shifted.A.is_line_mask == (kind != "poisson")
    lines = kind == "equispaced"  # their number varies by the offset
    assert torch.allclose(rate_of(shifted.A.mask), rate_of(scan.A.mask), rtol=0.2 if lines else 1e-3)
    if kind != "poisson":
        assert calibration_region(shifted.A.mask)[1].stop - calibration_region(shifted.A.mask)[1].start >= 4
    if kind == "equispaced":
        assert all(mask_kind_of(mask) == "equispaced" for mask in shifted.A.mask)


def test_variable_density_is_denser_in_the_centre(make, seeds):
    scan = make(acceleration=3.0, center_fraction=0.05)
    distance = (torch.arange(40) - 20).abs()
    many = torch.arange(60)

    def spread(kind: str) -> float:
        masks = torch.cat([mask_kind(scan[0], kind, many[i : i + 1]).A.mask for i in range(60)])
        return float((masks * distance).sum() / masks.sum())

    assert spread("variable-density") < 0.8 * spread("random")


def test_what_no_mask_is_called_is_refused(scan, seeds):
    assert_refused(lambda: mask_kind(scan, "spiral", seeds), "kind: expected one of random, ..., got 'spiral'")


@pytest.mark.parametrize("kind", KINDS)
def test_recognised_kinds(kind):
    expected = {"variable-density": "random"}.get(kind, kind)
    seeds = range(1 if kind == "poisson" else 40)
    draws = [Acquisition(mask=kind, acceleration=4.0).sample(64, 96, seed)[0] for seed in seeds]
    assert {mask_kind_of(mask) for mask in draws} == {expected}


def test_redraws_differ_in_the_draw_alone(scan, seeds):
    draws = [mask_redraw(scan, number, seeds).A.mask for number in (0, 1, 2, 3)]
    assert torch.equal(draws[0], scan.A.mask)
    for i, first in enumerate(draws):
        assert torch.equal(first.sum(1), scan.A.mask.sum(1))
        assert first[:, 18:22].all()
        for second in draws[:i]:
            assert (first != second).any(1).all()
    assert_refused(lambda: mask_redraw(scan, 0.5, seeds), "an integer, got 0.5")


def test_a_rate_that_is_none(scan, seeds):
    assert_refused(lambda: acceleration(scan, 0.5, seeds), "acceleration: expected a finite severity >= 1, got 0.5")
    assert_refused(lambda: acceleration(scan, 30.0, seeds), "leaves 1 in all")


CHANGES = {
    "faster": lambda scan, seeds: acceleration(scan, 4.0, seeds),
    "slower": lambda scan, seeds: acceleration(scan, 1.5, seeds),
    "points": lambda scan, seeds: mask_kind(scan, "poisson", seeds),
    "redrawn": lambda scan, seeds: mask_redraw(scan, 1, seeds),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_measured_stays_and_the_rest_is_like_it(scan, seeds, change):
    shifted = CHANGES[change](scan, seeds)
    both = (scan.A.sampled & shifted.A.sampled).expand_as(shifted.y)
    assert both.any()
    assert torch.equal(shifted.y[both], scan.y[both])
    new = (shifted.A.sampled & ~scan.A.sampled).expand_as(shifted.y)
    error = (shifted.y - shifted.A(scan.truth))[new]
    if len(error):
        assert torch.view_as_real(error).std().item() == pytest.approx(0.01, rel=0.1)
    assert torch.equal(shifted.truth, scan.truth)


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.2])
def test_the_noise_level_is_found(make, noise):
    level = noise_level(make(noise=noise))
    assert level.shape == (2,)
    torch.testing.assert_close(level, torch.full((2,), noise, dtype=torch.float64), rtol=0.05, atol=1e-6)


def test_without_noise_none_is_added(make, seeds):
    shifted = acceleration(make(noise=0.0), 1.0, seeds)
    torch.testing.assert_close(shifted.y, shifted.A(shifted.truth), rtol=1e-4, atol=1e-5)


def test_the_noise_of_new_entries_makes_up_for_that_of_the_target(make):
    """A measured target holds the noise that is in the range of A; all in all a new entry has the receiver's."""
    full = make(acceleration=1.0, center_fraction=1.0, coils=6, noise=0.1)
    noisy = replace(full, target=full.A.H(full.y))
    lacking = 0.1 * (1 - 1 / 6) ** 0.5
    torch.testing.assert_close(noise_level(noisy), torch.full((2,), lacking, dtype=torch.float64), rtol=0.03, atol=0)
    even = torch.arange(40) % 2 == 0
    half = replace(noisy, y=full.y * even, A=Sense(mask=even[None], maps=full.A.maps))
    again = acceleration(half, 1.0, torch.tensor([1, 2]))
    new = ~half.A.sampled.expand_as(again.y)
    error = (again.y - full.A(full.truth))[new]
    assert torch.view_as_real(error).std().item() == pytest.approx(0.1, rel=0.05)
