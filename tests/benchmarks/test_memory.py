import os
from dataclasses import replace
from functools import partial

import pytest
import torch

from benchmarks import memory
from benchmarks.memory import measure_memory
from smug.models.denoisers import NetworkConfig
from smug.training.config import Config, DataConfig, OptimizerConfig


def test_the_denoiser_one_step_and_many(monkeypatch):
    """The table is made from the peaks; how they are measured is below."""
    peaks = {("pretrain", 2, 3): 4e6, ("smug", 1, 1): 5e6, ("smug", 2, 3): 6e6}
    monkeypatch.setattr(memory, "_peak", lambda c, device: peaks[c.method, c.steps, c.training_samples])
    rows = measure_memory(2, 32, channels=8, blocks=1, steps=2, samples=3)
    assert [(row.steps, row.samples, row.peak) for row in rows] == [(0, 1, 4.0), (1, 1, 5.0), (2, 3, 6.0)]
    assert [row.peak_ratio for row in rows] == [0.8, 1.0, 1.2]
    assert [row.denoiser_ratio for row in rows] == [1.0, 1.25, 1.5]
    assert 0 < rows[0].estimate <= rows[1].estimate < rows[2].estimate


def test_a_process_measures_a_step():
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("needs Linux's /proc/self/clear_refs")
    config = Config(  # large enough for what else a process does with its memory not to count
        network=NetworkConfig("didn", 8, 1), data=DataConfig(size=256), optimizer=OptimizerConfig(batch=2), steps=1
    )
    peak = memory._peak(config, torch.device("cpu"))
    bound = memory.estimate(config).step
    assert 0.5 * bound < peak < bound + 30e6  # code that is loaded for the new shapes is resident too


def test_resident_memory_is_what_is_allocated_and_freed_again():
    if not os.access("/proc/self/clear_refs", os.W_OK):
        pytest.skip("needs Linux's /proc/self/clear_refs")

    def step():
        torch.ones(25_000_000)

    for _ in range(2):  # the peak of the first one does not count for the second
        assert memory._allocated_by(step, torch.device("cpu")) == pytest.approx(100e6, rel=0.05)


def test_a_step_too_small_to_be_seen_is_refused(monkeypatch):
    monkeypatch.setattr(memory, "_peak", lambda config, device: 0)
    with pytest.raises(ValueError, match="expected a step that takes memory of its own, got none at size 8"):
        measure_memory(1, 8, channels=4, blocks=1, steps=1, samples=1)


def test_a_process_that_dies_is_told(monkeypatch):
    monkeypatch.setattr(memory, "_return_freed_memory", partial(os._exit, 1))
    with pytest.raises(ValueError, match="the process for 3 steps died"):
        memory._peak(replace(Config(), steps=3), torch.device("cpu"))


@pytest.mark.parametrize("name", ["coils", "size", "batch", "channels", "blocks", "steps", "samples"])
def test_counts_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f"expected .*{name}"):
        measure_memory(**{name: 0})
