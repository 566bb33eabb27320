import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import convolve
from skimage.metrics import normalized_root_mse, peak_signal_noise_ratio, structural_similarity

from smug.metrics import head_mask, hfen, nmse, psnr, ssim

from .properties import assert_refused

METRICS = [psnr, ssim, nmse]
CASES = [
    (metric, convention)
    for metric in METRICS
    for convention in ("volume", "slice", "complex")
    if (metric, convention) != (ssim, "complex")
]


def images(generator, device="cpu", dtype=torch.complex64, shape=(3, 20, 17)):
    """A volume whose slices differ in brightness, and a reconstruction off by noise and phase."""
    brightness = torch.tensor([1.0, 0.2, 3.0], device=device)[: shape[0], None, None]
    target = brightness * torch.randn(shape, generator=generator, device=device, dtype=dtype)
    noise = torch.randn(shape, generator=generator, device=device, dtype=dtype)
    return 0.9 * target + 0.1 * noise, target


def as_seen(x, convention):
    x = x.cpu().to(torch.complex128).numpy()
    return x if convention == "complex" else np.abs(x)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128, torch.float32])
def test_volume_agrees_with_scikit_image(generator, device, dtype):
    x, target = images(generator, device, dtype)
    a, t = as_seen(x, "volume"), as_seen(target, "volume")
    assert psnr(x, target, "volume").item() == pytest.approx(
        peak_signal_noise_ratio(t, a, data_range=t.max()), abs=1e-6
    )
    assert nmse(x, target, "volume").item() == pytest.approx(normalized_root_mse(t, a) ** 2, rel=1e-6)
    per_slice = [structural_similarity(ts, s, win_size=7, data_range=t.max()) for ts, s in zip(t, a, strict=True)]
    assert ssim(x, target, "volume").item() == pytest.approx(np.mean(per_slice), abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128, torch.float32])
def test_slice_agrees_with_scikit_image(generator, device, dtype):
    x, target = images(generator, device, dtype)
    got = zip(*(metric(x, target, "slice").tolist() for metric in METRICS), strict=True)
    for t, a, values in zip(as_seen(target, "slice"), as_seen(x, "slice"), got, strict=True):
        expected = (
            peak_signal_noise_ratio(t, a, data_range=t.max()),
            structural_similarity(t, a, win_size=7, data_range=t.max()),
            normalized_root_mse(t, a) ** 2,
        )
        assert values == pytest.approx(expected, abs=1e-6)


def test_complex_psnr_counts_the_phase(generator, device):
    """The authors' 10 log10(max |t|^2 / mean |x - t|^2), written out."""
    x, target = images(generator, device)
    for i, (a, t) in enumerate(zip(as_seen(x, "complex"), as_seen(target, "complex"), strict=True)):
        error = np.mean((a - t).real ** 2 + (a - t).imag ** 2)
        expected = 10 * np.log10(np.max(t.real**2 + t.imag**2) / error)
        assert psnr(x, target, "complex")[i].item() == pytest.approx(expected, abs=1e-6)
        assert nmse(x, target, "complex")[i].item() == pytest.approx(
            np.linalg.norm(a - t) ** 2 / np.linalg.norm(t) ** 2, rel=1e-6
        )
    turned = 1j * target
    assert (psnr(turned, target, "slice") > 100).all()
    assert nmse(turned, target, "complex").tolist() == pytest.approx([2, 2, 2])


@pytest.mark.parametrize(("metric", "convention"), CASES)
@given(seed=st.integers(0, 2**31), scale=st.floats(1e-3, 1e3))
def test_metrics_do_not_depend_on_a_common_scale(metric, convention, seed, scale):
    x, target = images(torch.Generator().manual_seed(seed), dtype=torch.complex128)
    torch.testing.assert_close(metric(scale * x, scale * target, convention), metric(x, target, convention))


@pytest.mark.parametrize(("metric", "convention"), CASES)
def test_shapes_and_precision(generator, device, metric, convention):
    x, target = images(generator, device)
    value = metric(x, target, convention)
    assert value.shape == (() if convention == "volume" else (3,))
    assert value.dtype == torch.float64
    assert value.device.type == device.type
    if convention != "volume":
        each = [metric(x[i : i + 1], target[i : i + 1], convention) for i in range(3)]
        torch.testing.assert_close(value, torch.cat(each))


def test_a_volume_of_one_slice_is_that_slice(generator):
    x, target = images(generator, shape=(1, 20, 17))
    for metric in METRICS:
        torch.testing.assert_close(metric(x, target, "volume"), metric(x, target, "slice")[0])


@pytest.mark.parametrize("metric", METRICS)
def test_slice_is_the_default(generator, metric):
    x, target = images(generator)
    assert torch.equal(metric(x, target), metric(x, target, "slice"))


