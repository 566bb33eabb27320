from dataclasses import replace

import numpy as np
import pytest
import torch

from smug.data.phantom import head_phantom
from smug.data.simulate import Acquisition, named_seed, simulate, smooth_phase
from smug.physics.masks import acceleration

SIZE = (48, 64)
SEEDS = [3, 2**55 + 1, 77]
NAMES = ["a", "b", "c"]
MASKS = ["random", "equispaced", "variable-density", "poisson"]


@pytest.fixture(scope="module")
def images(device):
    """Three slices."""
    return torch.stack([head_phantom(seed, SIZE) for seed in range(3)]).to(device)


def acquisition(mask="random", **settings):
    # a Poisson disc has a calibration square of 24 x 24, which must leave samples
    return Acquisition(mask=mask, acceleration=3.0 if mask == "poisson" else 4.0, **settings)


@pytest.mark.parametrize("mask", MASKS)
def test_a_slice_alone_is_the_slice_in_its_batch(images, mask):
    together = simulate(images, acquisition(mask), SEEDS, NAMES)
    for i in range(3):
        alone = simulate(images[i : i + 1], acquisition(mask), SEEDS[i : i + 1], NAMES[i : i + 1])
        part = together[i]
        assert torch.equal(alone.A.mask, part.A.mask)
        assert torch.equal(alone.A.maps, part.A.maps)
        assert torch.equal(alone.truth, part.truth)
        torch.testing.assert_close(alone.y, part.y, rtol=1e-6, atol=1e-6)
        assert alone.id == part.id == (NAMES[i],)


def test_another_seed_changes_everything(images):
    first, second = (simulate(images[:1], acquisition(noise=0.1), [seed], ["a"]) for seed in (0, 1))
    assert not torch.equal(first.A.mask, second.A.mask)
    assert not torch.allclose(first.A.maps, second.A.maps, atol=0.01)
    assert not torch.allclose(first.truth, second.truth, atol=0.01)
    noise = [(scan.y - scan.A(scan.truth)) for scan in (first, second)]
    both = first.A.sampled & second.A.sampled
    assert not torch.isclose(noise[0], noise[1], atol=1e-4)[both.expand_as(noise[0])].any()


def test_masks_know_nothing_of_the_maps():
    """One stream for both would tie the first line to the rotation of the coils."""
    a, image = acquisition(), torch.ones(1, 8, 64, dtype=torch.complex64)
    scans = [simulate(image, a, [seed], ["a"]) for seed in range(300)]
    rotation = torch.tensor([np.random.default_rng(seed).uniform() for seed in range(300)])  # of the coils
    first = torch.stack([scan.A.mask[0, 0] for scan in scans])
    assert (rotation[first].mean() - rotation[~first].mean()).abs() < 0.2


def test_the_same_seed_changes_nothing(images):
    first, second = (simulate(images[:1], acquisition(), [9], ["a"]) for _ in range(2))
    assert torch.equal(first.y, second.y)


@pytest.mark.parametrize("noise", [0.0, 0.003, 0.1])
def test_noise_of_the_stated_level_on_the_sampled_entries(images, noise):
    scan = simulate(images, acquisition(noise=noise), SEEDS, NAMES)
    difference = scan.y - scan.A(scan.truth)
    assert not difference[~scan.A.sampled.expand_as(difference)].any()
    measured = difference[scan.A.sampled.expand_as(difference)]
    assert measured.real.std().item() == pytest.approx(noise, rel=0.03)
    assert measured.imag.std().item() == pytest.approx(noise, rel=0.03)
    assert measured.mean().abs() <= 5 * noise / len(measured) ** 0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_real_images_get_noise_in_both_parts(images, dtype):
    real = (1000 * images.abs()).to(dtype)
    scan, clean = (simulate(real, Acquisition(noise=noise, maps="exact")) for noise in (50.0, 0.0))
    received = (scan.y - clean.y)[scan.A.sampled.expand_as(scan.y)]
    assert received.real.std().item() == pytest.approx(50, rel=0.1)
    assert received.imag.std().item() == pytest.approx(50, rel=0.1)
    assert scan.y.dtype == (torch.complex128 if dtype == torch.float64 else torch.complex64)


def test_every_coil_and_slice_has_noise_of_its_own(images):
    scan = simulate(images[:1].expand(3, *SIZE), acquisition(noise=1.0), SEEDS, NAMES)
    full = scan.A.sampled.all(0).expand(scan.y.shape[1:])
    noise = (scan.y - scan.A(scan.truth))[:, full].reshape(3 * 4, -1)
    correlation = noise @ noise.mH / noise.shape[1] / 2
    assert (correlation - torch.eye(12, device=noise.device)).abs().max() < 5 / noise.shape[1] ** 0.5


