import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from smug.physics.masks import (
    acceleration,
    calibration_region,
    equispaced_lines,
    fastmri_lines,
    poisson_disc,
    random_lines,
    variable_density_lines,
)

from ..properties import assert_refused

LINES = [random_lines, equispaced_lines, variable_density_lines]
EXACT = [random_lines, variable_density_lines]
seeds = st.integers(0, 2**63)


def centred(size, length):
    """The ACS in units of the definition: DC is entry length // 2 of it and size // 2 of the axis."""
    return range(size // 2 - length // 2, size // 2 - length // 2 + length)


@pytest.mark.parametrize("lines", LINES)
@given(width=st.integers(1, 400), rate=st.floats(1, 12), center_fraction=st.floats(0, 1), seed=seeds)
def test_lines_keep_their_budget_or_say_why_not(lines, width, rate, center_fraction, seed):
    total, acs = round(width / rate), max(1, round(width * center_fraction))
    if acs > total:
        assert_refused(lambda: lines(width, rate, center_fraction, seed=seed), "lower center_fraction or acceleration")
        return
    mask = lines(width, rate, center_fraction, seed=seed)
    assert mask.shape == (1, width)
    assert mask.dtype == torch.bool
    assert mask[0, list(centred(width, acs))].all()
    if lines in EXACT:
        assert mask.sum() == total
        assert acceleration(mask) == pytest.approx(width / total)
    else:
        # an offset decides whether one more line fits, or falls into the ACS, at either end
        assert abs(int(mask.sum()) - total) <= 2
    assert torch.equal(mask, lines(width, rate, center_fraction, seed=seed))


@pytest.mark.parametrize("lines", LINES)
def test_lines_differ_between_seeds(lines):
    assert len({tuple(lines(256, seed=seed)[0].tolist()) for seed in range(20)}) > 10


@pytest.mark.parametrize("lines", [random_lines, equispaced_lines])
def test_every_line_outside_the_acs_is_sampled_by_some_seed(lines):
    """No line is forgotten by an offset or a rounding, the first and the last included."""
    assert torch.cat([lines(65, 4, 0.08, seed=seed) for seed in range(400)]).any(0).all()


def test_random_lines_are_uniform_outside_the_acs():
    count = torch.cat([random_lines(64, 4, 0.08, seed=seed) for seed in range(2000)]).double().sum(0)
    outside = [line for line in range(64) if line not in centred(64, 5)]
    expected = 2000 * (16 - 5) / (64 - 5)
    deviation = math.sqrt(expected * (1 - 11 / 59))
    assert (count[outside] - expected).abs().max() < 4.5 * deviation


def test_variable_density_falls_with_the_distance_from_dc():
    count = torch.cat([variable_density_lines(64, 4, 0.04, seed=seed) for seed in range(500)]).sum(0)
    rings = [int(count[32 + r] + count[32 - r]) for r in range(3, 31)]
    assert sum(rings[:9]) > 1.5 * sum(rings[9:18]) > 1.5**2 * sum(rings[18:27])


@pytest.mark.parametrize(("width", "rate", "center_fraction"), [(256, 4, 0.08), (368, 8, 0.04), (127, 3, 0.1)])
def test_equispaced_lines_have_the_spacing_of_fastmri(width, rate, center_fraction):
    acs = round(width * center_fraction)
    spacing = rate * (acs - width) / (acs * rate - width)  # as published with fastMRI
    totals = []
    for seed in range(300):
        mask = equispaced_lines(width, rate, center_fraction, seed=seed)[0]
        before = mask[: centred(width, acs)[0]].nonzero().ravel()
        assert set(before.diff().tolist()) <= {math.floor(spacing), math.ceil(spacing)}
        totals.append(int(mask.sum()))
    assert sum(totals) / len(totals) == pytest.approx(width / rate, rel=0.02)


@pytest.mark.parametrize("lines", LINES)
def test_line_edge_cases(lines):
    assert lines(1, 1, seed=0).tolist() == [[True]]
    assert lines(10, 10, seed=0).nonzero().tolist() == [[0, 5]]
    assert lines(64, 1, seed=0).all()
    assert lines(65, 1, seed=2**63).all()
    assert acceleration(lines(256, 8, 0.04, seed=7)) == pytest.approx(8, rel=0.07)


@pytest.mark.parametrize("lines", LINES)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((256, 0.5, 0.08), "acceleration=0.5, expected at least 1"),
        ((256, math.nan, 0.08), "acceleration: expected a finite number, got float nan"),
        ((256, 4, 0.5), "128 centre lines of 256.*leaves 64"),
        ((256, 4, -0.1), "between 0 and 1"),
        ((0, 4, 0.08), "width=0"),
    ],
)
def test_lines_refuse(lines, arguments, message):
    with pytest.raises(ValueError, match=message):
        lines(*arguments, seed=0)


def test_variable_density_refuses_a_density_that_rises():
    assert_refused(lambda: variable_density_lines(64, power=-1, seed=0), "power=-1")


