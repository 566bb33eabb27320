import pytest
import torch
from torch import nn

from benchmarks import training as bench
from benchmarks.denoiser import TextbookDenoiser, random_network
from benchmarks.operations import forward_flops
from benchmarks.training import SIGMA, textbook_loss, time_training
from smug import losses
from smug.models.noise import complex_normal, derive
from smug.models.reconstructors import SMUG
from smug.models.smoothing import Smoothing

STORED = ["smug, float32, 2 samples", "smug, bfloat16, 2 samples"]
RECOMPUTED = ["smug, float32, recomputed, 2 samples", "smug, bfloat16, recomputed, 2 samples"]
TINY = {"size": 16, "coils": 2, "network": "unet", "channels": 4, "depth": 2, "steps": 2}


def test_every_way_is_timed(device):
    rows = time_training(**TINY, repeats=1, device=device)
    assert [row.name for row in rows] == ["textbook, float32, 2 samples", *STORED, *RECOMPUTED]
    for row in rows:
        assert 0 < row.seconds_min <= row.seconds_median <= row.seconds_max
        assert row.gflops_per_second > 0 and row.share_of_best > 0
        assert row.recompute_factor == pytest.approx(4 / 3 if "recomputed" in row.name else 1)


@pytest.fixture
def images(monkeypatch):
    """Nothing is computed, and what there is takes 1, 2, ... seconds; the shapes of the best rates are told."""
    shapes = []

    def best(network, shape, dtype):
        shapes.append((shape[0], dtype))
        return {4: 1e6, 2: 2e6}[dtype.itemsize]

    monkeypatch.setattr(bench, "best_rate", best)
    monkeypatch.setattr(
        bench,
        "time_in_turns",
        lambda methods, repeats, device: {name: [0.5, 1.0 + i, 99.0] for i, name in enumerate(methods)},
    )
    return shapes


def test_the_figures(images):
    rows = time_training(**TINY, samples=3, batch=5)
    flops = forward_flops(random_network("unet", 4, 2), (1, 16, 16))
    for i, row in enumerate(rows):
        assert (row.seconds_min, row.seconds_median, row.seconds_max, row.samples) == (0.5, 1 + i, 99, 3)
        assert row.speedup == 1 / (1 + i)
        assert row.useful_gflop == pytest.approx(3 * flops * 5 * (2 * 3 + 1) / 1e9)
        assert row.gflops_per_second == pytest.approx(row.useful_gflop / (1 + i))
        assert row.share_of_best == pytest.approx(1e3 * row.gflops_per_second / (2 if "bfloat16" in row.name else 1))
    assert images == [(15, torch.float32), (15, torch.bfloat16), (5, torch.float32), (5, torch.bfloat16)]


def test_fewer_samples_are_told_apart(images):
    rows = time_training(**TINY, samples=3, fewer=1)
    assert [row.samples for row in rows] == [3] * 5 + [1] * 4
    assert [row.name.split(", ")[-1] for row in rows] == ["3 samples"] * 5 + ["1 sample"] * 4
    assert rows[5].useful_gflop < rows[1].useful_gflop


def test_what_does_not_fit_in_memory_is_left_out(images):
    rows = time_training(**TINY, stored=False)
    assert [row.name for row in rows] == RECOMPUTED
    assert {row.speedup for row in rows} == {None}


class Counted(nn.Module):
    """A network that counts the images it is given, and of which there is only one."""

    def __init__(self):
        super().__init__()
        self.network, self.images = random_network("unet", 4, 2), 0

    def forward(self, x):
        self.images += x.shape[0]
        return self.network(x)

    def correction(self, parts):
        self.images += parts.shape[0]
        return self.network.correction(parts)

    def __deepcopy__(self, memo):
        return self


def test_useful_operations_are_those_of_the_denoisers_calls(monkeypatch, device):
    """Every way calls the denoiser for as many images as are counted, and again where it is recomputed."""
    network, images = Counted().to(device), {}

    def run_once(methods, repeats, device):
        for name, step in methods.items():
            network.images = 0
            step()
            images[name] = network.images
        return {name: [1.0] for name in methods}

    monkeypatch.setattr(bench, "random_network", lambda *settings: network)
    monkeypatch.setattr(bench, "time_in_turns", run_once)
    monkeypatch.setattr(bench, "forward_flops", lambda network, shape: 1)
    monkeypatch.setattr(bench, "best_rate", lambda *settings: 1.0)
    for row in time_training(**TINY, batch=3, device=device):
        passes = 2 if "recomputed" in row.name else 1
        assert images[row.name] == pytest.approx(passes * row.useful_gflop * 1e9 / 3)
        assert row.recompute_factor == pytest.approx((passes + 2) / 3)


@pytest.mark.parametrize("kind", ["unet", "didn"])
def test_the_textbooks_loss_and_gradient_are_ours(kind, device):
    scan = bench._scan(16, 3, 2).to(device)
    network = random_network(kind, 8, 2).to(device)
    textbook = TextbookDenoiser(network)
    seeds = torch.arange(2)

    def noise(step, sample):
        return SIGMA * complex_normal(derive(seeds, step, sample), (16, 16), device=device)

    theirs = textbook_loss(textbook, scan, noise, steps=2, samples=3)
    ours = losses.smug(SMUG(network, Smoothing(SIGMA, 3), steps=2), scan, seeds)
    torch.testing.assert_close(theirs, ours, rtol=1e-4, atol=0)
    for loss in (theirs, ours):
        loss.backward()
    for a, b in zip(textbook.parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-3 * float(b.grad.abs().max()))


@pytest.mark.parametrize("values", [{"size": 12}, {"batch": 0}, {"samples": 0}, {"fewer": 0}, {"steps": 0}])
def test_refused(values):
    with pytest.raises(ValueError, match="expected a size in multiples of 8 and counts >= 1"):
        time_training(**{**TINY, **values})
