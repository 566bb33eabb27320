from dataclasses import replace

import pytest

from smug.models.smoothing import Smoothing
from smug.paper.cost import TrainingCost, calls_per_slice
from smug.paper.measurement import Results
from smug.paper.runs import Run
from smug.training.config import Config, PerturbationConfig

CONFIG = Config(steps=5, training_samples=2)


@pytest.mark.parametrize(
    ("changes", "calls"),
    [
        ({"method": "modl"}, 5),
        ({"method": "jitter"}, 5),
        ({"method": "rs-e2e"}, 5 * 2),
        ({"method": "smug"}, 5 * 2 + 1),
        ({"method": "weighted-smug"}, 5 * 2 + 1),
        ({"method": "smug", "stability_target": "target"}, 5 * 2),
        ({"method": "smug", "stability_target": "frozen-denoised-iterate"}, 5 * 2 + 5),
        ({"method": "smug", "smoothing": Smoothing(chunk=1)}, 5 * 2 + 1),
        ({"method": "adversarial", "perturbation": PerturbationConfig(steps=3)}, 5 * (3 + 1)),
    ],
)
def test_denoiser_calls_are_those_of_the_method(changes, calls):
    assert calls_per_slice(replace(CONFIG, **changes)) == calls


def test_cost_of_runs(experiment, make):
    for method in ("modl", "smug"):
        make.model(Run("knee", 4.0, method), experiment)
    start, warm, modl, smug = TrainingCost("knee", 4.0, ("modl", "smug")).score(experiment, Results({}))
    assert [cost.method for cost in (start, warm, modl, smug)] == ["start", "warm", "modl", "smug"]
    assert (start.calls_per_slice, modl.calls_per_slice, smug.calls_per_slice) == (1, 2, 5)
    assert smug.calls == 5 * 2 * 2  # per slice, updates, slices of a batch
    assert all(cost.seconds > 0 for cost in (start, warm, modl, smug))
