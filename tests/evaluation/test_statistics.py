import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from smug.evaluation.row import Row
from smug.evaluation.statistics import bootstrap, holm, interval, over_seeds, paired, sentence


def row(psnr, *, model="a", condition="clean", slice="1", subject="") -> Row:
    return Row(model, condition, slice, psnr, 0.9, 0.01, psnr, 0.0, subject=subject)


def people(counts) -> list[str]:
    return [f"subject {i}" for i, count in enumerate(counts) for _ in range(count)]


def test_of_equal_subjects_it_is_the_t_interval_of_their_means():
    values = np.random.default_rng(0).normal(1, 1, (6, 5))
    found = interval(values.ravel().tolist(), people([5] * 6))
    expected = stats.t.interval(0.95, 5, values.mean(), stats.sem(values.mean(1)))
    assert (found.unit, found.units) == ("subject", 6)
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx(expected, abs=0.03)  # 10 000 resamples
    assert found.p == pytest.approx(stats.ttest_1samp(values.mean(1), 0).pvalue, rel=0.1)


def test_slices_of_one_subject_are_no_replacement_for_subjects():
    generator = np.random.default_rng(0)
    values = (generator.normal(0, 1, (6, 1)) + generator.normal(0, 0.05, (6, 20))).ravel().tolist()
    over_subjects, over_slices = interval(values, people([20] * 6)), interval(values, [""] * 120)
    assert over_subjects.high - over_subjects.low > 3 * (over_slices.high - over_slices.low)
    assert (over_slices.unit, over_slices.units) == ("slice", 120)


@pytest.mark.parametrize("subjects", [[""] * 8, ["one"] * 7 + [""]])
def test_of_unknown_subjects_slices_are_the_unit(subjects):
    found = interval(np.arange(8.0).tolist(), subjects)
    assert found.unit == "slice"
    assert math.isnan(found.p)
    expected = stats.t.interval(0.95, 7, 3.5, stats.sem(np.arange(8)))
    assert (found.low, found.high) == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("people_there", [1, 2, 3, 4, 5])
def test_fewer_than_five_subjects_have_no_interval(people_there):
    found = interval(np.arange(4.0 * people_there).tolist(), people([4] * people_there))
    assert (found.unit, found.units) == ("subject", people_there)
    assert found.mean == pytest.approx((4 * people_there - 1) / 2)
    assert math.isfinite(found.low) == math.isfinite(found.high) == math.isfinite(found.p) == (people_there == 5)


def test_nor_do_fewer_than_five_slices_of_unknown_subjects():
    assert math.isnan(interval([1.0, 2.0, 3.0, 4.0], [""] * 4).low)
    assert interval([1.0, 2.0, 3.0, 4.0, 5.0], [""] * 5).low < 3


def test_coverage_of_six_subjects():
    """Nominal 95 % over 400 sets: 95 % is covered, where percentiles of the same bootstrap cover 84 %."""
    generator, trials = np.random.default_rng(0), 400
    names, subjects = np.repeat(np.arange(6), 4), people([4] * 6)
    ours = percentile = 0
    for seed in range(trials):
        values = (generator.normal(0, 1, 6)[:, None] + generator.normal(0, 1, (6, 4))).ravel()
        found = interval(values.tolist(), subjects, resamples=1000)
        ours += found.low <= 0 <= found.high
        low, high = np.quantile(bootstrap(values, names, 1000), (0.025, 0.975))
        percentile += low <= 0 <= high
        assert (found.p < 0.05) == (not found.low <= 0 <= found.high), seed
    assert 0.92 <= ours / trials <= 0.98
    assert 0.80 <= percentile / trials <= 0.88


def test_bootstrap_draws_whole_subjects():
    values, names = np.array([0.0, 0.0, 0.0, 1.0]), np.array(["a", "a", "a", "b"])
    means = bootstrap(values, names, 20_000)
    found, counts = np.unique(means.round(6), return_counts=True)
    np.testing.assert_allclose(found, [0, 0.25, 1])  # aa, ab and ba, bb
    np.testing.assert_allclose(counts / len(means), [0.25, 0.5, 0.25], atol=0.02)


def test_seeded():
    values, subjects = np.random.default_rng(0).normal(size=12).tolist(), people([2] * 6)
    assert interval(values, subjects) == interval(values, subjects)
    assert interval(values, subjects, seed=1) != interval(values, subjects)
    assert interval(values, subjects, seed=1).low == pytest.approx(interval(values, subjects).low, abs=0.05)


def test_one_unit_and_numbers_that_are_not_finite_have_no_interval():
    for found in (interval([1.0], ["a"]), interval([1.0, math.nan], ["a", "b"]), interval([math.inf, 1.0], ["a", "b"])):
        assert math.isnan(found.low)
        assert math.isnan(found.high)
    assert interval([math.inf, 1.0], ["", ""]).mean == math.inf
    with pytest.raises(ValueError, match="expected at least one slice"):
        interval([], [])


def test_no_difference_at_all():
    subjects = people([2] * 5)
    same = interval([0.0] * 10, subjects)
    assert (same.low, same.high, same.p) == (0, 0, 1)
    assert interval([1.0] * 10, subjects).p == 0


def test_pairs_slices():
    a = [row(30 + i + 0.5 * (i % 2), slice=str(i), subject=f"p{i // 2}") for i in range(10)]
    b = [row(30 + i, model="b", slice=str(i), subject=f"p{i // 2}") for i in reversed(range(10))]
    found = paired(a, b)
    assert (found.mean, found.units, found.unit) == (0.25, 5, "subject")
    assert found.high - found.low < 1e-9  # every subject has the same difference
    assert paired(a[:2], b[:2]) is None  # no slice in common
    assert paired(a, b[:4]).units == 2
    assert paired(a, [row(0.0, slice="0", subject="somebody else")]) is None


@given(st.dictionaries(st.integers(), st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_between_the_p_value_and_bonferroni(p):
    corrected = holm(p)
    assert corrected.keys() == p.keys()
    for key, value in p.items():
        assert value <= corrected[key] <= min(1, len(p) * value)
    order = sorted(p, key=p.get)
    assert [corrected[key] for key in order] == sorted(corrected.values())


def test_holm_by_hand():
    assert holm({"a": 0.04, "b": math.nan, "c": 0.01}) == pytest.approx(
        {"a": 0.04, "b": math.nan, "c": 0.02}, nan_ok=True
    )


def test_seeds_are_apart_from_slices():
    rows = [row(level + i, model=f"m-{n}", slice=str(i)) for n, level in enumerate((10.0, 12.0)) for i in range(3)]
    rows += [row(99.0, model="other"), row(50.0, model="alone")]
    (found,) = over_seeds(rows, {"m-0": "m", "m-1": "m", "alone": "alone"})
    assert (found.method, found.mean, found.seeds) == ("m", 12, 2)
    assert found.sd == pytest.approx(math.sqrt(2))


def test_sentence():
    values = np.arange(6.0).tolist()
    assert "over subjects (6 here): paired cluster bootstrap" in sentence([interval(values, people([1] * 6))])
    assert "over slices, of unknown subjects" in sentence([interval(values, [""] * 6)])
    few = sentence([interval(values, people([3, 3])), interval(values, people([3, 3]))])
    assert few == "n = 2: no interval, which takes at least 5 subjects."
    assert sentence([interval(values, ["a"] * 6)]).startswith("n = 1: no interval")
    assert sentence([]) == ""