def test_equal_images(generator):
    _, target = images(generator)
    assert psnr(target, target).tolist() == [math.inf] * 3
    assert nmse(target, target).tolist() == [0] * 3
    assert ssim(target, target).tolist() == pytest.approx([1] * 3)


@pytest.mark.parametrize(("metric", "convention"), CASES)
def test_nan_stays_visible_and_in_its_slice(generator, device, metric, convention):
    x, target = images(generator, device)
    x[1, 4, 4] = math.nan
    got = metric(x, target, convention).isnan().tolist()
    assert got == (True if convention == "volume" else [False, True, False])


@pytest.mark.parametrize(("metric", "convention"), CASES)
def test_refuses_a_target_of_zeros(generator, metric, convention):
    x, target = images(generator)
    target[1] = 0
    if convention == "volume":  # one empty slice is part of a volume
        assert metric(x, target, convention).isfinite()
        target[:] = 0
    assert_refused(lambda: metric(x, target, convention), "zero everywhere")


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("shape", [(3, 20, 16), (1, 20, 17), (20, 17)])
def test_refuses_other_shapes(generator, metric, shape):
    _, target = images(generator)
    assert_refused(lambda: metric(torch.ones(shape), target), "expected equal (batch, y, x)")


@pytest.mark.parametrize("metric", METRICS)
def test_refuses_an_unknown_convention(generator, metric):
    x, target = images(generator)
    assert_refused(lambda: metric(x, target, "magnitude"), "expected one of volume, slice, complex")


def test_ssim_refuses_complex_and_images_below_its_window(generator):
    x, target = images(generator)
    assert_refused(lambda: ssim(x, target, "complex"), "not defined")
    assert_refused(lambda: ssim(x[:, :6], target[:, :6]), "7 x 7")


def laplacian_of_gaussian() -> np.ndarray:
    """The filter of MATLAB's fspecial("log", 15, 1.5), which HFEN was introduced with."""
    y, x = np.mgrid[-7:8, -7:8].astype(float)
    gaussian = np.exp(-(x**2 + y**2) / (2 * 1.5**2))
    kernel = gaussian / gaussian.sum() * (x**2 + y**2 - 2 * 1.5**2) / 1.5**4
    return kernel - kernel.sum() / kernel.size


def test_hfen_agrees_with_scipy(generator, device):
    x, target = (torch.randn(2, 24, 20, generator=generator, dtype=torch.complex64, device=device) for _ in range(2))
    edges = [
        [convolve(image.abs().double().cpu().numpy(), laplacian_of_gaussian(), mode="constant") for image in images]
        for images in (x, target)
    ]
    expected = [np.linalg.norm(a - t) / np.linalg.norm(t) for a, t in zip(*edges, strict=True)]
    assert hfen(x, target).tolist() == pytest.approx(expected, rel=1e-6)


def test_hfen_sees_blur(generator, device):
    target = torch.rand(1, 32, 32, generator=generator, device=device)
    blurred = torch.nn.functional.avg_pool2d(target, 3, stride=1, padding=1)
    assert float(hfen(blurred, target)) > 0.3
    assert float(hfen(target, target)) == 0


def test_real_images_are_magnitudes(device):
    target = torch.randn(2, 9, 8, dtype=torch.complex64, generator=torch.Generator().manual_seed(0)).to(device)
    x = target.abs() + 0.1
    phase = torch.polar(x, target.angle())
    for metric in (psnr, ssim, nmse):
        for convention in ("slice", "volume"):
            assert torch.equal(metric(x, target, convention), metric(x + 0j, target, convention))
            torch.testing.assert_close(metric(x, target, convention), metric(phase, target, convention))
    for metric in (psnr, nmse):
        assert metric(x, target, "complex").isnan().all()  # no phase to compare
        assert torch.equal(metric(x, target.abs(), "complex"), metric(x, target.abs(), "slice"))


def regions(target: torch.Tensor) -> torch.Tensor:
    """A region per slice that touches two edges of the image, and is no rectangle."""
    inside = torch.zeros(target.shape, dtype=torch.bool, device=target.device)
    for i, region in enumerate(inside):
        region[i : 14 + i, 2:] = True
        region[5, 5:9] = False
    return inside


