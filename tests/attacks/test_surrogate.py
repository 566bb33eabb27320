"""Reconstructors without noise, and with noise that is known."""

import torch

from smug.attacks import is_random, noise_free, with_seed
from smug.models.normalised import normalised
from smug.models.reconstructors import SMUG, MoDL
from smug.models.smoothing import Smoothing


def denoise(x):
    return x / (1 + x.abs())


def smoothed(**options):
    return SMUG(denoise, Smoothing(sigma=0.1, num_samples=2, **options), steps=2)


def test_noise_free_is_no_samples_also_inside_a_wrapper(slices):
    y, A, _ = slices
    expected = MoDL(denoise, steps=2)(y, A)
    torch.testing.assert_close(noise_free(smoothed())(y, A), expected)
    torch.testing.assert_close(noise_free(normalised(smoothed()))(y, A), normalised(MoDL(denoise, steps=2))(y, A))
    torch.testing.assert_close(noise_free(with_seed(smoothed(), 3))(y, A), expected)


def test_what_has_no_noise_to_switch_off_is_returned_as_it_is():
    def plain(y, A):
        return A.H(y)

    for f in (plain, MoDL(denoise), normalised(plain), normalised(MoDL(denoise))):
        assert noise_free(f) is f


def test_a_known_seed_is_the_noise_whatever_the_generator(slices):
    y, A, _ = slices
    f = smoothed()
    x = with_seed(f, 7)(y, A, generator=torch.tensor([1, 2]))
    assert torch.equal(x, with_seed(f, 7)(y, A))
    assert torch.equal(x, f(y, A, generator=torch.tensor([7, 7])))
    assert not torch.equal(x, with_seed(f, 8)(y, A))


def test_randomness_is_seen(slices):
    assert is_random(smoothed(), slices)
    assert not is_random(smoothed().replace(num_samples=0), slices)
    assert not is_random(with_seed(smoothed(), 7), slices)
    assert not is_random(lambda y, A: torch.nan * A.H(y), slices)
