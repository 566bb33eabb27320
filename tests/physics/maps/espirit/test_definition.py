"""Maps against the definition, and what they are computed from."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from smug.metrics import psnr
from smug.models.classical import CGSense
from smug.physics.fourier import fft2c, ifft2c
from smug.physics.maps import eigenvectors as module
from smug.physics.maps.calibration import maps_from_calibration
from smug.physics.maps.eigenvectors import Espirit, espirit
from smug.physics.maps.simulated import simulated_maps
from smug.physics.masks import calibration_region, poisson_disc, random_lines
from smug.physics.sense import Sense

from .conftest import KEEP, agreement, central, largest_step, object_of, power, simulated


@pytest.mark.parametrize("shape", [(3, 20, 17), (2, 9, 8), (1, 8, 15), (12, 16, 16)])
def test_maps_are_the_eigenvectors_of_the_definition(shape, device, generator):
    """``a^H H(r) a`` is the energy of the patch of a plane wave of coil vector a within the space of the signal."""
    k, threshold = 3, 0.05
    noise = torch.randn(1, *shape, dtype=torch.complex128, generator=generator, device=device)
    coils, height, width = shape
    maps = simulated_maps(coils, height, width, seed=0).to(device)
    kspace = fft2c(maps * torch.rand(height, width, generator=generator, device=device)) + 0.2 * noise
    mask = central(width, 8, device)
    result = espirit(kspace, mask, Espirit(kernel=k, calibration=8, threshold=threshold, crop=0))

    y0, x0 = height // 2 - 4, width // 2 - 4
    data = kspace[0, :, y0 : y0 + 8, x0 : x0 + 8].cpu().numpy()
    patches = [data[:, i : i + k, j : j + k].ravel() for i in range(8 - k + 1) for j in range(8 - k + 1)]
    left, values, _ = np.linalg.svd(np.array(patches).T, full_matrices=False)
    signal = left[:, values**2 > threshold * values[0] ** 2]
    assert 0 < signal.shape[1] < coils * k * k or coils == 1
    for y, x in [(0, 0), (height // 2, width // 2), (2, width - 1), (height - 1, 3)]:
        along_y, along_x = (np.exp(-2j * np.pi * np.arange(k) * (r - n // 2) / n) for r, n in ((y, height), (x, width)))
        waves = np.kron(np.eye(coils), np.outer(along_y, along_x).reshape(-1, 1))
        _, gains, vectors = np.linalg.svd(signal.conj().T @ waves)
        assert float(result.eigenvalues[0, y, x]) == pytest.approx(gains[0] ** 2 / k**2, rel=1e-3)
        overlap = np.abs(vectors[0] @ result.maps[0, :, y, x].cpu().numpy())
        gap = 1 - (gains[1] / gains[0]) ** 2 if coils > 1 else 1
        assert gap < 0.2 or overlap > 0.999


def test_maps_are_the_true_ones_and_the_eigenvalue_is_one_inside(head, device):
    kspace, truth = (value.to(device) for value in head)
    inside = object_of(kspace)
    result = espirit(kspace, central(96, 24, device), KEEP)
    assert result.kernels == ((6, 6),)
    assert agreement(result.maps, truth)[inside].mean() > 0.9995
    assert result.eigenvalues[inside].min() > 0.97
    assert result.eigenvalues.max() < 1 + 1e-4
    assert result.eigenvalues.min() < 0.5


@settings(max_examples=25)
@given(
    coils=st.integers(1, 5),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    lines=st.integers(1, 40),
    seed=st.integers(0, 9),
    crop=st.sampled_from([0, 0.5, 0.9]),
)
def test_any_shape(coils, height, width, lines, seed, crop):
    """Odd, short and oblong matrices: maps have length 1 where the eigenvalue is above the threshold, else 0."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(height, width, dtype=torch.complex64, generator=generator)
    kspace = fft2c(simulated_maps(coils, height, width, seed=seed) * image)
    mask = central(width, min(lines, width))
    if lines < min(4, width):
        with pytest.raises(ValueError, match=f"got {lines} fully sampled central lines along x"):
            espirit(kspace, mask)
        return
    result = espirit(kspace, mask, Espirit(crop=crop))
    kept = (result.eigenvalues > crop).float()
    torch.testing.assert_close(power(result.maps), kept, atol=1e-5, rtol=0)
    assert result.eigenvalues.shape == (1, height, width)
    assert result.eigenvalues.max() < 1 + 1e-4
    assert all(1 <= k <= min(6, n) for k, n in zip(result.kernels[0], (height, width), strict=True))
    Sense(mask, result.maps)


@pytest.mark.parametrize(("lines", "kernel"), [(4, 2), (5, 2), (8, 4), (11, 5), (12, 6), (24, 6), (96, 6)])
def test_kernel_takes_up_half_of_few_lines(head, device, lines, kernel):
    kspace, truth = (value.to(device) for value in head)
    mask = central(96, lines, device)
    result = espirit(kspace * mask[:, None, None], mask, KEEP)
    assert result.kernels == ((6, kernel),)
    inside = object_of(kspace)
    assert agreement(result.maps, truth)[inside].mean() > 0.98
    assert (result.eigenvalues[inside] > 0.8).float().mean() > 0.99


