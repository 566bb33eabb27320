"""Ranges of acquisitions: what is drawn, from which seeds, and what estimated maps and noisy images make of a scan."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from smug.data.acquisition import Acquisition, AcquisitionRange
from smug.data.phantom import head_phantom
from smug.data.simulate import named_scans, named_seed, simulate
from smug.physics.fourier import ifft2c
from smug.physics.maps import espirit_maps

RANGE = AcquisitionRange(
    coils=(1, 8),
    profile_width=(0.3, 1.6),
    acceleration=(2.0, 6.0),
    center_fraction=(0.04, 0.1),
    mask=("random", "random", "equispaced", "variable-density"),
    noise=(0.001, 0.05),
    phase=(0.0, 1.0),
    maps=("exact", "espirit"),
    background=(0.0, 0.01),
)
DRAWN = [RANGE.draw(seed) for seed in range(2000)]


def test_the_fields_of_a_range_are_those_of_an_acquisition():
    names = [field.name for field in fields(Acquisition)]
    assert [field.name for field in fields(AcquisitionRange)] == names
    assert AcquisitionRange().draw(5) == Acquisition() == Acquisition().draw(7)


def test_a_draw_is_a_function_of_its_seed():
    assert RANGE.draw(3) == DRAWN[3] != DRAWN[4]
    assert len({a.noise for a in DRAWN}) == len(DRAWN)


def test_draws_cover_the_range_and_never_leave_it():
    for name in ("coils", "profile_width", "acceleration", "center_fraction", "noise", "phase", "background"):
        low, high = getattr(RANGE, name)
        drawn = np.array([getattr(a, name) for a in DRAWN])
        assert low <= drawn.min() <= low + 0.02 * (high - low), name
        assert high - 0.02 * (high - low) <= drawn.max() <= high, name


def test_numbers_are_uniform_in_their_logarithm_or_from_zero():
    noise = np.array([a.noise for a in DRAWN])
    assert np.median(noise) == pytest.approx((0.001 * 0.05) ** 0.5, rel=0.15)
    assert np.median([a.background for a in DRAWN]) == pytest.approx(0.005, rel=0.1)
    shares = np.bincount([a.coils for a in DRAWN])[1:] / len(DRAWN)
    expected = np.log1p(1 / np.arange(1, 9)) / np.log(9)
    assert abs(shares - expected).max() < 0.03


def test_a_kind_named_twice_counts_twice():
    assert np.mean([a.mask == "random" for a in DRAWN]) == pytest.approx(0.5, abs=0.04)
    assert np.mean([a.maps == "espirit" for a in DRAWN]) == pytest.approx(0.5, abs=0.04)


def test_every_field_has_a_draw_of_its_own():
    fixed = replace(RANGE, coils=4, maps="exact")
    for seed in range(20):
        assert fixed.draw(seed) == replace(RANGE.draw(seed), coils=4, maps="exact")
    numbers = np.array([[a.noise, a.acceleration, a.center_fraction, a.phase, a.background] for a in DRAWN])
    assert abs(np.corrcoef(numbers.T) - np.eye(5)).max() < 0.08


def test_what_shares_a_batch_has_its_coils_and_axes():
    mixed = replace(RANGE, mask=("random", "poisson", "equispaced"))
    lines = mixed.alike(Acquisition(coils=3))
    points = mixed.alike(Acquisition(coils=5, mask="poisson"))
    assert {(a.coils, a.mask) for a in map(lines.draw, range(50))} == {(3, "random"), (3, "equispaced")}
    assert {(a.coils, a.mask) for a in map(points.draw, range(50))} == {(5, "poisson")}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"noise": (0.05, 0.001)},
            "acquisition.noise: expected a (lowest and a highest value|finite number or 2 values)",
        ),
        (
            {"noise": (0.0, 0.01, 0.1)},
            "acquisition.noise: expected a (lowest and a highest value|finite number or 2 values)",
        ),
        ({"noise": (-0.01, 0.01)}, "acquisition.noise: expected a finite number >= 0, got -0.01"),
        ({"coils": (0, 4)}, "acquisition.coils: expected an integer of at least 1, got 0"),
        ({"coils": (1.5, 4)}, "acquisition.coils: expected an integer or 2 values"),
        ({"mask": ("random", "spiral")}, "acquisition.mask: expected one of"),
        ({"maps": "guessed"}, "acquisition.maps: expected one of exact, espirit or several"),
        ({"mask": ()}, "acquisition.mask: expected at least one value, got none"),
    ],
)
def test_what_is_no_range_is_refused(values, words):
    with pytest.raises(ValueError, match=words):
        AcquisitionRange(**values)


def test_named_scans_draw_by_name_alone():
    images, names = torch.stack([head_phantom(seed, 32) for seed in range(3)]), ["a", "b", "c"]
    range_ = replace(RANGE, center_fraction=0.15)
    together = named_scans(images, names, range_)
    for image, name, scan in zip(images, names, together, strict=True):
        (alone,) = named_scans(image[None], [name], range_)
        assert torch.equal(alone.y, scan.y) and torch.equal(alone.A.maps, scan.A.maps)
        assert scan.y.shape[1] == range_.draw(named_seed(name)).coils


@pytest.mark.parametrize("kind", ["random", "equispaced", "variable-density", "poisson"])
def test_a_fixed_mask_is_that_of_all_scans_and_all_else_stays(kind):
    fixed = Acquisition(mask=kind, center_fraction=0.1, acceleration=3.0, fixed_mask=True)
    images, names = torch.stack([head_phantom(seed, 48) for seed in range(3)]), ["a", "b", "c"]
    together, own = (named_scans(images, names, a) for a in (fixed, replace(fixed, fixed_mask=False)))
    assert len(torch.cat([scan.A.mask for scan in together]).unique(dim=0)) == 1
    assert len(torch.cat([scan.A.mask for scan in own]).unique(dim=0)) == 3
    for one, other in zip(together, own, strict=True):
        assert torch.equal(one.A.maps, other.A.maps) and torch.equal(one.truth, other.truth)


def test_a_range_has_a_fixed_mask_too():
    drawn = [replace(RANGE, fixed_mask=True).draw(seed) for seed in range(5)]
    assert drawn == [replace(RANGE.draw(seed), fixed_mask=True) for seed in range(5)]


# ---- maps as they are estimated, images as they are measured ----


IMAGE = head_phantom(1, 48)[None]


def test_estimated_maps_are_those_of_the_lines_that_are_kept_and_the_target_is_theirs():
    estimated = Acquisition(maps="espirit", center_fraction=0.2, acceleration=2.0)
    scan, exact = (simulate(IMAGE, a, [5]) for a in (estimated, replace(estimated, maps="exact")))
    assert torch.equal(scan.y, exact.y) and torch.equal(scan.A.mask, exact.A.mask)
    assert torch.equal(scan.A.maps, espirit_maps(scan.y, scan.A.mask))
    coil_images = exact.A.maps * exact.truth[:, None]
    torch.testing.assert_close(scan.truth, (scan.A.maps.conj() * coil_images).sum(1))
    inside = scan.A.maps.abs().square().sum(1) > 0.5
    closeness = (scan.truth.abs() - exact.truth.abs())[inside].norm() / exact.truth[inside].norm()
    assert inside.float().mean() > 0.3 and closeness < 0.05
    assert not scan.truth[~inside].any()


def test_a_single_coil_has_sensitivity_one():
    scan = simulate(IMAGE, Acquisition(coils=1, maps="espirit", noise=0.0, acceleration=1.0), [5])
    assert torch.equal(scan.A.maps, torch.ones_like(scan.A.maps))
    torch.testing.assert_close(scan.truth, ifft2c(scan.y)[:, 0], rtol=1e-4, atol=1e-5)


def test_too_few_lines_for_maps_are_refused():
    with pytest.raises(ValueError, match="got 3 fully sampled central lines along x, expected at least 4"):
        simulate(IMAGE, Acquisition(maps="espirit", center_fraction=0.04), [1])


def test_the_background_is_in_the_target_and_in_the_measurements():
    clean, noisy = (
        simulate(IMAGE.expand(2, 48, 48), Acquisition(noise=0.0, background=level), [5, 6]) for level in (0.0, 0.02)
    )
    added = noisy.truth - clean.truth
    assert added.real.std().item() == pytest.approx(0.02, rel=0.05)
    assert added.imag.std().item() == pytest.approx(0.02, rel=0.05)
    torch.testing.assert_close(noisy.y, noisy.A(noisy.truth))
    outside = clean.truth.abs() < 0.01
    assert added[outside].abs().mean().item() == pytest.approx(added.abs().mean().item(), rel=0.1)
    assert abs(torch.corrcoef(torch.view_as_real(added).flatten(1))[0, 1]) < 0.1  # each slice has its own
