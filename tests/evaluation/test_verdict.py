"""The verdict never says more than the intervals do."""

import math
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from smug.evaluation.row import Row
from smug.evaluation.verdict import UNATTACKED, difference, verdict, worst_case_losses


def rows_of(clean, attacked, subjects=None, flags=()):
    """Rows of models: PSNR without and with each attack, a number per slice."""
    made = []
    for model, values in clean.items():
        for i, psnr in enumerate(values):
            subject = f"s{i}" if subjects is None else subjects[i]
            common = {"ssim": 1, "nmse": 0, "psnr_complex": psnr, "relative_l2": 0, "subject": subject}
            made.append(Row(model, "clean", f"{i}", psnr, **common))
            for name, found in attacked[model].items():
                raised = ("masked-gradient",) if model in flags else ()
                made.append(Row(model, name, f"{i}", found[i], **common, attack=name, flags=raised))
    return made


def test_a_clear_winner():
    values = [30 + 0.1 * i for i in range(6)]
    attacked = {
        "a": {"one": [v - 1 - 0.01 * i for i, v in enumerate(values)], "two": [v - 0.5 for v in values]},
        "b": {"one": [v - 5 + 0.02 * i for i, v in enumerate(values)]},
    }
    said = verdict(rows_of({"a": values, "b": values}, attacked))
    assert re.fullmatch(
        r"Under the worst attack found, a loses least: 1\.03 dB \(95 % interval 1\.0\d to 1\.0\d over 6 subjects\), "
        r"3\.9\d dB less than b \(95 % interval 3\.\d\d to 3\.\d\d over 6 subjects\)\.",
        said,
    )


def test_too_few_subjects():
    said = verdict(rows_of({"a": [30, 30], "b": [30, 30]}, {"a": {"x": [29, 29]}, "b": {"x": [25, 24]}}))
    assert said == (
        "On 2 slices, a lost least under the worst attack found, 1.00 dB, and b 5.50 dB: too few to say it of others."
    )


def test_what_cannot_be_told_apart():
    a, b = [29, 28, 27, 29, 28, 27], [28, 29, 27, 28, 29, 26.9]
    said = verdict(rows_of({"a": [30] * 6, "b": [30] * 6}, {"a": {"x": a}, "b": {"x": b}}))
    assert "a and b lose least, 2.00 dB to 2.02 dB, and the intervals do not tell which" in said


def test_one_model_alone_and_none():
    said = verdict(rows_of({"a": [30] * 5}, {"a": {"x": [29, 28, 29, 28, 29]}}))
    assert said.startswith("Under the worst attack found, a loses 1.40 dB (95 % interval")
    assert verdict(rows_of({"a": [30]}, {"a": {}})) == f"Under clean the mean PSNR of a is 30.00 dB. {UNATTACKED}"
    attacked = [row for row in rows_of({"a": [30]}, {"a": {"x": [29]}}) if row.attack]
    assert "losses are not known" in verdict(attacked)


def test_warnings_and_a_better_image_are_told():
    clean, attacked = {"low": [20] * 5, "high": [30] * 5}, {"low": {"x": [19.5] * 5}, "high": {"x": [26] * 5}}
    said = verdict(rows_of(clean, attacked, flags=("high",)))
    assert "; the best image under it is on average that of high, 26.0 dB to 19.5 dB; but this is unreliable" in said
    assert said.endswith("for high.")


def test_images_that_are_not_finite_are_not_ranked():
    said = verdict(rows_of({"a": [30] * 5, "b": [30] * 5}, {"a": {"x": [math.nan] * 5}, "b": {"x": [20] * 5}}))
    assert "b loses 10.00 dB" in said
    assert "a cannot be ranked" in said


decibels = st.floats(5, 45).map(lambda x: round(x, 2))


@settings(max_examples=60)
@given(st.data(), st.integers(1, 8), st.integers(1, 4))
def test_it_never_claims_more_than_the_intervals(data, slices, models):
    names = "abcd"[:models]
    column = st.lists(decibels, min_size=slices, max_size=slices)
    clean = {name: data.draw(column) for name in names}
    attacked = {name: {"x": data.draw(column), "y": data.draw(column)} for name in names}
    subjects = data.draw(st.lists(st.sampled_from(["", *"pqrstu"]), min_size=slices, max_size=slices))
    rows = rows_of(clean, attacked, subjects)
    said, losses = verdict(rows), worst_case_losses(rows)
    found = re.search(r"found, (\w) loses least:", said)
    if found:
        best = found[1]
        others = [difference(losses, best, name) for name in names if name != best]
        assert all(each.low > 0 for each in others)
    if slices < 5:
        assert "too few" in said
    if models > 1 and not found and "too few" not in said:
        means = {name: sum(values.values()) / slices for name, values in losses.items()}
        best = min(means, key=means.get)
        near = [n for n in names if n != best and not difference(losses, best, n).low > 0]
        assert near
        assert all(re.search(rf"\b{name}\b.* lose least", said) for name in near)
