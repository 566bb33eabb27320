import cmath
import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from smug.models.noise import complex_normal, complex_normal_where, derive, entry_seeds

SEEDS = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=6)


@given(SEEDS, st.randoms(use_true_random=False))
def test_a_function_of_the_address_alone(seeds, random):
    together = complex_normal(derive(torch.tensor(seeds), 3, 1), (5, 4))
    order = random.sample(range(len(seeds)), len(seeds))
    shuffled = complex_normal(derive(torch.tensor(seeds)[order], 3, 1), (5, 4))
    assert torch.equal(shuffled, together[order])
    for seed, noise in zip(seeds, together, strict=True):
        assert torch.equal(complex_normal(derive(torch.tensor(seed), 3, 1), (5, 4)), noise)


def test_same_numbers_in_both_precisions_and_on_the_device(device):
    seeds = derive(torch.arange(3), 0)
    double = complex_normal(seeds, (50, 40), torch.complex128)
    single = complex_normal(seeds, (50, 40), torch.complex64)
    assert torch.equal(single, double.to(torch.complex64))
    there = complex_normal(seeds, (50, 40), torch.complex64, device)
    assert there.device.type == device.type
    torch.testing.assert_close(there.cpu(), single, rtol=1e-6, atol=1e-6)


def test_derive_goes_down_one_level_at_a_time():
    seeds = torch.arange(4)
    assert torch.equal(derive(seeds, 2, 5), derive(derive(seeds, 2), 5))
    assert torch.equal(derive(seeds), seeds)


def test_addresses_do_not_collide():
    seeds = torch.arange(40)
    words = [derive(seeds, *address) for address in itertools.product(range(-1, 20), range(20))]
    words += [derive(seeds, n) for n in range(-1, 20)] + [seeds]
    everything = torch.cat(words)
    assert everything.unique().numel() == everything.numel()


def test_different_addresses_are_uncorrelated():
    seeds = torch.arange(5)
    addresses = torch.cat([derive(seeds, n, k) for n, k in itertools.product(range(5), range(5))])
    pixels = 4096
    noise = complex_normal(addresses, (pixels,), torch.complex128)
    row, column = torch.triu_indices(125, 125, offset=1)
    correlation = (noise @ noise.mH / (2 * pixels))[row, column]
    assert correlation.abs().max() < 4 / pixels**0.5
    assert correlation.abs().square().mean().sqrt() == pytest.approx(pixels**-0.5, rel=0.05)


def test_neighbouring_pixels_and_seeds_are_uncorrelated():
    noise = complex_normal(torch.arange(300), (300,), torch.complex128)
    for dim in (0, 1):
        for shift in (1, 2, 8):
            product = noise * noise.roll(shift, dim).conj() / 2
            assert product.mean().abs() < 4 / 300


@pytest.mark.parametrize("axis", ["pixels of one seed", "seeds at one pixel", "draws at one pixel"])
def test_each_part_is_standard_normal(axis):
    size = 100_000
    match axis:
        case "pixels of one seed":
            noise = complex_normal(torch.tensor(1), (size,), torch.complex128)
        case "seeds at one pixel":
            noise = complex_normal(torch.arange(size), (1,), torch.complex128).flatten()
        case _:
            seed = torch.tensor(1)
            seeds = torch.stack([derive(seed, 0, k) for k in range(4000)])
            noise = complex_normal(seeds, (25,), torch.complex128).flatten()
    for part in (noise.real, noise.imag):
        assert abs(part.mean()) < 4 / size**0.5
        assert abs(part.var() - 1) < 4 * (2 / size) ** 0.5
        kurtosis = (part**4).mean() / part.var() ** 2
        assert abs(kurtosis - 3) < 4 * (24 / size) ** 0.5
        assert stats.kstest(part.numpy(), "norm").pvalue > 1e-3
        assert part.abs().max() > 3.9  # the tails are there
    assert abs((noise.real * noise.imag).mean()) < 4 / size**0.5
    assert abs((noise.real**2 * noise.imag**2).mean() - 1) < 4 * (8 / size) ** 0.5  # independent, not only uncorrelated
    angle = noise.angle().numpy() / (2 * torch.pi) + 0.5
    assert stats.kstest(angle, "uniform").pvalue > 1e-3


def test_every_value_is_finite():
    assert complex_normal(torch.arange(100), (10_000,)).isfinite().all()


class TestEntrySeeds:
    def test_a_generator_advances(self):
        generator = torch.Generator().manual_seed(1)
        first, second = entry_seeds(generator, 3), entry_seeds(generator, 3)
        assert first.shape == (3,)
        assert first.dtype == torch.int64
        assert torch.cat((first, second)).unique().numel() == 6
        again = entry_seeds(torch.Generator().manual_seed(1), 6)
        assert torch.equal(torch.cat((first, second)), again)

    def test_a_tensor_is_taken_as_it_is(self):
        seeds = torch.tensor([5, -2])
        assert torch.equal(entry_seeds(seeds, 2), seeds)

    def test_none_is_the_default_seed_at_every_place(self):
        assert entry_seeds(None, 3, 11).tolist() == [11, 11, 11]

    @pytest.mark.parametrize(
        "seeds", [torch.zeros(3), torch.tensor(1), torch.tensor([1, 2, 3]), torch.zeros(2, 1).long()]
    )
    def test_other_tensors_are_refused(self, seeds):
        with pytest.raises(ValueError, match=r"expected a torch.Generator or int64 seeds of shape \(2,\)"):
            entry_seeds(seeds, 2)


def test_the_global_generator_is_left_alone(device):
    before = torch.get_rng_state()
    seeds = entry_seeds(torch.Generator().manual_seed(0), 2)
    complex_normal(derive(seeds, 1), (4, 4), device=device)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_noise_of_some_entries_is_that_of_all(device, dtype):
    kept = torch.rand(3, 16, 32, device=device, generator=torch.Generator(device).manual_seed(0)) < 0.3
    seed = torch.tensor(2**60 + 7)
    expected = complex_normal(seed, kept.shape, dtype, device)[kept]
    torch.testing.assert_close(complex_normal_where(seed, kept, dtype), expected, rtol=1e-6, atol=1e-6)
    assert complex_normal_where(seed, torch.zeros_like(kept)).shape == (0,)


def test_the_numbers_are_those_of_splitmix64_and_box_muller():
    """As published: the state grows by the golden ratio before each word. The words start where a seed's hash is."""
    mask = 2**64 - 1

    def hashed(word):
        word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & mask
        word = (word ^ word >> 27) * 0x94D049BB133111EB & mask
        return word ^ word >> 31

    state, expected = hashed(2**63 + 12345), []
    for _ in range(5):
        state = (state + 0x9E3779B97F4A7C15) & mask
        word = hashed(state)
        radius = math.sqrt(-2 * math.log(((word >> 32) + 0.5) / 2**32))
        expected.append(cmath.rect(radius, 2 * math.pi * (word & 0xFFFFFFFF) / 2**32))
    noise = complex_normal(torch.tensor(12345 - 2**63), (5,), torch.complex128)
    torch.testing.assert_close(noise, torch.tensor(expected, dtype=torch.complex128))
