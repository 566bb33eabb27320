"""Which kind a mask is: every kind of ours, fastMRI's and scanners' ways of leaving lines out."""

import numpy as np
import pytest
import torch

from smug.physics.mask_kind import centre_lines, mask_patterns
from smug.physics.masks import (
    equispaced_lines,
    fastmri_lines,
    poisson_disc,
    random_lines,
    variable_density_lines,
)

WIDTHS = (48, 64, 128, 256, 320, 372)
RATES = ((2, 0.08), (3, 0.08), (4, 0.08), (8, 0.04))


def lines(width: int, *places: int) -> torch.Tensor:
    mask = torch.zeros(width, dtype=torch.bool)
    mask[list(places)] = True
    return mask


def combs(kind: str, width: int, rate: int, seed: int) -> torch.Tensor:
    """Equispaced lines with ACS as others make them; see ``EquispacedMaskFunc`` and its kin in fastMRI."""
    rng, acs = np.random.default_rng(seed), round(0.08 * width)
    mask, first = np.zeros(width, bool), (width - acs + 1) // 2
    match kind:
        case "integer":
            mask[rng.integers(rate) :: rate] = True
        case "fraction":
            spacing = rate * (acs - width) / (acs * rate - width)
            mask[np.around(np.arange(rng.integers(round(spacing)), width - 1, spacing)).astype(int)] = True
        case "magic":  # an offset of its own in each half
            mask[width // 2 + rng.integers(rate) :: rate] = True
            mask[width // 2 - 1 - rng.integers(rate) :: -rate] = True
        case "partial":
            mask[rng.integers(rate) :: rate] = True
            mask[: rng.integers(width // 3)] = False
        case "without centre":
            return torch.from_numpy(mask | (np.arange(width) % rate == width // 2 % rate))
    mask[first : first + acs] = True
    return torch.from_numpy(mask)


@pytest.mark.parametrize("width", WIDTHS)
def test_no_draw_of_a_kind_is_taken_for_another(width):
    for rate, fraction in RATES:
        for seed in range(60):
            assert "random" in mask_patterns(random_lines(width, rate, fraction, seed=seed)[0])
            assert "variable-density" in mask_patterns(variable_density_lines(width, rate, fraction, seed=seed)[0])
            assert "equispaced" in mask_patterns(equispaced_lines(width, rate, fraction, seed=seed)[0])


@pytest.mark.parametrize(("width", "rates"), [(64, RATES[:3]), (128, RATES), (200, RATES), (320, RATES), (396, RATES)])
def test_equispaced_lines_are_always_told(width, rates):
    for rate, fraction in rates:
        for seed in range(60):
            assert mask_patterns(equispaced_lines(width, rate, fraction, seed=seed)[0]) == ("equispaced",)


@pytest.mark.parametrize("kind", ["integer", "fraction", "magic", "partial", "without centre"])
def test_equispaced_lines_of_others_are_told(kind):
    for width in (128, 203, 320, 368):
        for rate in (2, 3, 4, 6):
            for seed in range(20):
                mask = combs(kind, width, rate, seed)
                assert mask_patterns(mask) == ("equispaced",), (width, rate, seed)


def test_random_lines_of_fastmri_are_random():
    for width in (320, 368, 396):
        for rate, fraction in RATES[2:]:
            for number in range(100):
                kinds = mask_patterns(fastmri_lines(width, rate, fraction, name=f"file{number}.h5")[0])
                assert kinds[0] == "random"


def test_lines_that_were_cut_off_or_padded_tell_nothing_else():
    for seed in range(200):
        mask = random_lines(320, 4, 0.08, seed=seed)[0]
        mask[:100] = False
        assert "random" in mask_patterns(mask)
        assert "random" in mask_patterns(torch.nn.functional.pad(random_lines(256, 4, 0.08, seed=seed)[0], (32, 32)))


def test_many_lines_tell_their_density():
    for seed in range(50):
        assert mask_patterns(random_lines(320, 4, 0.08, seed=seed)[0]) == ("random",)
        assert mask_patterns(variable_density_lines(400, 2, 0.08, seed=seed)[0]) == ("variable-density",)


@pytest.mark.parametrize(
    "mask", [torch.ones(64, dtype=torch.bool), lines(64, *range(28, 36)), lines(64, 32), lines(64, 5, *range(28, 36))]
)
def test_few_lines_beside_the_centre_decide_nothing(mask):
    assert set(mask_patterns(mask)) == {"random", "equispaced", "variable-density"}


def test_points():
    for rate in (2, 4, 8):
        for seed in range(3):
            assert mask_patterns(poisson_disc(96, 80, rate, seed=seed)[0]) == ("poisson",)
    assert mask_patterns(torch.rand(96, 80, generator=torch.Generator().manual_seed(0)) < 0.25) == ("poisson",)


@pytest.mark.parametrize("shear", [0, 1, 2])
def test_points_on_a_grid_are_told(shear):
    y, x = torch.meshgrid(torch.arange(96), torch.arange(80), indexing="ij")
    grid = (y % 2 == 0) & ((x + shear * y) % 3 == 0)
    grid[36:60, 28:52] = True
    assert mask_patterns(grid) == ("grid",)
    assert mask_patterns(grid & (torch.hypot((y - 48) / 48, (x - 40) / 40) < 1)) == ("grid",)


def test_centre_lines():
    assert centre_lines(lines(12, 0, 4, 5, 6, 7, 8, 10)) == (4, 9)
    assert centre_lines(lines(12, 0, 5, 7)) == (6, 6)
    assert centre_lines(torch.ones(7, dtype=torch.bool)) == (0, 7)
