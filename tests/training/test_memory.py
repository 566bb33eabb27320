from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import nn

from smug.data.phantom import head_phantom
from smug.data.simulate import Acquisition, simulate
from smug.models.adapters import as_complex
from smug.models.denoisers import NetworkConfig
from smug.models.smoothing import Smoothing
from smug.models.unet import UNet
from smug.training import methods
from smug.training.config import RIDGE_METHODS, ComputeConfig, Config, DataConfig, OptimizerConfig, StabilityTarget
from smug.training.config_file import merge
from smug.training.configured import build
from smug.training.learner import Objective, parts
from smug.training.memory import estimate
from smug.training.network_memory import LiveBytes

SMALL = Config(
    method="smug",
    steps=2,
    training_samples=3,
    network=NetworkConfig("unet", 16, 3),
    data=DataConfig(size=64, acquisition=Acquisition(coils=6)),
    optimizer=OptimizerConfig(batch=2),
    compute=ComputeConfig(recompute=False),
)
PAPER = replace(
    SMALL,
    steps=8,
    training_samples=10,
    smoothing=Smoothing(chunk=1),
    network=NetworkConfig("didn", 64, 3),
    data=DataConfig(size=320, acquisition=Acquisition(coils=12)),
    compute=ComputeConfig(recompute=True),
)


def changed(config, **compute):
    return replace(config, compute=replace(config.compute, **compute))


def taken(config):
    """Return the most bytes that a training step has at a time, with the scan, the weights and Adam's moments."""
    rows = range(config.optimizer.batch)
    images = torch.stack([head_phantom(row, config.data.size) for row in rows])
    scan = simulate(images, config.data.acquisition, rows, ["name"] * len(rows)).normalised()
    objective = Objective(build(config), config)
    weights = [parameter.nbytes for parameter in objective.parameters() if parameter.requires_grad]
    before = scan.y.nbytes + scan.A.maps.nbytes + scan.truth.nbytes + 3 * sum(weights)
    before += sum(parameter.nbytes for parameter in objective.start.parameters())
    with LiveBytes() as memory:
        for part in parts(scan, torch.arange(len(rows)), config.compute.accumulate):
            sum(objective(*part).values()).backward()
    return memory.peak + before


@pytest.mark.parametrize(("recompute", "chunk"), [(False, None), (True, 1)])
@pytest.mark.parametrize("method", [method for method in methods.METHODS if method not in RIDGE_METHODS])
def test_the_estimate_is_the_memory_of_a_step_and_a_little_more(method, recompute, chunk):
    config = replace(changed(SMALL, recompute=recompute), method=method, smoothing=Smoothing(chunk=chunk))
    assert 1 <= estimate(config).total / taken(config) < 1.3


@pytest.mark.parametrize(("recompute", "chunk"), [(False, 1), (True, None)])
def test_chunks_and_recomputation_are_counted_apart(recompute, chunk):
    config = replace(changed(SMALL, recompute=recompute), smoothing=Smoothing(chunk=chunk))
    assert 1 <= estimate(config).total / taken(config) < 1.3


def test_the_estimate_is_that_of_the_most_steps():
    drawn = estimate(replace(SMALL, training_steps=(1, 4)))
    assert drawn == estimate(replace(SMALL, steps=4)) != estimate(SMALL)


def test_a_ridge_regulariser_has_no_estimate_and_says_why():
    found = estimate(merge(SMALL, {"method": "ridge", "network": {"kind": "ridge"}}))
    assert found.total is None and "no activations" in found.reason


@pytest.mark.parametrize("compute", [{"accumulate": 2}, {"accumulate": 2, "recompute": True}])
def test_parts_of_a_batch(compute):
    config = changed(SMALL, **compute)
    assert 1 <= estimate(config).total / taken(config) < 1.3


@pytest.mark.parametrize("target", get_args(StabilityTarget))
def test_the_targets_of_the_stability(target):
    config = replace(SMALL, stability_target=target)
    assert 1 <= estimate(config).total / taken(config) < 1.3


def test_nothing_is_allocated():
    """A batch of 10 TB is estimated."""
    huge = replace(changed(PAPER, recompute=False), data=DataConfig(size=4096))
    assert estimate(huge).total > 10e12


def test_recomputing_makes_memory_flat():
    whole = estimate(PAPER).total
    assert whole < 1.35 * estimate(replace(PAPER, steps=1, training_samples=1)).total
    assert whole < 1.5 * estimate(replace(PAPER, method="pretrain")).total
    assert estimate(changed(PAPER, recompute=False)).total > 30 * whole


