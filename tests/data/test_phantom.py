"""The procedural head phantom."""

import numpy as np
import pytest
import torch

from smug.data.phantom import ct_phantom, head_phantom

from ..properties import assert_refused

SEEDS = range(12)


def crop_kspace(image: torch.Tensor, size: int) -> torch.Tensor:
    """The image at `size` x `size`, by cropping its centred k-space."""
    kspace = torch.fft.fftshift(torch.fft.fft2(torch.fft.ifftshift(image)))
    start = image.shape[0] // 2 - size // 2
    kspace = kspace[start : start + size, start : start + size]
    cropped: torch.Tensor = torch.fft.fftshift(torch.fft.ifft2(torch.fft.ifftshift(kspace)))
    return cropped


def detail(image: torch.Tensor) -> float:
    """Fraction of the magnitude's k-space energy outside the central tenth of the area."""
    energy = torch.fft.fftshift(torch.fft.fft2(image.abs())).abs() ** 2
    height, width = energy.shape
    y, x = round(height * 0.1**0.5 / 2), round(width * 0.1**0.5 / 2)
    centre = energy[height // 2 - y : height // 2 + y + 1, width // 2 - x : width // 2 + x + 1]
    return float(1 - centre.sum() / energy.sum())


def variation(image: torch.Tensor) -> float:
    """Anisotropic total variation of the magnitude over its sum, per pixel."""
    magnitude = image.abs()
    return float((magnitude.diff(dim=0).abs().sum() + magnitude.diff(dim=1).abs().sum()) / magnitude.sum())


def ellipses(size: int) -> torch.Tensor:
    """A head of plain ellipses: skull, brain, ventricles."""
    t = torch.linspace(-1, 1, size)
    y, x = torch.meshgrid(t, t, indexing="ij")
    image = torch.zeros(size, size)
    for a, b, x0, value in (
        (0.9, 0.7, 0.0, 1.0),
        (0.82, 0.62, 0.0, 0.4),
        (0.3, 0.1, 0.2, 0.8),
        (0.3, 0.1, -0.2, 0.8),
    ):
        image = torch.where((y / a) ** 2 + ((x - x0) / b) ** 2 < 1, torch.tensor(value), image)
    return image


def test_form() -> None:
    image = head_phantom(3)
    assert image.shape == (128, 128)
    assert image.dtype == torch.complex64
    assert image.isfinite().all()


def test_a_seed_is_one_head_whatever_the_global_state() -> None:
    first = head_phantom(5, 64, noise=0.01)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    assert torch.equal(first, head_phantom(5, 64, noise=0.01))


def test_seeds_differ() -> None:
    images = torch.stack([head_phantom(seed, 64).abs().flatten() for seed in SEEDS])
    correlation = torch.corrcoef(images) - torch.eye(len(images))
    assert correlation.max() < 0.97


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_head_at_another_resolution(seed: int) -> None:
    coarse, fine = head_phantom(seed, 128), crop_kspace(head_phantom(seed, 256), 128)
    scale = torch.vdot(fine.flatten(), coarse.flatten()) / fine.norm() ** 2
    assert (coarse - scale * fine).norm() / coarse.norm() < 0.05


@pytest.mark.parametrize("size", [16, 95, 96, (96, 97), (80, 131), (140, 100)])
def test_any_size(size: int | tuple[int, int]) -> None:
    image = head_phantom(2, size)
    assert image.shape == (size if isinstance(size, tuple) else (size, size))
    assert image.abs().max() == pytest.approx(1, abs=1e-6)


def test_a_longer_side_only_adds_to_the_view() -> None:
    square, wide = head_phantom(2, 96), head_phantom(2, (96, 144))
    inner = wide[:, 24:120]
    scale = torch.vdot(inner.flatten(), square.flatten()) / inner.norm() ** 2
    assert (square - scale * inner).norm() / square.norm() < 0.02
    assert wide[:, :20].abs().max() < 0.05


@pytest.mark.parametrize("seed", range(30))
def test_air_is_dark_and_surrounds_the_head(seed: int) -> None:
    """The neck alone may leave the field of view, at the lower edge."""
    magnitude = head_phantom(seed, 64).abs()
    magnitude = magnitude / magnitude.quantile(0.99)
    edges = torch.cat([magnitude[0], magnitude[:40, 0], magnitude[:40, -1]])
    assert edges.max() < 0.15
    assert edges.mean() < 0.02
    assert (magnitude < 0.02).float().mean() > 0.15


@pytest.mark.parametrize("sigma", [0.01, 0.2])
def test_noise_is_white_and_has_the_stated_deviation(sigma: float) -> None:
    clean, noisy = head_phantom(7, 128), head_phantom(7, 128, noise=sigma)
    noise = noisy - clean
    assert float(noise.real.std()) == pytest.approx(sigma, rel=0.03)
    assert float(noise.imag.std()) == pytest.approx(sigma, rel=0.03)
    assert abs(float((noise.real * noise.imag).mean())) < 0.05 * sigma**2
    spectrum = torch.fft.fft2(noise, norm="ortho").abs() ** 2
    assert float(spectrum[:32].mean() / spectrum[32:64].mean()) == pytest.approx(1, rel=0.1)
    assert float(noisy[:6].real.std()) == pytest.approx(sigma, rel=0.1)  # in air


def test_fine_structure_like_that_of_a_head() -> None:
    """Real T1, T2 and FLAIR heads of 128 x 128 have a variation of 0.38 to 0.61 and 4 to 9 % detail."""
    heads = [head_phantom(seed) for seed in range(24)]
    assert 0.4 < np.median([variation(head) for head in heads]) < 0.6
    assert 0.04 < np.median([detail(head) for head in heads]) < 0.09
    assert min(variation(head) for head in heads) > 0.25 > variation(ellipses(128))


def test_phase_is_smooth() -> None:
    for seed in SEEDS:
        image = head_phantom(seed, 96)
        step = image[:, 1:] * image[:, :-1].conj()
        bright = step.abs() > 0.05
        assert step[bright].angle().abs().median() < 0.2


@pytest.mark.parametrize("size", [0, -5, 15, (128, 8), (-1, 64)])
def test_a_size_too_small_is_refused(size: int | tuple[int, int]) -> None:
    assert_refused(lambda: head_phantom(0, size), "got size ... expected at least 16")


@pytest.mark.parametrize("noise", [-0.1, float("nan")])
def test_negative_noise_is_refused(noise: float) -> None:
    assert_refused(lambda: head_phantom(0, 32, noise=noise), "noise")


def test_ct_is_attenuation_in_parts_of_water() -> None:
    images = torch.stack([ct_phantom(seed, 64) for seed in SEEDS])
    assert images.dtype == torch.float32 and images.isfinite().all()
    assert images.min() == 0 and images.amax((1, 2)).min() > 1.5 and images.max() < 2.6
    brain = images[(images > 1.0) & (images < 1.06)]
    assert len(brain) > 0.4 * (images > 0.5).sum()
    assert torch.equal(ct_phantom(5, 64), ct_phantom(5, 64))
    assert (images[0] - images[1]).norm() > 0.1 * images[0].norm()


@pytest.mark.parametrize("seed", SEEDS[:4])
def test_the_same_ct_at_another_resolution(seed: int) -> None:
    coarse, fine = ct_phantom(seed, 64), ct_phantom(seed, 128)
    averaged = fine.reshape(64, 2, 64, 2).mean((1, 3))
    assert (coarse - averaged).norm() < 0.1 * coarse.norm()


def test_ct_of_another_size_and_of_none() -> None:
    assert ct_phantom(0, (20, 32)).shape == (20, 32)
    assert_refused(lambda: ct_phantom(0, 8), "expected at least 16 pixels a side")
    assert_refused(lambda: ct_phantom(-1, 32), "seed")
