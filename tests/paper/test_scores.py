import math

import pytest

from smug.evaluation.row import Row
from smug.paper.scores import Score, mean_over_seeds


def score(seed, psnr, flags=(), slice="one", method="smug"):
    row = Row("smug", "clean", slice, psnr, 0.5, 0.1, psnr, 0.0, hfen=psnr / 100, flags=flags, subject="a")
    return Score("brain", 4.0, method, seed, row)


def test_seeds_are_no_slices():
    rows = mean_over_seeds([score(0, 20.0), score(1, 30.0), score(0, 10.0, slice="two"), score(1, 10.0, slice="two")])
    assert [(row.slice, row.psnr) for row in rows] == [("one", 25.0), ("two", 10.0)]
    assert rows[0].hfen == pytest.approx(0.25) and rows[0].ssim == 0.5 and rows[0].subject == "a"


def test_methods_stay_apart_and_are_the_models():
    assert {row.model for row in mean_over_seeds([score(0, 20.0), score(0, 20.0, method="modl")])} == {"smug", "modl"}


def test_what_has_no_meaning_stays_so():
    assert math.isnan(mean_over_seeds([score(0, 20.0), score(1, math.nan)])[0].psnr)
    assert math.isnan(mean_over_seeds([score(0, 20.0)])[0].gain)


def test_a_warning_of_one_seed_is_a_warning():
    assert mean_over_seeds([score(0, 20.0), score(1, 20.0, flags=("blind",))])[0].flags == ("blind",)