def test_parts_make_the_total():
    e = estimate(SMALL)
    weights = 4 * sum(parameter.numel() for parameter in UNet(16, 3).parameters())
    assert (e.weights, e.gradients, e.moments) == (weights, weights, 2 * weights)
    assert e.step == e.gradients + e.images + e.activations + e.temporaries
    assert e.total == e.weights + e.moments + e.data + e.step
    assert e.data == 2 * 64 * 64 * 8 * (2 * 6 + 1)
    assert e.reason == ""


def test_the_data_may_have_a_shape_of_its_own():
    assert estimate(SMALL, coils=20).data == 2 * 64 * 64 * 8 * (2 * 20 + 1)
    assert estimate(SMALL, matrix=(48, 80)).data == 2 * 48 * 80 * 8 * (2 * 6 + 1)
    alone, both = estimate(SMALL, rows=1), estimate(SMALL)
    assert (alone.data, alone.activations) == (both.data // 2, both.activations // 2)
    accumulated = estimate(changed(SMALL, accumulate=2))
    assert (accumulated.data, accumulated.activations) == (both.data, alone.activations)
    assert accumulated.gradients == 2 * alone.gradients


def test_half_precision_halves_the_activations():
    half, full = estimate(changed(PAPER, precision="bf16")), estimate(PAPER)
    assert 0.45 < half.activations / full.activations < 0.55
    assert half.images == full.images


@pytest.mark.parametrize(
    ("config", "advice"),
    [
        (replace(SMALL, steps=8), "compute.recompute = true"),
        (changed(SMALL, recompute=True), "smoothing.chunk = 1"),
        (replace(changed(SMALL, recompute=True), smoothing=Smoothing(chunk=1)), "compute.accumulate = 2"),
        (PAPER, "compute.accumulate = 2"),
        (changed(PAPER, accumulate=2), 'compute.precision = "bf16"'),
        (changed(PAPER, accumulate=2, precision="bf16"), "network.channels"),
        (replace(SMALL, method="pretrain"), "compute.accumulate = 2"),
    ],
)
def test_the_advice_is_what_saves_most(config, advice):
    assert estimate(config).advice == advice


def test_the_advice_for_one_process_of_several():
    config = replace(PAPER, optimizer=OptimizerConfig(batch=32), compute=ComputeConfig(recompute=True, accumulate=2))
    assert estimate(config, rows=4).advice == "compute.accumulate = 8"


def test_your_own_network():
    network = as_complex(nn.Sequential(nn.Conv2d(2, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Conv2d(8, 2, 1)))
    e = estimate(replace(SMALL, network=NetworkConfig("file", file="mine.py:denoiser")), network)
    images = 2 * 2 * 3  # rows, steps, samples, and D(t)
    channels = 2 + 2 + 8 + 8  # the image, the copy of it that somebody else's network may change, and two layers
    assert e.activations == pytest.approx((images + 2) * 64 * 64 * 4 * channels, rel=0.01)
    assert not network.network[1].num_batches_tracked
    assert all(parameter.device.type == "cpu" and parameter.grad is None for parameter in network.parameters())


class Peculiar(nn.Module):
    def __init__(self, look):
        super().__init__()
        self.slope = nn.Parameter(torch.ones(()))
        self.look = look

    def forward(self, x):
        self.look(x)
        return self.slope * x


def test_a_network_that_needs_numbers_has_no_estimate():
    for look in (lambda x: float(x.abs().max()), lambda x: x.detach().numpy(), lambda x: 1 / 0):
        e = estimate(changed(SMALL, recompute=True), Peculiar(look))
        assert e.total is e.step is e.activations is None
        assert e.reason.startswith("the denoiser does not run on torch's meta device: ")
        assert e.advice == "smoothing.chunk = 1"
        assert e.images > 0


def test_a_network_that_does_not_cast_its_input_is_estimated_in_single_precision():
    class Parts(nn.Conv2d):
        def forward(self, x):
            parts = super().forward(torch.view_as_real(x).movedim(-1, 1))
            return torch.complex(parts[:, 0], parts[:, 1])

    network = Parts(2, 2, 3, padding=1)
    half, full = estimate(changed(SMALL, precision="bf16"), network), estimate(SMALL, network)
    assert half.total == full.total is not None
