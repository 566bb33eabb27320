import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smug.evaluation.row import Row
from smug.evaluation.summary import summarise
from smug.reports.pareto import front, pareto_figure

pytest.importorskip("matplotlib")

ATTACK = "APGD 1%"


def row(model, condition, psnr, slice="1") -> Row:
    return Row(model, condition, slice, psnr, 0.9, 0.01, psnr, 0.01, subject=slice)


def rows(levels, slices=2) -> list[Row]:
    """Slices of as many people per model, clean and attacked."""
    return [
        row(model, condition, level + 0.2 * i + 0.01 * m * i, str(i))
        for m, (model, both) in enumerate(levels.items())
        for condition, level in zip(("clean", ATTACK), both, strict=True)
        for i in range(slices)
    ]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1))
def test_front_is_what_nobody_surpasses(points):
    kept = front(points)
    assert set(kept) <= set(points)
    for point in points:
        surpassed = any(other != point and other[0] >= point[0] and other[1] >= point[1] for other in points)
        assert (point in kept) != surpassed
    assert kept == sorted(kept)


def test_points_and_front():
    summaries = summarise(rows({"modl": (30, 20), "smug": (29, 24), "cg-sense": (28, 22)}))
    axis = pareto_figure(summaries, ATTACK).axes[0]
    points = {line.get_marker(): line.get_xydata()[0] for line in axis.lines if len(line.get_xdata()) == 1}
    np.testing.assert_allclose(points["o"], (30.1, 20.1))
    best = next(line for line in axis.lines if line.get_label() == "Pareto front")
    np.testing.assert_allclose(best.get_xdata(), [29.105, 30.1])
    assert axis.get_xlabel() == "PSNR, clean (dB)"
    assert axis.get_ylabel() == f"PSNR, {ATTACK} (dB)"


def test_bars_are_the_intervals():
    summaries = summarise(rows({"modl": (30, 20), "smug": (29, 24)}, slices=5))
    axis = pareto_figure(summaries, ATTACK).axes[0]
    bar = next(line for line in axis.lines if len(line.get_xdata()) == 5 and np.isfinite(line.get_xdata()[0]))
    difference = summaries[2].difference
    assert bar.get_xdata()[1] - bar.get_xdata()[0] == pytest.approx(difference.high - difference.low)


def test_few_subjects_have_no_interval_and_axes_follow_the_points():
    figure = pareto_figure(summarise(rows({"modl": (30, 20), "smug": (29, 24)})), ATTACK)
    assert "n = 2: no interval" in [text.get_text() for text in figure.legends[0].get_texts()]
    (left, right), (low, high) = figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
    assert 28.5 < left < 29.1
    assert 30.1 < right < 30.5
    assert 19 < low < 20.1
    assert 24.1 < high < 25


def test_labels_do_not_collide():
    generator = np.random.default_rng(0)
    levels = {f"method-{i}": tuple(25 + generator.normal(0, 0.3, 2)) for i in range(9)}
    figure = pareto_figure(summarise(rows(levels)), ATTACK)
    figure.canvas.draw()
    axis = figure.axes[0]
    boxes = [text.get_window_extent() for text in axis.texts]
    assert len(boxes) == len(levels)
    for i, box in enumerate(boxes):
        assert axis.bbox.containsx(box.x0)
        assert axis.bbox.containsx(box.x1)
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


def test_names_are_no_mathematics():
    figure = pareto_figure(summarise(rows({"$x_1$": (30, 20), r"\alpha$": (29, 21)})), ATTACK, title="$x")
    figure.canvas.draw()
    assert [text.get_text() for text in figure.axes[0].texts] == ["$x_1$", r"\alpha$"]


def test_models_without_both_are_left_out():
    made = rows({"modl": (30, 20), "smug": (29, math.nan), "cg": (28, 22)})
    summaries = summarise([r for r in made if (r.model, r.condition) != ("cg", "clean")])
    assert [text.get_text() for text in pareto_figure(summaries, ATTACK).axes[0].texts] == ["modl"]
    with pytest.raises(ValueError, match="expected a model with finite PSNR under clean and noise, got none"):
        pareto_figure(summaries, "noise")
