"""Where energy lies: good scans of all kinds are left alone, and what is off the centre is found."""

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from smug.data.kspace.energy import coils_are_an_axis, energy, flat_axis, off_centre
from smug.data.kspace.volume import Volume
from smug.data.phantom import head_phantom
from smug.physics.fourier import fft2c
from smug.physics.maps.simulated import simulated_maps
from smug.physics.masks import equispaced_lines, poisson_disc, random_lines

head = cache(head_phantom)


def scan(size: int, width: int, coils: int, noise: float, seed: int) -> torch.Tensor:
    """K-space ``(coil, y, x)`` of a head with smooth phase and noise."""
    rng = np.random.default_rng(seed)
    image = head(seed, size)[:, (size - width) // 2 : (size + width) // 2]
    ramp = torch.linspace(-1, 1, size, dtype=torch.float64)[:, None] ** 2
    image = image * torch.exp(1j * rng.normal() * ramp)
    maps = simulated_maps(coils, size, image.shape[1], seed=seed)[0]
    white = torch.from_numpy(rng.normal(size=(*maps.shape, 2)) @ [1, 1j])
    return (fft2c((maps * image).to(torch.complex64)) + noise * white).to(torch.complex64)


def volume(kspace: torch.Tensor, mask: torch.Tensor | None = None) -> Volume:
    mask = torch.ones(1, kspace.shape[-1], dtype=torch.bool) if mask is None else mask
    y = (mask[:, None, None] if mask.ndim == 2 else mask[:, None]) * kspace
    return Volume("v", tuple(y), mask, kspace.shape[-1], False, tuple(kspace.shape[-2:]))


def masks(height: int, width: int, rate: int, seed: int) -> dict[str, torch.Tensor]:
    x, y = torch.arange(width), torch.arange(height)
    rng = np.random.default_rng(seed)
    made = {
        "full": torch.ones(1, width, dtype=torch.bool),
        "random": random_lines(width, rate, 0.08, seed=seed),
        "equispaced": equispaced_lines(width, rate, 0.08, seed=seed),
        "equispaced without the centre": (x % rate == (width // 2 + rng.integers(1, rate)) % rate)[None],
        "a line is missing": (x != width // 2 + int(rng.integers(-2, 3)))[None],
        "partial Fourier": (x >= rng.integers(1, width // 2 - 3))[None],
        "partial Fourier, other side": (x < width - rng.integers(1, width // 2 - 3))[None],
        "asymmetric echo": ((y >= rng.integers(1, height // 2 - 3))[:, None] & (x >= 0))[None],
        "centre only": ((x - width // 2).abs() < 8)[None],
    }
    if min(height, width) >= 48:
        made["poisson"] = poisson_disc(height, width, rate, 12, seed=seed)
    return made


@settings(max_examples=25)
@given(data=st.data())
def test_good_scans_are_left_alone(data):
    draw = data.draw
    size = draw(st.sampled_from([32, 48, 64, 96]))
    width, coils = draw(st.integers(size // 2 + 4, size)), draw(st.sampled_from([1, 2, 8]))
    kspace = scan(size, width, coils, draw(st.sampled_from([0, 0.01, 0.1, 0.5])), draw(st.integers(0, 9)))
    kinds = masks(size, kspace.shape[-1], draw(st.sampled_from([2, 4, 8])), draw(st.integers(0, 99)))
    for name, mask in kinds.items():
        found = energy(volume(kspace[None], mask))
        assert (off_centre(found), flat_axis(found), coils_are_an_axis(found)) == ((), None, False), name


@settings(max_examples=25)
@given(data=st.data())
def test_scans_off_the_centre_are_found(data):
    draw = data.draw
    size, axis = draw(st.sampled_from([48, 64, 97])), draw(st.sampled_from([0, 1]))
    kspace = scan(size, size, draw(st.sampled_from([1, 4])), draw(st.sampled_from([0, 0.01])), draw(st.integers(0, 9)))
    lines = draw(st.sampled_from(["full", "random", "a line is missing"]))
    least = 12 if lines == "random" else 5
    shift = draw(st.integers(least, size // 2 - 4)) * draw(st.sampled_from([-1, 1]))
    mask = masks(size, kspace.shape[-1], 3, 0)[lines]
    mask = mask.roll(shift, -1) if axis else mask
    (peak,) = off_centre(energy(volume(kspace.roll(shift, axis - 2)[None], mask)))
    assert peak.axis == axis and abs(peak.shift + shift) <= 1 + (lines != "full")


@pytest.mark.parametrize("size", [64, 65])
def test_the_corner(size):
    kspace = torch.fft.ifftshift(scan(size, size, 2, 0.01, 3), dim=(-2, -1))
    peaks = off_centre(energy(volume(kspace[None])))
    assert [(p.axis, p.in_corner, p.shift) for p in peaks] == [(0, True, size // 2), (1, True, size // 2)]


def test_a_spike_is_no_peak():
    kspace = scan(64, 64, 4, 0.01, 1)
    kspace[:, 50, 9] = 3 * kspace.abs().max()
    assert off_centre(energy(volume(kspace[None]))) == ()


def test_noise_has_no_peak():
    white = torch.randn(2, 3, 32, 40, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    found = energy(volume(white))
    assert off_centre(found) == () and flat_axis(found) is None and not coils_are_an_axis(found)


def spokes(samples: int, count: int, coils: int, *, from_centre: bool = False) -> torch.Tensor:
    """K-space ``(coil, samples, spokes)`` of smooth coil images, on radial spokes."""
    n = 32
    image = (simulated_maps(coils, n, n, seed=2)[0] * head_phantom(2, n)).to(torch.complex128)
    radius = np.linspace(0 if from_centre else -n / 2, n / 2, samples)
    angle = np.arange(count) * np.pi * (3 - 5**0.5)
    places = torch.from_numpy(np.stack([radius[:, None] * np.cos(angle), radius[:, None] * np.sin(angle)]))
    grid = torch.arange(n, dtype=torch.float64) - n // 2
    y, x = (torch.exp(-2j * torch.pi / n * places[i].reshape(-1, 1) * grid) for i in (0, 1))
    return torch.einsum("sy,cyx,sx->cs", y, image, x).reshape(coils, samples, count).to(torch.complex64)


@pytest.mark.parametrize("from_centre", [False, True])
@pytest.mark.parametrize("coils", [1, 4])
def test_radial_spokes_do_not_decay(coils, from_centre):
    kspace = spokes(64, 50, coils, from_centre=from_centre)
    assert flat_axis(energy(volume(kspace[None]))) == 1
    assert flat_axis(energy(volume(kspace.mT[None]))) == 0


def test_coils_in_the_place_of_an_axis():
    kspace = torch.stack([scan(48, 48, 8, 0.01, i) for i in range(3)])
    in_slices = kspace.permute(0, 2, 3, 1)  # slices, y, x, coils
    assert coils_are_an_axis(energy(volume(in_slices)))
    in_rows = kspace.permute(2, 3, 1, 0)  # y, x, coils, slices
    assert coils_are_an_axis(energy(volume(in_rows)))


def test_a_volume_without_signal():
    found = energy(volume(torch.zeros(1, 20, 24, 24, dtype=torch.complex64)))
    assert off_centre(found) == () and flat_axis(found) is None and not coils_are_an_axis(found)
