import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from smug.physics.consistency import solve
from smug.physics.fourier import fft2c, ifft2c
from smug.physics.maps.calibration import maps_from_calibration
from smug.physics.maps.simulated import simulated_maps
from smug.physics.masks import poisson_disc, random_lines
from smug.physics.sense import Sense

from ...properties import assert_refused


def power(maps):
    return maps.abs().square().sum(1)


def residual(maps, coil_images):
    """Energy outside the span of the maps, sum_c |m_c - s_c sum_d conj(s_d) m_d|^2 / sum_c |m_c|^2."""
    image = (maps.conj() * coil_images).sum(1, keepdim=True)
    return float((coil_images - maps * image).abs().square().sum() / coil_images.abs().square().sum())


@pytest.fixture
def disc(device):
    """A smooth object that fills most of the field of view: coil images (1, 4, 64, 64) of known maps."""
    maps = simulated_maps(4, 64, 64, seed=1).to(device)
    axis = torch.linspace(-1, 1, 64, device=device)
    radius = torch.hypot(axis[:, None], axis)
    return maps, maps * torch.sigmoid((0.7 - radius) / 0.03)


@given(
    coils=st.integers(1, 12),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    profile_width=st.floats(1e-3, 10),
    seed=st.integers(0, 2**63),
)
def test_simulated_maps_are_normalised_and_a_function_of_the_seed(coils, height, width, profile_width, seed):
    maps = simulated_maps(coils, height, width, seed=seed, profile_width=profile_width)
    assert maps.shape == (1, coils, height, width)
    assert maps.dtype == torch.complex64
    torch.testing.assert_close(power(maps), torch.ones(1, height, width))
    assert torch.equal(maps, simulated_maps(coils, height, width, seed=seed, profile_width=profile_width))


@pytest.mark.parametrize("coils", [1, 4])
def test_simulated_maps_sample_one_field_at_any_size(coils):
    fine, coarse = simulated_maps(coils, 96, 128, seed=5), simulated_maps(coils, 48, 32, seed=5)
    torch.testing.assert_close(fine[..., ::2, ::4], coarse)
    assert not torch.equal(coarse, simulated_maps(coils, 48, 32, seed=6))


@pytest.mark.parametrize("seed", range(5))
def test_simulated_maps_are_smooth_and_differ_between_coils(seed):
    maps = simulated_maps(4, 64, 64, seed=seed)
    for dim in (-1, -2):
        assert maps.diff(dim=dim).abs().max() < 0.15
    gram = torch.einsum("bcyx,bdyx->cd", maps, maps.conj()).abs() / 64**2
    assert torch.linalg.eigvalsh(gram)[0] > 0.02


