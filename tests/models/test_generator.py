"""What seeds no noise is refused by every reconstructor, deterministic ones too, which would ignore it."""

import numpy as np
import pytest
import torch

import smug

from ..properties import assert_refused

DENOISER = smug.UNet(channels=4, levels=1)

RECONSTRUCTORS = {
    "zero-filled": smug.ZeroFilled(),
    "cg-sense": smug.CGSense(),
    "tv": smug.TotalVariation(iterations=1),
    "modl": smug.MoDL(DENOISER, steps=1),
    "ridge": smug.Ridge(smug.RidgeRegulariser(filters=4, widths=(2,)), sigma=0.01, tolerance=0.5),
    "smug": smug.SMUG(DENOISER, smug.Smoothing(sigma=0.01, num_samples=1), steps=1),
    "normalised": smug.normalised(smug.MoDL(DENOISER, steps=1)),
}


@pytest.mark.parametrize("name", RECONSTRUCTORS)
@pytest.mark.parametrize(
    "generator", [3, np.random.default_rng(0), [1, 2], torch.ones(2), torch.ones(3, dtype=torch.int64)], ids=range(5)
)
def test_other_generators_are_refused(name, generator):
    scan = smug.simulate(torch.stack([smug.head_phantom(seed, 16) for seed in (1, 2)]), smug.Acquisition(coils=2))
    f = RECONSTRUCTORS[name]
    assert_refused(lambda: f(scan.y, scan.A, generator), "generator: expected a torch.Generator or int64 seeds")
    for good in (None, torch.Generator(), torch.ones(2, dtype=torch.int64)):
        assert f(scan.y, scan.A, good).shape == (2, 16, 16)
