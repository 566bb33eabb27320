from itertools import count

import pytest
import torch
from torch import nn

from benchmarks import operations
from benchmarks.operations import best_rate, convolutions, forward_flops, time_in_turns
from smug.models.adapters import as_complex
from smug.models.didn import DIDN
from smug.models.unet import UNet

CPU = torch.device("cpu")


class Small(nn.Module):
    """Two convolutions, the first of them used twice."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 1)

    def forward(self, x):
        return self.last(self.first(self.first(x)))


def test_a_multiplication_and_addition_are_two_operations():
    per_pixel = 2 * (2 * 2 * 9) * 2 + 2 * (2 * 2)
    assert forward_flops(as_complex(Small()), (3, 5, 8)) == 3 * 5 * 8 * per_pixel


def test_the_papers_denoiser_takes_sixty_gflop():
    with torch.device("meta"):
        assert forward_flops(DIDN(), (1, 320, 320)) == pytest.approx(60.7e9, rel=1e-3)
        assert forward_flops(UNet(), (4, 128, 128)) == pytest.approx(4.21e9, rel=1e-3)


@pytest.mark.parametrize("network", [DIDN(8, 2), UNet(8, 3), as_complex(Small())])
def test_all_of_it_is_in_the_convolutions_that_are_found(network):
    found = convolutions(network, (2, 16, 24))
    assert sum(found.values()) == sum(isinstance(layer, nn.Conv2d) for layer in network.modules()) + isinstance(
        getattr(network, "network", None), Small
    )
    total = 0
    for (name, (batch, channels, height, width)), times in found.items():
        layer = network.get_submodule(name)
        assert (batch, channels) == (2, layer.in_channels)
        pixels = batch * (height // layer.stride[0]) * (width // layer.stride[0])
        total += times * 2 * layer.weight.numel() * pixels
    assert total == forward_flops(network, (2, 16, 24))


def test_layers_of_one_kind_count_together():
    found = convolutions(as_complex(Small()), (1, 5, 8))
    assert found == {("network.first", (1, 2, 5, 8)): 2, ("network.last", (1, 2, 5, 8)): 1}


def test_the_network_is_left_as_it_is():
    network = DIDN(8, 1)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    forward_flops(network, (1, 8, 8))
    best_rate(network, (1, 8, 8), torch.bfloat16, repeats=1)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not any(layer._forward_pre_hooks for layer in network.modules())


def test_the_best_rate_divides_by_the_sum_of_the_shortest_times(monkeypatch):
    times = [[3.0, 2.0], [4.0, 5.0]]
    monkeypatch.setattr(
        operations, "time_in_turns", lambda methods, repeats, device: dict(zip(methods, times, strict=True))
    )
    network = as_complex(Small())
    assert best_rate(network, (1, 5, 8)) == forward_flops(network, (1, 5, 8)) / (2 * 2.0 + 4.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_layers_are_timed_as_the_network_computes_them(monkeypatch, dtype, device):
    seen = []

    def time(methods, repeats, device):
        for layer in methods.values():
            y = layer()
            seen.append((y.shape, y.dtype, y.is_contiguous(memory_format=torch.channels_last), y.device.type))
        return {name: [1.0] for name in methods}

    monkeypatch.setattr(operations, "time_in_turns", time)
    best_rate(as_complex(Small()).to(device), (2, 5, 8), dtype)
    assert seen == [((2, 2, 5, 8), dtype, True, device.type)] * 2


def test_methods_take_turns_after_a_warm_up(monkeypatch):
    calls = []
    clock = count()
    monkeypatch.setattr(operations, "perf_counter", lambda: float(next(clock)))
    seconds = time_in_turns({"a": lambda: calls.append("a"), "b": lambda: (next(clock), calls.append("b"))}, 2, CPU)
    assert calls == ["a", "b"] * 3
    assert seconds == {"a": [1.0, 1.0], "b": [2.0, 2.0]}


def test_no_repeats_are_refused():
    with pytest.raises(ValueError, match="repeats: expected at least one, got 0"):
        time_in_turns({}, 0, CPU)