@pytest.mark.parametrize("mask", MASKS)
def test_masks_have_their_shape_and_rate(images, mask):
    a = acquisition(mask)
    scan = simulate(images, a, SEEDS, NAMES)
    assert scan.A.mask.shape == ((3, *SIZE) if mask == "poisson" else (3, SIZE[1]))
    torch.testing.assert_close(
        acceleration(scan.A.mask), torch.full((3,), a.acceleration, device=scan.y.device), rtol=0.15, atol=0
    )
    assert scan.A.mask[..., SIZE[1] // 2].any()
    assert not scan.y[~scan.A.sampled.expand_as(scan.y)].any()


def test_rate_and_centre_are_used(images):
    fast = simulate(images, acquisition(), SEEDS, NAMES)
    slow = simulate(images, replace(acquisition(), acceleration=2.0, center_fraction=0.25), SEEDS, NAMES)
    assert slow.A.mask.sum() == 2 * fast.A.mask.sum()
    assert slow.A.mask[:, 24:40].all()


def test_the_target_is_the_image_with_another_phase(images):
    scan = simulate(images, acquisition(), SEEDS, NAMES)
    torch.testing.assert_close(scan.truth.abs(), images.abs())
    turned = scan.truth * images.conj()
    expected = torch.stack([torch.polar(torch.ones(()), smooth_phase(*SIZE, seed)) for seed in SEEDS]).to(images.device)
    torch.testing.assert_close(turned, expected * images.abs().square(), rtol=1e-4, atol=1e-5)


def test_without_phase_the_target_is_the_image(images):
    assert torch.equal(simulate(images, acquisition(phase=0.0), SEEDS, NAMES).truth, images)


def test_maps_are_normalised_and_as_many_as_asked_for(images):
    scan = simulate(images, acquisition(coils=7), SEEDS, NAMES)
    assert scan.A.maps.shape == (3, 7, *SIZE)
    energy = scan.A.maps.abs().square().sum(1)
    torch.testing.assert_close(energy, torch.ones_like(energy))


def test_narrower_profiles_overlap_less(images):
    wide, narrow = (
        simulate(images, acquisition(coils=8, profile_width=width), SEEDS, NAMES).A.maps.abs() for width in (1.2, 0.3)
    )
    assert narrow.amax(1).mean() > wide.amax(1).mean() + 0.1


def test_full_sampling_without_noise_gives_the_target_back(images):
    full = replace(acquisition(noise=0.0, coils=5), acceleration=1.0)
    scan = simulate(images, full, SEEDS, NAMES)
    torch.testing.assert_close(scan.A.H(scan.y), scan.truth, rtol=1e-4, atol=1e-5)


def test_double_precision_is_kept(images):
    scan = simulate(images.to(torch.complex128), acquisition(), SEEDS, NAMES)
    assert scan.y.dtype == scan.truth.dtype == torch.complex128


def test_images_have_the_gradient_of_what_is_measured_without_noise(images):
    """Noise is added to the measurements, and does not depend on the images."""
    gradients = []
    for noise in (0.0, 0.1):
        point = images.clone().requires_grad_()
        simulate(point, acquisition(noise=noise), SEEDS, NAMES).y.real.sum().backward()
        gradients.append(point.grad)
    assert gradients[0].any()
    torch.testing.assert_close(gradients[1], gradients[0])


def test_smooth_phase_is_smooth_and_differs():
    phase = smooth_phase(64, 96, seed=1)
    assert phase.shape == (64, 96)
    assert phase.dtype == torch.float32
    assert phase.diff(n=3, dim=0).abs().max() < 1e-4  # a polynomial of degree 2
    assert phase.diff(n=3, dim=1).abs().max() < 1e-4
    spread = torch.stack([smooth_phase(8, 8, seed) for seed in range(200)])
    assert 2 < spread.std() < 5
    assert spread[:, 4, 4].unique().numel() == 200


def test_named_seeds_are_fixed_and_spread():
    assert named_seed("phantom-2000000") == named_seed("phantom-2000000", 0) == 47622156721546174
    seeds = {named_seed(f"{name}", seed) for name in range(50) for seed in range(20)}
    assert len(seeds) == 1000
    assert all(0 <= seed < 2**56 for seed in seeds)


def test_the_global_generator_is_left_alone(images):
    before = torch.get_rng_state()
    simulate(images, acquisition(), SEEDS, NAMES)
    assert torch.equal(torch.get_rng_state(), before)
