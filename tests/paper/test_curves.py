import math
from statistics import fmean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smug.evaluation.conditions import Condition, clean, noisy
from smug.evaluation.row import Row
from smug.paper.curves import Axis, Sweep, curve_tables, curves, sweep_records
from smug.paper.scores import Score

SWEEP = Sweep({0.0: clean(), 0.01: noisy(0.01)})
AXIS = Axis("level", "level (unit)", "{:g}".format)


def cell(method, x, slice_name, psnr, seed=0, subject=""):
    row = Row(method, SWEEP.conditions[x].name, slice_name, psnr, 0.9, 0.1, psnr, 0.0, subject=subject)
    return Score("knee", 4.0, method, seed, row)


def grid(values, methods=("modl", "smug"), seeds=(0, 1), slices="abcde"):
    numbers = iter(values)
    return [
        cell(method, x, name, next(numbers), seed, subject=f"subject of {name}")
        for method in methods
        for seed in seeds
        for name in slices
        for x in SWEEP.conditions
    ]


@settings(max_examples=20)
@given(st.lists(st.floats(10, 40), min_size=40, max_size=40))
def test_a_point_is_the_mean_over_slices_of_means_over_seeds(values):
    found = grid(values)
    drawn = curves(found, SWEEP, "modl")
    for method, points in drawn.items():
        assert [point.x for point in points] == [0.0, 0.01]
        for point in points:
            here = [f for f in found if (f.method, f.row.condition) == (method, SWEEP.conditions[point.x].name)]
            slices = [fmean(f.row.psnr for f in here if f.row.slice == name) for name in "abcde"]
            assert point.psnr.mean == pytest.approx(fmean(f.row.psnr for f in here))
            assert point.sd == pytest.approx(stdev(slices), abs=1e-9)
            assert point.seeds == pytest.approx([fmean(f.row.psnr for f in here if f.seed == seed) for seed in (0, 1)])
            assert (point.psnr.unit, point.psnr.units) == ("subject", 5)


@settings(max_examples=20)
@given(st.lists(st.floats(10, 40), min_size=20, max_size=20), st.floats(-5, 5))
def test_differences_are_paired_so_a_constant_one_has_no_width(values, gain):
    found = grid(values, ("modl",))
    better = [cell("smug", 0.0, f.row.slice, f.row.psnr + gain, f.seed, f.row.subject) for f in found[::2]]
    reference, point = (
        curves([*found, *better], SWEEP, "modl")["modl"],
        curves([*found, *better], SWEEP, "modl")["smug"][0],
    )
    assert all(point.difference is None for point in reference)
    assert (point.difference.low, point.difference.high) == pytest.approx((gain, gain), abs=1e-6)


def test_the_number_of_training_seeds_does_not_narrow_intervals():
    once, thrice = grid(range(20), seeds=(0,)), []
    for seed in range(3):
        thrice += [Score(f.anatomy, f.acceleration, f.method, seed, f.row) for f in once]
    narrow, wide = (curves(found, SWEEP, "modl")["smug"][1].psnr for found in (thrice, once))
    assert (narrow.low, narrow.high) == pytest.approx((wide.low, wide.high))


def test_methods_without_a_setting_have_no_curve_and_missing_places_no_point():
    found = [cell("modl", 0.0, "a", 30), cell("modl", 0.01, "a", 29), cell("cg-sense", 0.0, "a", 20)]
    drawn = curves(found, SWEEP, "modl")
    assert {method: [point.x for point in points] for method, points in drawn.items()} == {
        "modl": [0.0, 0.01],
        "cg-sense": [0.0],
    }
    assert not curves([], SWEEP, "modl")


def test_what_is_not_finite_has_no_spread_and_no_interval():
    drawn = curves([cell("modl", 0.0, "a", math.nan), cell("modl", 0.0, "b", 30)], SWEEP, "modl")
    (point,) = drawn["modl"]
    assert math.isnan(point.sd) and math.isnan(point.psnr.low) and math.isnan(point.psnr.mean)


def test_records_tell_the_place_on_the_axis_first():
    found = grid(range(40))
    made = sweep_records(found, [SWEEP], AXIS)
    assert [next(iter(record)) for record in made] == ["level"] * 40
    assert [record["level"] for record in made] == [0.0, 0.01] * 20
    assert made[5]["psnr"] == 5 and made[5]["method"] == "modl" and made[5]["slice"] == "c"


def test_tables_show_means_spreads_and_differences_with_intervals():
    levels = {"a": 30, "b": 32, "c": 31, "d": 30, "e": 32}
    found = [cell("modl", 0.0, name, psnr) for name, psnr in levels.items()]
    found += [cell("smug", 0.0, name, psnr + 1) for name, psnr in levels.items()]
    text = "".join(table.markdown() for table in curve_tables(curves(found, SWEEP, "modl"), AXIS, "modl"))
    assert "| level | 0 |" in text
    assert "| MoDL | 31.00 ± 1.00 |" in text
    assert "Minus that of MoDL" in text and "| SMUG | +1.00 [+1.00, +1.00] |" in text


def test_conditions_of_a_sweep_are_found_by_name():
    other = Sweep({1.0: Condition("another", "", clean().perturb, "another")})
    assert not curves(grid(range(40)), other, "modl")
