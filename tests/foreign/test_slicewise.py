"""Slices that are kept apart."""

import torch

from smug.foreign import slicewise
from smug.models.noise import complex_normal
from smug.models.reconstructors import SMUG
from smug.models.smoothing import Smoothing


def test_a_reconstructor_that_mixes_slices_no_longer_does(measured):
    y, A, _ = measured

    def mixing(y, A):
        return A.H(y) / A.H(y).norm()

    both = slicewise(mixing)(y, A)
    for i in range(2):
        torch.testing.assert_close(both[i], mixing(y[i : i + 1], A[i])[0])


def test_every_slice_has_its_own_seed(measured):
    y, A, target = measured

    def noise(y, A, generator=None):
        return complex_normal(generator, target.shape[1:], y.dtype, y.device)

    seeds = torch.tensor([5, 6])
    assert torch.equal(slicewise(noise)(y, A, generator=seeds), noise(y, A, seeds))


def test_without_seeds_the_one_of_the_settings_counts(measured):
    y, A, _ = measured
    f = SMUG(lambda x: x, Smoothing(sigma=0.1, num_samples=1, seed=7), steps=1)
    torch.testing.assert_close(slicewise(f)(y, A), f(y, A))
    torch.testing.assert_close(slicewise(f).replace(seed=8)(y, A), f.replace(seed=8)(y, A))