def test_simulated_profiles_are_gaussian_before_normalisation():
    """Ratios of two coils do not know the normalisation: their logarithm is linear in position, slope 1 /
    width."""

    def log_ratio(profile_width):
        wide = simulated_maps(3, 33, 33, seed=2, profile_width=profile_width)[0].abs().double().log()
        return wide[0] - wide[1]

    torch.testing.assert_close(log_ratio(1.0).diff(n=2), torch.zeros(33, 31).double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(log_ratio(1.0), 2 * log_ratio(2.0), atol=1e-5, rtol=0)


def test_one_simulated_coil_has_modulus_one_and_a_phase():
    maps = simulated_maps(1, 32, 32, seed=0)
    torch.testing.assert_close(maps.abs(), torch.ones(1, 1, 32, 32))
    assert maps.angle().std() > 0.05


@pytest.mark.parametrize("arguments", [(0, 8, 8), (4, 0, 8), (4, 8, -1)])
def test_simulated_maps_refuse_empty_sizes(arguments):
    assert_refused(lambda: simulated_maps(*arguments, seed=0), "expected at least one")


@pytest.mark.parametrize("profile_width", [0, -1, math.nan, math.inf])
def test_simulated_maps_refuse_a_profile_width(profile_width):
    assert_refused(lambda: simulated_maps(4, 8, 8, seed=0, profile_width=profile_width), "profile_width")


@pytest.mark.parametrize("kind", ["lines", "points", "full"])
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_calibrated_maps_span_the_coil_images(disc, device, kind, dtype):
    _, coil_images = disc
    mask = {
        "lines": random_lines(64, 3, 0.25, seed=0),
        "points": poisson_disc(64, 64, 4, 16, seed=0),
        "full": torch.ones(1, 64, dtype=torch.bool),
    }[kind].to(device)
    maps = maps_from_calibration(fft2c(coil_images.to(dtype)), mask)
    assert maps.shape == coil_images.shape
    assert maps.dtype == dtype
    assert power(maps).max() <= 1 + 1e-6
    inside = coil_images.abs().square().sum(1) > 0.1
    torch.testing.assert_close(power(maps)[inside], torch.ones_like(power(maps)[inside]))
    assert residual(maps, coil_images) < 1e-3
    assert residual(maps.roll(1, dims=1), coil_images) > 0.1


def test_calibrated_maps_agree_with_the_true_ones_up_to_phase(disc, device):
    truth, coil_images = disc
    maps = maps_from_calibration(fft2c(coil_images), random_lines(64, 3, 0.25, seed=0).to(device))
    inside = coil_images.abs().square().sum(1) > 0.5
    assert (maps.conj() * truth).sum(1).abs()[inside].min() > 0.999


def test_calibrated_maps_make_the_low_resolution_image_real(disc, device):
    _, coil_images = disc
    mask = torch.zeros(1, 64, 64, dtype=torch.bool, device=device)
    mask[:, 24:40, 24:40] = True
    kspace = fft2c(coil_images) * mask[:, None]
    maps = maps_from_calibration(kspace, mask, window=0.0)
    image = (maps.conj() * ifft2c(kspace)).sum(1)
    assert image.imag.abs().max() < 1e-5
    assert image.real.min() > -1e-5


def test_calibrated_maps_use_the_calibration_region_alone(disc, device, generator):
    _, coil_images = disc
    mask = torch.zeros(1, 64, dtype=torch.bool, device=device)
    mask[:, 26:38] = True
    mask[:, 5] = True
    kspace = fft2c(coil_images)
    other = kspace.clone()
    other[..., :26] = torch.randn(other[..., :26].shape, generator=generator, dtype=other.dtype, device=device)
    assert torch.equal(maps_from_calibration(kspace, mask), maps_from_calibration(other, mask))


def test_calibrated_maps_do_not_depend_on_scale_and_take_the_phase(disc, device):
    _, coil_images = disc
    mask = random_lines(64, 3, 0.25, seed=0).to(device)
    kspace = fft2c(coil_images)
    maps = maps_from_calibration(kspace, mask)
    scaled = maps_from_calibration(1e-6j * kspace, mask)
    inside = (coil_images.abs() > 0.1).expand_as(maps)  # elsewhere the maps are those of rounding errors
    torch.testing.assert_close(scaled[inside], 1j * maps[inside], atol=1e-4, rtol=1e-3)


def test_calibrated_maps_are_per_slice(disc, device):
    _, coil_images = disc
    mask = random_lines(64, 3, 0.25, seed=0).to(device)
    batch = fft2c(torch.cat([coil_images, 100 * coil_images.flip(-1)]))
    each = torch.cat([maps_from_calibration(kspace[None], mask) for kspace in batch])
    torch.testing.assert_close(maps_from_calibration(batch, mask), each)


def test_calibrated_maps_of_one_coil_are_a_phase(disc, device):
    coil_image = disc[1].sum(1, keepdim=True)
    maps = maps_from_calibration(fft2c(coil_image), random_lines(64, 3, 0.25, seed=0).to(device))
    inside = coil_image.abs() > 0.5
    torch.testing.assert_close(maps.abs()[inside], torch.ones_like(maps.abs()[inside]))


def test_calibrated_maps_have_length_one_everywhere(disc, device):
    """Then a fully sampled scan is solved by its own coil combination: operator and target agree."""
    _, coil_images = disc
    kspace = fft2c(coil_images)
    maps = maps_from_calibration(kspace, random_lines(64, 3, 0.25, seed=0).to(device))
    torch.testing.assert_close(power(maps), torch.ones_like(power(maps)))
    full = Sense(torch.ones(1, 64, dtype=torch.bool, device=device), maps)
    torch.testing.assert_close(solve(full, full.H(kspace), 1e-6).value, full.H(kspace), atol=1e-4, rtol=1e-4)


def kspace_of_ones():
    return torch.ones(1, 2, 16, 16, dtype=torch.complex64)


def mask_with(acs):
    mask = torch.zeros(1, 16, dtype=torch.bool)
    mask[:, 8 - acs // 2 : 8 - acs // 2 + acs] = True
    return mask


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_calibration_refuses_values_that_are_not_finite(bad):
    kspace = kspace_of_ones()
    kspace[0, 1, 3, 8] = bad
    assert_refused(lambda: maps_from_calibration(kspace, mask_with(6)), "NaN or infinite")


@pytest.mark.parametrize(
    ("kspace", "mask", "message"),
    [
        (kspace_of_ones(), mask_with(3), "got 3 fully sampled central lines along x, expected at least 4"),
        (kspace_of_ones(), mask_with(6)[:, :, None].expand(1, 16, 16) & mask_with(2), "got 2 .* along x"),
        (kspace_of_ones(), ~mask_with(6), "DC is not sampled"),
        (0 * kspace_of_ones(), mask_with(6), "zero in the whole calibration region"),
        (kspace_of_ones().real, mask_with(6), "expected complex"),
        (kspace_of_ones()[0], mask_with(6), "expected complex"),
        (kspace_of_ones(), torch.ones(1, 15, dtype=torch.bool), "does not fit"),
        (kspace_of_ones(), mask_with(6).expand(2, 16), "does not fit"),
    ],
)
def test_calibration_refuses(kspace, mask, message):
    with pytest.raises(ValueError, match=message):
        maps_from_calibration(kspace, mask)


def test_calibration_refuses_a_negative_window():
    assert_refused(lambda: maps_from_calibration(kspace_of_ones(), mask_with(6), window=-1), "window=-1")


def test_four_lines_or_a_full_short_axis_suffice():
    maps_from_calibration(kspace_of_ones(), mask_with(4))
    maps_from_calibration(kspace_of_ones()[..., :2, :], mask_with(4))


@pytest.mark.parametrize("rate", [3, 4])
def test_calibrated_maps_span_measured_coil_images(brain, device, rate):
    """ESPIRiT (sigpy) leaves 0.0052 of the energy, 0.0043 of which is noise of the coils outside any one
    map."""
    kspace = brain.to(device)
    mask = random_lines(256, rate, 0.08, seed=1).to(device)
    maps = maps_from_calibration(kspace * mask[:, None, None], mask)
    assert power(maps).max() <= 1 + 1e-5
    assert residual(maps, ifft2c(kspace)) < 0.0058


def test_calibrated_maps_agree_with_espirit(brain):
    mri = pytest.importorskip("sigpy.mri")
    mask = random_lines(256, 4, 0.08, seed=1)
    kspace = brain * mask[:, None, None]
    maps = maps_from_calibration(kspace, mask)
    # 20 central lines give ESPIRiT its calibration square
    espirit = mri.app.EspiritCalib(kspace[0].numpy(), calib_width=20, max_iter=15, crop=0, show_pbar=False).run()
    coil_images = ifft2c(brain)
    inside = coil_images.abs().square().sum(1).sqrt() > 0.1 * coil_images.abs().max()
    agreement = (maps.conj() * torch.from_numpy(espirit)[None]).sum(1).abs()[inside]
    assert agreement.median() > 0.999
    assert agreement.quantile(0.02) > 0.98