@given(
    height=st.integers(1, 48),
    width=st.integers(1, 48),
    rate=st.floats(1, 10),
    calibration=st.integers(0, 12),
    seed=seeds,
)
def test_poisson_disc_keeps_its_budget_or_says_why_not(height, width, rate, calibration, seed):
    samples = round(height * width / rate)
    sides = min(max(calibration, 1), height), min(max(calibration, 1), width)
    if math.prod(sides) > samples:
        with pytest.raises(ValueError, match="lower calibration or acceleration"):
            poisson_disc(height, width, rate, calibration, seed=seed)
        return
    mask = poisson_disc(height, width, rate, calibration, seed=seed)
    assert mask.shape == (1, height, width)
    assert mask.dtype == torch.bool
    assert mask.sum() == samples
    assert mask[0][list(centred(height, sides[0]))][:, list(centred(width, sides[1]))].all()
    assert torch.equal(mask, poisson_disc(height, width, rate, calibration, seed=seed))


def test_poisson_disc_keeps_samples_apart_and_thins_outwards():
    size = 128
    mask = poisson_disc(size, size, 8, 16, seed=3)[0]
    points = mask.nonzero().double()
    radius = ((points - size // 2) / (size / 2)).norm(dim=1)
    distance = torch.cdist(points, points).fill_diagonal_(math.inf).amin(1)
    # Independent draws at this rate would put about half of the samples next to another one.
    assert distance[radius > 0.5].min() >= 2
    assert distance[radius > 0.9].mean() > 1.2 * distance[(radius > 0.4) & (radius < 0.6)].mean()


def test_poisson_disc_differs_between_seeds():
    assert not torch.equal(poisson_disc(64, 64, seed=0, calibration=8), poisson_disc(64, 64, seed=1, calibration=8))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((64, 64, 0.9, 8), "acceleration=0.9"),
        ((64, 64, 8, 24), "576 samples of 64 x 64.*leaves 512"),
        ((64, 64, 4, -1), "calibration=-1"),
        ((64, 0, 4, 8), "width=0"),
    ],
)
def test_poisson_disc_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        poisson_disc(*arguments, seed=0)


@pytest.mark.parametrize("mask", [*LINES, lambda size, seed: poisson_disc(size, size, calibration=8, seed=seed)])
def test_a_negative_seed_is_refused(mask):
    assert_refused(lambda: mask(64, seed=-1), "non-negative")


def test_acceleration_is_per_mask_of_the_batch(device):
    mask = torch.zeros(3, 4, 6, dtype=torch.bool, device=device)
    mask[0, :, ::2] = True
    mask[1, 0, 0] = True
    assert acceleration(mask).tolist() == [2, 24, math.inf]


def brute_force_box(mask):
    """The calibration region by its definition: try all boxes."""
    height, width = mask.shape[1:]
    boxes = [
        (min(rows, columns), rows * columns, rows, columns)
        for rows in range(1, height + 1)
        for columns in range(1, width + 1)
        if mask[:, list(centred(height, rows))][:, :, list(centred(width, columns))].all()
    ]
    return max(boxes)[2:] if boxes else None


@given(height=st.integers(1, 7), width=st.integers(1, 7), batch=st.integers(1, 2), seed=st.integers(0, 2**31))
def test_calibration_region_is_the_largest_centred_box(height, width, batch, seed):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(batch, height, width, generator=generator) < 0.9
    box = brute_force_box(mask)
    if box is None:
        assert_refused(lambda: calibration_region(mask), "DC is not sampled")
        return
    rows, columns = calibration_region(mask)
    assert (range(height)[rows], range(width)[columns]) == (centred(height, box[0]), centred(width, box[1]))


@given(width=st.integers(1, 60), acs=st.integers(1, 60))
def test_calibration_region_of_lines(width, acs):
    acs = min(acs, width)
    mask = torch.zeros(1, width, dtype=torch.bool)
    mask[0, list(centred(width, acs))] = True
    rows, columns = calibration_region(mask)
    assert rows == slice(None)
    assert range(width)[columns] == centred(width, acs)
    as_points = calibration_region(mask[:, None].expand(1, 9, width))
    assert (range(9)[as_points[0]], as_points[1]) == (range(9), columns)


def test_calibration_region_is_common_to_the_batch(device):
    mask = torch.ones(2, 16, dtype=torch.bool, device=device)
    mask[0, 10] = False
    mask[1, 5] = False
    assert calibration_region(mask)[1] == slice(6, 10)


def test_calibration_region_refuses_a_mask_without_batch():
    assert_refused(lambda: calibration_region(torch.ones(8, dtype=torch.bool)), "expected (batch, x)")


@pytest.mark.parametrize(
    ("width", "acceleration", "center_fraction", "name", "lines"),
    [
        (48, 4, 0.08, "file1000000.h5", [4, 9, 10, 14, 22, 23, 24, 25, 28, 29, 32, 35, 41]),
        (51, 8, 0.04, "file1000831.h5", [5, 10, 13, 25, 26, 30, 46]),
    ],
)
def test_the_masks_of_fastmri(width, acceleration, center_fraction, name, lines):
    """The lines are those of RandomMaskFunc in fastMRI 0.1, called with seed=tuple(map(ord, name))."""
    mask = fastmri_lines(width, acceleration, center_fraction, name=name)
    assert mask.shape == (1, width)
    assert mask[0].nonzero().flatten().tolist() == lines


def test_the_masks_of_fastmri_have_the_rate_on_average():
    masks = torch.cat([fastmri_lines(320, 4, 0.08, name=f"file{i}.h5") for i in range(100)])
    assert masks.sum(1).float().mean() == pytest.approx(80, rel=0.03)
    assert_refused(lambda: fastmri_lines(320, 0.5, name="file.h5"), "acceleration")
