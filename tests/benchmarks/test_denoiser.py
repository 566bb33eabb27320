from dataclasses import asdict

import pytest
import torch
from torch import nn

from benchmarks import denoiser as bench
from benchmarks.denoiser import TextbookDenoiser, random_network, time_denoiser
from benchmarks.operations import TRAINING, forward_flops
from smug.models.didn import DIDN
from smug.models.noise import complex_normal
from smug.models.prelu import PReLU

WAYS = ["textbook, float32", "channels_last, float32", "channels_last, bfloat16"]
WORK = ["forward", "forward and backward"]


@pytest.fixture
def times(monkeypatch):
    """Seconds that are known: each way takes one less than the one before it, and the backward pass two more."""

    def time(methods, repeats, device):
        backward = 2 * ("_gradient" in next(iter(methods.values())).func.__name__)
        return {name: [5.0 - i + backward, 9.0, 1.0] for i, name in enumerate(methods)}

    monkeypatch.setattr(bench, "time_in_turns", time)
    monkeypatch.setattr(bench, "best_rate", lambda network, shape, dtype, repeats: {4: 1e6, 2: 2e6}[dtype.itemsize])


def test_every_way_is_timed_forward_and_backward(device):
    rows = time_denoiser(8, 1, 16, batch=2, repeats=2, device=device)
    assert [(row.work, row.name) for row in rows] == [(work, name) for work in WORK for name in WAYS]
    for row in rows:
        assert 0 < row.seconds_min <= row.seconds_median <= row.seconds_max
        assert row.gflops_per_second > 0 and row.share_of_best > 0
        assert all(isinstance(value, str | float) for value in asdict(row).values())


def test_the_figures(times):
    rows = time_denoiser(8, 1, 16)
    flops = forward_flops(DIDN(8, 1), (1, 16, 16))
    assert [row.seconds_median for row in rows] == [5, 4, 3, 7, 6, 5]
    assert [row.speedup for row in rows] == [1, 5 / 4, 5 / 3, 1, 7 / 6, 7 / 5]
    for row in rows:
        useful = flops * (1 if row.work == "forward" else TRAINING)
        assert row.gflops_per_second == pytest.approx(useful / row.seconds_median / 1e9)
        best = 2e6 if "bfloat16" in row.name else 1e6
        assert row.share_of_best == pytest.approx(1e9 * row.gflops_per_second / best)


def test_compilation_is_two_more_rows(times, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda network: compiled.append(network) or network)
    rows = time_denoiser(8, 1, 16, compiled=True)
    assert [row.name for row in rows[3:5]] == ["compiled, float32", "compiled, bfloat16"]
    assert len(compiled) == 1


@pytest.mark.parametrize("kind", ["didn", "unet"])
def test_the_textbook_is_the_same_function_in_another_layout(kind, device):
    network = random_network(kind, 8, 2).to(device)
    textbook = TextbookDenoiser(network)
    formats = set()
    for layer in textbook.modules():
        assert not isinstance(layer, PReLU)
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda layer, inputs, y: formats.add(y.is_contiguous() or y.shape[1] == 1))
    x = complex_normal(torch.arange(2), (16, 24), device=device)
    torch.testing.assert_close(textbook(x), network(x))
    assert formats == {True}
    assert not torch.allclose(network(x), x)


def test_random_networks_do_not_touch_the_global_generator():
    before = torch.get_rng_state()
    a, b = random_network("unet", 4, 2), random_network("unet", 4, 2)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


@pytest.mark.parametrize("values", [{"size": 12}, {"size": 0}, {"size": 16, "batch": 0}])
def test_sizes_that_cannot_be_halved_are_refused(values):
    with pytest.raises(ValueError, match="expected a size in multiples of 8 and batch >= 1"):
        time_denoiser(8, 1, **values)
