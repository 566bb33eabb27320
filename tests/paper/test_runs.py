from dataclasses import replace
from pathlib import Path

import pytest

from smug.paper.cost import calls_per_slice
from smug.paper.runs import Run
from smug.paper.scales import SCALES
from smug.training.configured import build
from smug.training.runs import initialise
from smug.zoo import shipped


@pytest.mark.parametrize("scale", [SCALES["tiny"], SCALES["paper"]], ids=lambda scale: scale.name)
def test_all_methods_start_from_one_warm_start(scale):
    warm, start = Run("brain", 4.0, "warm"), Run("brain", 4.0, "start")
    assert {Run("brain", 4.0, method, seed).parent(scale) for method in ("modl", "smug") for seed in (0, 1)} == {warm}
    assert warm.parent(scale) == start and start.parent(scale) is None
    assert start.config(scale).steps == 1 and warm.config(scale).optimizer == scale.warm


def test_a_warm_start_may_begin_with_a_shipped_model():
    scale, warm = SCALES["small"], Run("knee", 8.0, "warm")
    weights = warm.parent(scale)
    assert isinstance(weights, Path) and weights == shipped("modl-4x")
    initialise(build(warm.config(scale)), weights)  # raises where the weights do not fit
    with pytest.raises(ValueError, match="small starts from the shipped modl-4x: it has no run of its own"):
        Run("knee", 8.0, "start").config(scale)


def test_equal_compute_is_as_many_denoiser_calls_as_those_of_smug():
    for scale in SCALES.values():
        smug, longer = (Run("brain", 4.0, method).config(scale) for method in ("smug", "modl-longer"))
        spent = [calls_per_slice(config) * config.optimizer.updates for config in (smug, longer)]
        assert spent[1] == pytest.approx(spent[0], rel=0.02)


def test_seeds_differ_in_nothing_but_the_seed():
    runs = [Run("brain", 4.0, "smug", seed).config(SCALES["small"]) for seed in (0, 1)]
    assert runs[0] == replace(runs[1], seed=0) != runs[1]