@pytest.mark.parametrize("lines", [6, 10, 20])
def test_measured_coil_images_lie_nearer_to_the_maps_than_to_low_resolution_ones(brain, lines):
    mask = central(256, lines)
    inside = object_of(brain)[:, None]
    images = ifft2c(brain) * inside

    def residual(maps):
        return float((images - maps * (maps.conj() * images).sum(1, keepdim=True)).abs().square().sum())

    assert residual(espirit(brain, mask).maps) < 0.9 * residual(maps_from_calibration(brain, mask))


def test_measured_data_are_reconstructed_better_where_maps_end_with_the_object(brain):
    mask = random_lines(256, 4, 0.04, seed=0)
    kspace = brain * mask[:, None, None]
    target = power(ifft2c(brain)).sqrt()

    def quality(maps):
        return float(psnr(CGSense()(kspace, Sense(mask, maps)), target))

    assert quality(espirit(kspace, mask).maps) > quality(maps_from_calibration(kspace, mask)) + 1.5


def test_a_square_of_points(head, device):
    kspace, truth = (value.to(device) for value in head)
    mask = poisson_disc(96, 96, 4, 16, seed=0).to(device)
    result = espirit(kspace * mask[:, None], mask)
    assert agreement(result.maps, truth)[object_of(kspace)].nanmean() > 0.999


def test_only_the_calibration_region_matters(head, device):
    kspace = head[0].to(device)
    mask = random_lines(96, 3, 0.2, seed=0).to(device)
    region = calibration_region(mask)[1]
    other = torch.zeros_like(kspace)
    other[:, :, 36:60, region] = kspace[:, :, 36:60, region]
    a, b = espirit(kspace, mask), espirit(other, mask)
    assert torch.equal(a.maps, b.maps)
    assert torch.equal(a.eigenvalues, b.eigenvalues)


def test_every_slice_is_on_its_own(head, device):
    kspace = torch.cat([head[0], 1e3 * head[0].flip(-1), 0 * head[0]]).to(device)
    masks = torch.cat([central(96, 24), central(96, 9), central(96, 12)]).to(device)
    batch = espirit(kspace, masks)
    for i in range(3):
        alone = espirit(kspace[i : i + 1], masks[i : i + 1])
        assert torch.equal(batch.maps[i], alone.maps[0])
        assert torch.equal(batch.eigenvalues[i], alone.eigenvalues[0])
        assert batch.kernels[i] == alone.kernels[0]
    common = espirit(kspace, masks[:1])
    assert torch.equal(common.maps[0], batch.maps[0])


def test_chunks_do_not_show(head, device, monkeypatch):
    kspace, mask = head[0].to(device), central(96, 24, device)
    whole = espirit(kspace, mask, KEEP)
    inside = object_of(kspace)[0]
    for size in (1, 5 * 96 * 16 * 8):  # of one row or less, and of five
        monkeypatch.setattr(module, "CHUNK_BYTES", size)
        rows = espirit(kspace, mask, KEEP)
        torch.testing.assert_close(rows.eigenvalues, whole.eigenvalues, atol=1e-4, rtol=0)
        torch.testing.assert_close(rows.maps[:, :, inside], whole.maps[:, :, inside], atol=1e-4, rtol=0)


def test_iterations_have_converged_inside(device, monkeypatch):
    """Also where the coarse grid has fewer pixels than the image."""
    kspace = simulated(size=(130, 200))[0].to(device)
    result = espirit(kspace, central(200, 24, device), KEEP)
    monkeypatch.setattr(module, "COARSE_ITERATIONS", 200)
    monkeypatch.setattr(module, "FINE_ITERATIONS", 50)
    more = espirit(kspace, central(200, 24, device), KEEP)
    inside = object_of(kspace)
    torch.testing.assert_close(result.eigenvalues[inside], more.eigenvalues[inside], atol=1e-4, rtol=0)
    assert agreement(result.maps, more.maps)[inside].min() > 1 - 1e-4


# Phase


@pytest.mark.parametrize("seed", range(3))
def test_phase_is_smooth_and_near_that_of_the_image(seed, device):
    kspace = simulated(coils=8, seed=seed, profile_width=0.5)[0].to(device)
    inside = object_of(kspace)
    maps = espirit(kspace, central(96, 24, device), KEEP).maps
    assert largest_step(maps)[inside].max() < 0.3
    image = (maps.conj() * ifft2c(kspace)).sum(1)
    assert (image[inside] / image.abs()[inside]).real.mean() > 0.9


def test_phase_has_no_poles_in_a_measured_brain(brain):
    """The phase relative to the strongest virtual coil, that of BART, has some."""
    maps = espirit(brain, central(256, 24), KEEP).maps
    inside = object_of(brain)
    assert largest_step(maps)[inside].max() < 0.1
    data = brain[0, :, 116:140, 116:140].flatten(1)
    virtual = torch.linalg.eigh(data @ data.mH).eigenvectors[:, -1]
    reference = torch.einsum("bcyx,c->byx", maps.conj(), virtual)
    relative = maps * (reference / reference.abs())[:, None]
    assert largest_step(relative)[inside].max() > 0.5


def test_maps_take_over_the_phase_of_the_data(head, device):
    kspace, mask = head[0].to(device), central(96, 24, device)
    maps, turned = espirit(kspace, mask).maps, espirit(1j * kspace, mask).maps
    torch.testing.assert_close(turned, 1j * maps, atol=1e-3, rtol=0)