@pytest.mark.parametrize("convention", ["volume", "slice"])
def test_metrics_inside_a_region_agree_with_scikit_image(generator, device, convention):
    x, target = images(generator, device)
    inside = regions(target)
    a, t, m = as_seen(x, convention), as_seen(target, convention), inside.cpu().numpy()
    peaks = [t[m].max()] * 3 if convention == "volume" else [s[k].max() for s, k in zip(t, m, strict=True)]
    # the map is that of the whole image: a window may reach beyond the region, but not beyond the image
    similar = [
        structural_similarity(ts, xs, win_size=7, data_range=peak, full=True)[1][3:-3, 3:-3][k[3:-3, 3:-3]]
        for ts, xs, peak, k in zip(t, a, peaks, m, strict=True)
    ]
    if convention == "volume":
        assert ssim(x, target, "volume", region=inside).item() == pytest.approx(
            np.concatenate(similar).mean(), abs=1e-6
        )
        expected = peak_signal_noise_ratio(t[m], a[m], data_range=peaks[0])
        assert psnr(x, target, "volume", region=inside).item() == pytest.approx(expected, abs=1e-6)
        return
    assert ssim(x, target, region=inside).tolist() == pytest.approx([s.mean() for s in similar], abs=1e-6)
    expected = [
        peak_signal_noise_ratio(ts[k], xs[k], data_range=peak) for ts, xs, peak, k in zip(t, a, peaks, m, strict=True)
    ]
    assert psnr(x, target, region=inside).tolist() == pytest.approx(expected, abs=1e-6)


def test_all_of_the_image_is_a_region_too(generator):
    x, target = images(generator)
    for metric, convention in (case for case in CASES if case[0] is not nmse):
        everything = torch.ones(target.shape, dtype=torch.bool)
        torch.testing.assert_close(metric(x, target, convention, region=everything), metric(x, target, convention))


def test_what_is_outside_a_region_does_not_count(generator):
    x, target = images(generator)
    inside = regions(target)
    wild = torch.where(inside, x, torch.nan)
    torch.testing.assert_close(psnr(wild, target, region=inside), psnr(x, target, region=inside))
    far = torch.zeros_like(inside)
    far[:, 4:8, 4:8] = True  # windows reach to row and column 10
    wild = x.clone()
    wild[:, 12:], wild[:, :, 12:] = torch.nan, torch.inf
    torch.testing.assert_close(ssim(wild, target, region=far), ssim(x, target, region=far))


def test_nothing_in_a_region_is_nan(generator):
    x, target = images(generator)
    nothing = torch.zeros(target.shape, dtype=torch.bool)
    assert psnr(x, target, region=nothing).isnan().all()
    assert ssim(x, target, region=nothing).isnan().all()
    target[:, :10] = 0
    nothing[:, :10] = True
    assert psnr(x, target, region=nothing).isnan().all()


@pytest.mark.parametrize("wrong", [torch.ones(3, 20, 17), torch.ones(20, 17, dtype=torch.bool)])
def test_a_region_is_boolean_and_like_the_images(generator, wrong):
    x, target = images(generator)
    for metric in (psnr, ssim):
        assert_refused(lambda: metric(x, target, region=wrong), "got a region ... expected torch.bool (3, 20, 17)")


def ellipse(size: int, radii: tuple[float, float]) -> torch.Tensor:
    r = torch.linspace(-1, 1, size, dtype=torch.float64)
    return (r[:, None] / radii[0]) ** 2 + (r / radii[1]) ** 2 <= 1


def overlap(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.03])
@pytest.mark.parametrize("size", [32, 128, 256])
def test_head_mask_finds_the_head(generator, size, noise):
    """Bright fat around a dark brain with darker fluid, a bright speck in the air, and noise everywhere."""
    head = ellipse(size, (0.8, 0.6))
    image = torch.where(head, 1.0, 0.0).to(torch.float64)
    image[ellipse(size, (0.7, 0.5))] = 0.25  # brain: a quarter of the fat
    image[ellipse(size, (0.3, 0.1))] = 0.0  # fluid
    image[0, 0] = 1.0
    real, imaginary = torch.randn(2, size, size, generator=generator, dtype=torch.float64)
    image = 7e-6 * torch.complex(image + noise * real, noise * imaginary)
    assert overlap(head_mask(image[None])[0], head) > (0.9 if size == 32 else 0.97)


def test_head_mask_of_the_phantom_needs_no_noise_free_image():
    from smug.data.phantom import head_phantom

    clean, noisy = (torch.stack([head_phantom(seed, noise=noise) for seed in range(6)]) for noise in (0.0, 0.02))
    assert all(overlap(a, b) > 0.97 for a, b in zip(head_mask(clean), head_mask(noisy), strict=True))
    outside = torch.where(head_mask(clean), 0, clean.abs()) / clean.abs().amax((-2, -1), keepdim=True)
    assert outside.square().sum() < 1e-3 * clean.abs().square().sum()


def test_head_mask_does_not_depend_on_scale_and_batch(generator):
    from smug.data.phantom import head_phantom

    target = torch.stack([head_phantom(seed, 64) for seed in range(3)])
    every = head_mask(target)
    assert torch.equal(head_mask(1e-6 * target), every)
    assert all(torch.equal(head_mask(image[None])[0], mask) for image, mask in zip(target, every, strict=True))
    assert head_mask(torch.ones(2, 16, 16)).all()  # no air: all is head
    assert_refused(lambda: head_mask(target[0]), "expected (batch, y, x)")
