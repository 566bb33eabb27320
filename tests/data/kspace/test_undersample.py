"""Retrospective undersampling of volumes."""

from dataclasses import replace

import pytest
import torch

from smug.data.kspace.read import undersample
from smug.data.kspace.volume import Volume
from smug.physics.masks import equispaced_lines, fastmri_lines, poisson_disc, random_lines

from ...properties import assert_refused

HEIGHT, WIDTH = 40, 48


@pytest.fixture
def volume() -> Volume:
    kspace = torch.randn(2, 3, HEIGHT, WIDTH, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(1, WIDTH, dtype=torch.bool)
    return Volume("volume", tuple(kspace), mask, WIDTH, True, (HEIGHT, WIDTH))


def test_random_lines_of_the_seed(volume):
    less = undersample(volume, 4, seed=7)
    assert torch.equal(less.mask, random_lines(WIDTH, 4, 0.08, seed=7))
    assert torch.equal(less.mask, undersample(volume, 4, seed=7).mask)
    assert not torch.equal(less.mask, undersample(volume, 4, seed=8).mask)
    assert less.acceleration == 4 and less.fully_sampled
    assert torch.equal(undersample(volume, 6, seed=7).mask, random_lines(WIDTH, 6, 0.04, seed=7))
    assert torch.equal(undersample(volume, 6, seed=7, center_fraction=0.1).mask, random_lines(WIDTH, 6, 0.1, seed=7))


def test_other_lines(volume):
    equispaced = undersample(volume, 4, seed=7, lines="equispaced")
    assert torch.equal(equispaced.mask, equispaced_lines(WIDTH, 4, 0.08, seed=7))
    fastmri = undersample(volume, 4, lines="fastmri")
    assert torch.equal(fastmri.mask, fastmri_lines(WIDTH, 4, 0.08, name="volume.h5"))
    assert torch.equal(undersample(volume, 4, lines="fastmri", seed=1).mask, fastmri.mask)


def test_wrong_settings_are_refused(volume):
    assert_refused(lambda: undersample(volume, 0.5), "acceleration")
    assert_refused(lambda: undersample(volume, 4, lines="radial"), "random, equispaced, fastmri")


def test_nothing_is_kept_that_was_not_measured(volume):
    mask = poisson_disc(HEIGHT, WIDTH, 2, 16, seed=0)
    less = undersample(replace(volume, mask=mask), 2, seed=1, center_fraction=0.3)
    assert torch.equal(less.mask, mask & random_lines(WIDTH, 2, 0.3, seed=1)[:, None])


def test_zero_padding_is_not_sampled(volume):
    mask = torch.arange(WIDTH)[None].sub(24).abs() < 20
    less = undersample(replace(volume, mask=mask, encoded_lines=39), 2, seed=1, lines="equispaced")
    assert not (less.mask & ~mask).any()
    assert less.acceleration == pytest.approx(2, abs=0.2)


def test_maps_come_from_what_is_kept(volume):
    assert undersample(replace(volume, calibration=volume), 4).calibration is None
