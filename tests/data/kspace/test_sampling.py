"""What of stored k-space was measured: zeros, lines or entries, zero padding, full scans."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from smug.data.kspace.sampling import (
    common,
    differ,
    encoded_lines,
    is_full,
    lines_around_dc,
    measured,
    of_slices,
    signal,
)

WIDTH = 24


def lines(text: str) -> np.ndarray:
    return np.array([c == "x" for c in text])


def entries(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


def test_entries_are_zero_only_in_all_coils():
    kspace = torch.zeros(3, 4, 5, dtype=torch.complex64)
    kspace[1, 2, 3] = 1
    kspace[2, 0, 4] = 1e-30j
    expected = np.zeros((4, 5), dtype=bool)
    expected[2, 3] = expected[0, 4] = True
    assert np.array_equal(signal(kspace, "here"), expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, complex(0, np.nan), complex(0, -np.inf)])
def test_values_that_are_not_finite(value):
    kspace = entries(0, 3, 4, 5)
    kspace[1, 1, 1] = value
    with pytest.raises(ValueError, match="here: expected finite"):
        signal(kspace, "here")


def test_every_slice_has_lines_or_entries_of_its_own():
    lines = np.zeros((4, 6, 10), dtype=bool)
    lines[0, :, [1, 5]], lines[1, :, [3, 5]], lines[3, :, [1, 5]] = True, True, True
    found = of_slices(lines)
    assert np.array_equal(found, [lines[0].any(0), lines[1].any(0), lines.any((0, 1)), lines[3].any(0)])
    assert differ(found) and not differ(found[:1]) and common(found[:1].repeat(3, 0)).shape == (1, 10)
    points = lines.copy()
    points[1, :3, 3] = False
    assert np.array_equal(of_slices(points)[[0, 1, 3]], points[[0, 1, 3]])


@given(st.integers(0, 1000))
def test_whole_lines_and_entries(seed):
    rng = np.random.default_rng(seed)
    sampled = rng.random(WIDTH) < 0.5
    sampled[WIDTH // 2] = True
    whole = np.repeat(sampled[None], 30, 0)
    assert np.array_equal(measured(whole), sampled)
    scattered = whole & (rng.random(whole.shape) < 0.7)
    assert np.array_equal(measured(scattered), scattered)


def test_isolated_zeros_are_measurements():
    found = np.ones((20, WIDTH), dtype=bool)
    found[3, [1, 5, 9]] = False
    assert measured(found).all() and measured(found).ndim == 1
    found[4:6] = False
    assert np.array_equal(measured(found), found)


def test_a_given_mask_is_an_upper_bound():
    found = np.repeat(lines("..xxxxxx")[None], 8, 0)
    assert np.array_equal(measured(found, lines("x.x.xxxx")), lines("..x.xxxx"))
    disc = np.random.default_rng(0).random((8, 8)) < 0.5
    assert np.array_equal(measured(found, disc), disc & found)


@pytest.mark.parametrize(
    ("sampled", "given", "encoded"),
    [
        ("....xxxxxxxx", None, 11),
        ("..xxxxxxxx..", None, 8),
        ("..xxxxxxx...", None, 8),
        ("...xxxxxxxx.", None, 9),
        ("....xxxxxxxx", None, 11),  # one side only: partial Fourier
        ("..xx.xxxxx..", None, 12),  # a gap: undersampled, not padded
        (".....xx.....", None, 12),  # padded by more than 2: a few lines of a larger scan
        ("..xx.xxxxx..", "xxxxxxxxxxxx", 8),
        ("..xx.xxxxx..", "..xx.xxxxx..", 12),
        ("..xx.xxxx...", "x.xx.xxxx.x.", 8),
    ],
)
def test_lines_of_the_scan(sampled, given, encoded):
    assert encoded_lines(lines(sampled), None if given is None else lines(given)) == encoded


@given(st.integers(1, 40), st.data())
def test_lines_around_dc_are_the_fewest_that_hold_both(width, data):
    first = data.draw(st.integers(0, width - 1))
    last = data.draw(st.integers(first, width - 1))
    n = lines_around_dc(first, last, width)

    def holds(count: int) -> bool:
        start = width // 2 - count // 2
        return start <= first and last < start + count

    assert holds(n) and not any(holds(count) for count in range(n))


@pytest.mark.parametrize(
    ("missing", "full"),
    [([], True), ([0], True), ([0, 1], False), ([12], False), ([-1], True), ([0, -1], False)],
)
def test_full_scans_may_lack_a_few_lines_at_one_side(missing, full):
    sampled = np.ones(WIDTH, dtype=bool)
    sampled[missing] = False
    assert is_full(sampled, WIDTH) == full
