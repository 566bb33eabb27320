from dataclasses import asdict

import pytest
import torch

from benchmarks import consistency as bench
from benchmarks.consistency import time_consistency

ONE = ["textbook", "textbook, complex numbers", "smug.solve", "A.factor and solve", "factored before"]
MANY = ["textbook", "textbook, one by one", *ONE[1:]]


def test_every_path_reaches_the_residual(device):
    rows = time_consistency(3, 24, right_hand_sides=(1, 2), repeats=1, device=device)
    assert [(row.right_hand_sides, row.path) for row in rows] == [(1, n) for n in ONE] + [(2, n) for n in MANY]
    for row in rows:
        assert 0 < row.seconds_min <= row.seconds_median <= row.seconds_max
        assert row.speedup > 0 and row.gflop > 0
        assert row.residual < 3e-6
        assert all(isinstance(value, str | float | int | None) for value in asdict(row).values())
        iterated = "factor" not in row.path
        assert (row.iterations is not None) == (row.gigabytes is not None) == (row.fft_share is not None) == iterated
        assert not iterated or 3 < row.iterations < 12


def test_the_figures(monkeypatch):
    def time(methods, repeats, device):
        for method in methods.values():
            method()
        return {name: [8.0 - i, 9.0, 1.0] for i, name in enumerate(methods)}

    monkeypatch.setattr(bench, "time_in_turns", time)
    monkeypatch.setattr(bench, "_rates", lambda A, repeats: (2e6, 4e6))
    rows = {row.path: row for row in time_consistency(3, 16, right_hand_sides=(2,))}
    ours, textbook = rows["smug.solve"], rows["textbook"]
    assert [row.speedup for row in rows.values()] == [1, 8 / 7, 8 / 6, 8 / 5, 2, 8 / 3]
    transform = 5 * 16 * 4
    assert ours.gflop == pytest.approx(2 * (ours.iterations + 1) * 2 * 3 * 16 * transform / 1e9)
    assert textbook.gflop == pytest.approx(2 * textbook.iterations * 2 * 3 * 5 * 256 * 8 / 1e9)
    assert ours.fft_share == pytest.approx(ours.gflop * 1e9 / 2e6 / 5)
    assert ours.gigabytes == pytest.approx(2 * (ours.iterations + 1) * 10 * 3 * 256 * 8 / 1e9)
    assert ours.memory_share == pytest.approx(ours.gigabytes * 1e9 / 4e6 / 5)
    before, counted = rows["factored before"], rows["A.factor and solve"]
    assert before.gflop == pytest.approx(2 * 16 * 8 * 256 / 1e9)
    assert counted.gflop - before.gflop == pytest.approx(16 * (8 * 3 * 256 + 4 / 3 * 16**3) / 1e9)


def test_nothing_is_kept_for_gradients():
    with torch.enable_grad():
        rows = time_consistency(2, 16, right_hand_sides=(1,), repeats=1)
        assert torch.is_grad_enabled()
    assert len(rows) == len(ONE)


@pytest.mark.parametrize("values", [{"coils": 0}, {"size": 0}, {"right_hand_sides": (1, 0)}, {"repeats": 0}])
def test_refuses(values):
    with pytest.raises(ValueError, match="expected"):
        time_consistency(**{"coils": 2, "size": 16, **values})
