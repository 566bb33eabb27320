from dataclasses import asdict

import pytest
import torch

from benchmarks import inference as bench
from benchmarks.inference import time_inference
from benchmarks.operations import forward_flops
from smug.models.didn import DIDN

NAMES = [
    "textbook, 3 iid, float32",
    "smug, 3 iid, float32",
    "smug, 2 antithetic, float32",
    "smug, 2 antithetic, bfloat16",
    "smug, no samples, float32",
    "smug, no samples, bfloat16",
]
SMALL = {"coils": 2, "size": 16, "channels": 8, "blocks": 1, "steps": 2, "samples": 3}


@pytest.fixture
def times(monkeypatch):
    """Seconds and errors that are known: each way takes one less than the one before it, and errs one more."""
    monkeypatch.setattr(
        bench, "time_in_turns", lambda ways, repeats, device: {n: [9.0 - i] for i, n in enumerate(ways)}
    )
    monkeypatch.setattr(bench, "monte_carlo_errors", lambda ways, *_: {way.name: i for i, way in enumerate(ways)})
    monkeypatch.setattr(bench, "best_rate", lambda network, shape, dtype, repeats: {4: 1e6, 2: 2e6}[dtype.itemsize])


def test_every_way_is_timed_and_its_error_measured(device, monkeypatch):
    monkeypatch.setattr(bench, "ERROR_SEEDS", 1)
    rows = {row.name: row for row in time_inference(**SMALL, repeats=1, error_size=24, error_samples=8, device=device)}
    assert list(rows) == NAMES
    for row in rows.values():
        assert 0 < row.seconds_min <= row.seconds_median <= row.seconds_max
        assert row.speedup > 0 and row.share_of_best > 0 and row.error_size == 24
        assert all(isinstance(value, str | float | int) for value in asdict(row).values())
    textbook, iid, pair, rounded, *_ = (row.error for row in rows.values())
    assert textbook == pytest.approx(iid, rel=0.3)  # other noise
    assert 0 < pair < iid / 3
    assert pair < rounded < iid / 3


def test_the_figures(times):
    rows = time_inference(**SMALL)
    flop = forward_flops(DIDN(8, 1), (1, 16, 16))
    assert [row.seconds_median for row in rows] == [9, 8, 7, 6, 5, 4]
    assert [row.speedup for row in rows] == [1, 9 / 8, 9 / 7, 9 / 6, 9 / 5, 9 / 4]
    assert [row.denoiser_calls for row in rows] == [6, 6, 4, 4, 2, 2]
    for row in rows:
        assert row.gflop == pytest.approx(row.denoiser_calls * flop / 1e9)
        best = 2e6 if "bfloat16" in row.name else 1e6
        assert row.share_of_best == pytest.approx(1e9 * row.gflop / row.seconds_median / best)


def test_compilation_is_two_more_rows(times, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda network: compiled.append(network) or network)
    rows = time_inference(**SMALL, compiled=True)
    assert [row.name for row in rows[6:]] == [f"smug, 2 antithetic, {t}, compiled" for t in ("float32", "bfloat16")]
    assert [row.error for row in rows] == [0, 1, 2, 3, 4, 5, 2, 3]
    assert len(compiled) == 2


@pytest.mark.parametrize("values", [{"size": 12}, {"error_size": 20}, {"size": 0}, {"samples": 0}, {"coils": 0}])
def test_refuses(values):
    with pytest.raises(ValueError, match="expected"):
        time_inference(**SMALL | values)
