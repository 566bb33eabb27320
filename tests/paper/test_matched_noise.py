import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smug.paper import matched_noise
from smug.paper.matched_noise import HIGHEST, LOWEST, MatchedNoise, NoiseLevel, bisected
from smug.paper.measurement import Results
from smug.paper.runs import Run


@given(st.floats(LOWEST * 1.02, HIGHEST / 1.02))
def test_bisection_finds_a_level_to_a_per_cent(level):
    assert bisected(math.sqrt, math.sqrt(level)) == pytest.approx(level, rel=0.01)


def test_bisection_ends_at_the_nearest_end_where_the_value_is_not_reached():
    assert bisected(lambda level: 0.0, 1.0) == pytest.approx(HIGHEST, rel=0.01)
    assert bisected(lambda level: 9.0, 1.0) == pytest.approx(LOWEST, rel=0.01)


def test_noise_of_the_matched_level_costs_modl_what_it_cost_in_the_paper(experiment, make, monkeypatch):
    monkeypatch.setattr(matched_noise, "TUNING_SLICES", 2)
    make.model(Run("knee", 4.0, "modl"), experiment)
    found = MatchedNoise("knee", 4.0).score(experiment, Results({}))
    assert found.loss == 1.15 and found.slices == 2
    assert found.found == pytest.approx(found.loss, abs=0.05)
    assert f"{found.level:g}" in found.note and "validation" in found.note


def test_a_loss_that_no_level_reaches_is_said():
    assert NoiseLevel(0.02, 0.94, 0.93, 16).note.startswith("Noise 0.02 costs MoDL 0.93 dB, as the paper's did")
    assert "no level from 0.001 to 0.5 does so here: 0.499 costs 0.31 dB" in NoiseLevel(0.499, 0.31, 2.07, 16).note
