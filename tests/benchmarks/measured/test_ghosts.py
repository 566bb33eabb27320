import math

import numpy as np
import pytest
import torch

from benchmarks.measured.ghosts import ghost, line_spacing, partial_correlation
from smug.data.phantom import head_phantom
from smug.metrics import head_mask
from smug.physics.fourier import fft2c, ifft2c
from smug.physics.masks import equispaced_lines, random_lines

SIZE = 128


@pytest.fixture(scope="module")
def heads():
    t = torch.stack([head_phantom(seed, SIZE) for seed in range(2)])
    return t, head_mask(t)


@pytest.mark.parametrize("way", [1, -1])
@pytest.mark.parametrize("spacing", [3, 4, 5.4])
def test_a_ghost_is_one(heads, way, spacing):
    t, head = heads
    alias = t.abs().roll(way * round(SIZE / spacing), -1)
    assert ghost(t.abs() + 0.07 * alias, t, head, spacing) == pytest.approx(1, abs=1e-6)


def test_of_another_distance_it_is_none(heads):
    t, head = heads
    for other in (3, 5.5, 8):
        assert abs(ghost(t.abs() + 0.07 * t.abs().roll(SIZE // 4, -1), t, head, other)) < 0.2


def test_noise_shading_and_blur_are_no_ghosts(heads):
    t, head = heads
    noise = torch.randn(t.shape, generator=torch.Generator().manual_seed(0))
    ramp = torch.linspace(0.8, 1.2, SIZE)
    blurred = ifft2c(fft2c(t) * torch.exp(-(torch.linspace(-2, 2, SIZE) ** 2)))
    for x in (t + 0.02 * noise, t * ramp, 1.05 * t, blurred):
        assert abs(ghost(x, t, head, 4)) < 0.12
    assert ghost(t, t, head, 4) == 0


def test_folded_lines_show(heads):
    """The zero-filled image of every fourth line has three ghosts of full strength, of which two are looked for."""
    t, head = heads
    mask = torch.arange(SIZE) % 4 == 0
    folded = 4 * ifft2c(fft2c(t) * mask)
    assert ghost(folded, t, head, 4) > 0.3 > 0.1 > abs(ghost(folded, t, head, 5.4))


def test_it_has_no_unit_and_looks_at_the_head_alone(heads):
    t, head = heads
    x = t.abs() + 0.07 * t.abs().roll(SIZE // 4, -1)
    assert ghost(37 * x, 37 * t, head, 4) == pytest.approx(ghost(x, t, head, 4))
    elsewhere = x.clone()
    elsewhere[:, :4, :4] += 1
    assert not head[:, :20, :20].any() and ghost(elsewhere, t, head, 4) == pytest.approx(1, abs=1e-3)


def test_the_spacing_is_that_of_the_lines_outside_the_centre():
    mask = torch.zeros(1, 60, dtype=torch.bool)
    mask[:, ::5] = True
    mask[:, 26:34] = True
    assert line_spacing(mask, 60) == pytest.approx((60 - 8) / 11)  # line 30 lies in the centre
    assert line_spacing(equispaced_lines(256, 4, 0.08, seed=3), 256) == pytest.approx(236 / 44, rel=0.1)
    assert line_spacing(random_lines(256, 3, 0.08, seed=3), 256) == pytest.approx(236 / 65, rel=0.1)
    centre = torch.zeros(1, 16, dtype=torch.bool)
    centre[:, 6:10] = True
    assert line_spacing(centre, 16) == math.inf


def test_partial_correlation_is_that_of_residuals():
    rng = np.random.default_rng(0)
    given, own = rng.normal(size=(2, 1000))
    a, b = 3 * given + own, -2 * given + own
    assert np.corrcoef(a, b)[0, 1] < -0.5
    assert partial_correlation(a, b, given) == pytest.approx(1, abs=0.01)
    assert partial_correlation(np.ones(5), np.arange(5.0), np.zeros(5)) == 0
