"""Reconstruction of volumes, warnings outside the training range, and the file that is written."""

import math
from dataclasses import replace

import h5py
import pytest
import torch
from torch import Tensor

from smug.data.kspace.fastmri import read_fastmri
from smug.data.kspace.read import read, undersample
from smug.data.kspace.volume import Volume
from smug.data.phantom import head_phantom
from smug.data.scan import Scan, stacked
from smug.data.simulate import Acquisition, simulate
from smug.models.classical import CGSense, ZeroFilled
from smug.models.reconstructors import SMUG
from smug.models.smoothing import Smoothing
from smug.models.unet import UNet
from smug.physics.fourier import fft2c
from smug.physics.scale import measurement_scale
from smug.reconstruction import range_warnings, reconstruct, volume_scale, volume_warnings
from smug.training.config import Config, DataConfig
from smug.training.runs import Model

from .properties import assert_refused

SIZE = 48
ACQUISITION = Acquisition(coils=3, acceleration=3, center_fraction=0.2)


@pytest.fixture(scope="module")
def volume() -> Volume:
    """Five slices, the last of them dark; every one is undersampled otherwise."""
    brightness = torch.tensor([1.0, 0.8, 1.2, 0.9, 0.05])[:, None, None]
    images = brightness * torch.stack([head_phantom(i, SIZE) for i in range(5)])
    scan = simulate(images, ACQUISITION, range(5), [f"volume-{i:03d}" for i in range(5)])
    return Volume("volume", tuple(scan.y), scan.A.mask, SIZE, False, (SIZE, SIZE))


@pytest.fixture(scope="module")
def scan(volume) -> Scan:
    """The scan of all slices, with maps from their calibration lines."""
    return stacked([volume.scan(i) for i in range(len(volume))])


@pytest.fixture
def model(device) -> Model:
    """Random weights and much smoothing noise: every seed matters."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = UNet(4, 2)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    f = SMUG(network.eval(), Smoothing(sigma=0.1, num_samples=2), steps=2, lam=1.0)
    config = Config(data=DataConfig(size=SIZE, acquisition=ACQUISITION))
    return Model("smug-test", f, config, {}).to(device)


def close(got: Tensor, expected: Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(got, expected, rtol=0, atol=tolerance * float(expected.abs().max()))


def only(volume: Volume, index: int, name: str = "volume") -> Volume:
    """The volume of one slice."""
    return replace(volume, name=name, kspace=(volume.kspace[index],), mask=volume.mask_of(index))


def scaled(volume: Volume, factor: float) -> Volume:
    return replace(volume, kspace=tuple(factor * values for values in volume.kspace))


def without(volume: Volume, *rows: int) -> Volume:
    """The volume with slices of zeros."""
    return replace(volume, kspace=tuple(values * (i not in rows) for i, values in enumerate(volume.kspace)))


def test_a_single_slice_has_its_own_scale(volume, scan):
    close(volume_scale(only(volume, 2)), measurement_scale(scan[2].y, scan[2].A))


def test_the_scale_of_a_volume_is_near_that_of_its_bright_slices(volume, scan):
    scales = measurement_scale(scan.y, scan.A).flatten()
    assert volume_scale(volume).shape == (1, 1, 1)
    assert scales[:4].min() < volume_scale(volume) < scales.max()
    close(volume_scale(volume), (scales**4).sum().div((scales**2).sum()).sqrt().reshape(1, 1, 1))


def test_all_slices_see_one_scale(volume, scan):
    seen = []

    def f(y: Tensor, A, generator) -> Tensor:
        seen.append(y)
        return A.H(y)

    result = reconstruct(f, volume, batch=2)
    close(torch.cat(seen), scan.y / volume_scale(volume)[..., None])
    close(result.images, scan.A.H(scan.y))
    assert result.target is result.rss is result.noise_std is None and result.quality == {}


def test_a_plain_callable_is_a_model(volume, scan):
    close(reconstruct(CGSense(0.01), volume).images, CGSense(0.01)(scan.y, scan.A), 1e-4)


@pytest.mark.parametrize("batch", [2, 3, 8])
def test_the_result_does_not_depend_on_the_batch(volume, model, device, batch):
    options = {"device": device, "noise_sigma": 0.01, "replicas": 2}
    expected = reconstruct(model, volume, batch=1, **options)
    result = reconstruct(model, volume, batch=batch, **options)
    close(result.images, expected.images)
    close(result.noise_std, expected.noise_std, 1e-3)


def test_noise_is_seeded_by_name_and_seed(volume, model, device):
    one = only(volume, 0)
    first = reconstruct(model, one, device=device).images
    assert torch.equal(first, reconstruct(model, one, device=device).images)
    other_seed = reconstruct(model, one, seed=1, device=device).images
    other_name = reconstruct(model, only(volume, 0, "another"), device=device).images
    for other in (other_seed, other_name):
        assert (first - other).abs().max() > 1e-3 * first.abs().max()


@pytest.mark.parametrize("unit", [1e-30, 1e-6, 1e20])
def test_images_have_the_units_of_the_measurements(volume, model, device, unit):
    expected = reconstruct(model, volume, device=device).images
    close(reconstruct(model, scaled(volume, unit), device=device).images / unit, expected, 1e-4)


def test_a_slice_without_signal_is_zero(volume, model, device):
    images = reconstruct(model, without(volume, 1), batch=3, device=device).images
    assert not images[1].any()
    assert images[[0, 2, 3, 4]].flatten(1).abs().amax(1).min() > 0
    assert_refused(lambda: reconstruct(model, without(volume, *range(5)), device=device), "zeros in all slices")


def test_what_is_certified_is_of_the_part_that_is_kept(volume):
    one = replace(volume, kspace=volume.kspace[:1], mask=volume.mask[:1])
    whole, part = (reconstruct(CGSense(0.1), replace(one, crop=(size, size))) for size in (SIZE, SIZE // 2))
    norms = [torch.linalg.vector_norm(result.images) for result in (whole, part)]
    assert part.certified.value == pytest.approx(whole.certified.value * float(norms[0] / norms[1]), rel=1e-5)
    assert part.certified.value > 1.05 * whole.certified.value


def test_progress(volume):
    done: list[int] = []
    reconstruct(ZeroFilled(), volume, batch=2, advance=done.append)
    assert done == [2, 2, 1]
    assert_refused(lambda: reconstruct(ZeroFilled(), volume, batch=0), "batch")


def test_models_that_fail_are_refused(volume):
    assert_refused(lambda: reconstruct(lambda y, A, generator: y, volume), "expected images")

    def nan_at_third(y: Tensor, A, generator) -> Tensor:
        image = A.H(y)
        image[2, 0, 0] = math.nan
        return image

    assert_refused(lambda: reconstruct(nan_at_third, volume, batch=5), "finite image of slice volume-002")


def test_a_name_and_a_file_do_for_model_and_volume(tmp_path):
    full = simulate(head_phantom(1, SIZE)[None], replace(ACQUISITION, acceleration=1.0, center_fraction=0.0, noise=0.0))
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["kspace"] = full.y.numpy()
    volume = undersample(read(tmp_path / "scan.h5"), 3, seed=4)
    expected = reconstruct(CGSense(), volume, seed=4)
    found = reconstruct("cg-sense", tmp_path / "scan.h5", undersample=3, seed=4)
    assert torch.equal(found.images, expected.images)
    assert found.quality == expected.quality
    assert_refused(lambda: reconstruct("tv", full), "volume: expected a Volume or...text or a Path, got Scan")
    assert_refused(lambda: reconstruct("tv", volume, centre="peak"), "centre: would change nothing")
    with h5py.File(tmp_path / "corner.h5", "w") as file:
        file["kspace"] = torch.fft.ifftshift(full.y, dim=(-2, -1)).numpy()
    assert_refused(lambda: reconstruct("cg-sense", tmp_path / "corner.h5"), "centre")
    with pytest.warns(UserWarning, match="moved to the centre"):
        moved = reconstruct("cg-sense", tmp_path / "corner.h5", centre="peak", undersample=3, seed=4)
    assert torch.linalg.vector_norm(moved.images.abs() - found.images.abs()) < 0.2 * found.images.norm()
    with pytest.raises(FileNotFoundError):
        reconstruct("tv", tmp_path / "none.h5")


def test_what_is_doubtful_in_a_file_is_told_by_whoever_reads_it(tmp_path, volume):
    path, told = tmp_path / "brain.h5", []
    with h5py.File(path, "w") as file:
        file["kspace"] = torch.stack([*volume.kspace]).roll(7, -2).numpy()
    reconstruct("zero-filled", path, centre="peak", undersample=4, warn=told.append)
    moved, again = told
    assert "moved to the centre" in moved and "was undersampled already" in again
    told.clear()
    reconstruct(ZeroFilled(), read(path, centre="peak"), warn=told.append)
    assert told == []


def test_no_gradient_is_kept(volume, model, device):
    assert not reconstruct(model, only(volume, 0), device=device).images.requires_grad


def test_references_of_the_full_scan_are_cropped_with_the_images(volume, scan):
    kspace = tuple(scan.A.maps * image for image in scan.A.H(scan.y))  # any full k-space will do
    full = replace(volume, kspace=tuple(map(fft2c, kspace[0])), mask=volume.mask[:1], fully_sampled=True, crop=(40, 36))
    result = reconstruct(CGSense(0.01), full, batch=2)
    assert result.images.shape == result.target.shape == result.rss.shape == (5, 40, 36)
    close(result.rss, full.cropped(torch.linalg.vector_norm(kspace[0], dim=1)))
    assert set(result.quality) == {"psnr", "psnr_complex", "ssim", "psnr_rss", "ssim_rss", "nmse_rss"}


def test_maps_may_be_estimated_otherwise(volume, scan):
    def none(y: Tensor, mask: Tensor) -> Tensor:
        return torch.zeros_like(y)

    assert not reconstruct(ZeroFilled(), volume, maps=none).images.any()


def test_the_noise_map_of_a_linear_method_is_the_analytic_one(volume):
    """With P = (A^H A + lam)^-1 the covariance of P A^H n is sigma^2 P A^H A P = sigma^2 (P - lam P^2)."""
    one, lam, sigma = only(volume, 0), 0.1, 0.02
    A = one.scan(0).A
    rows = [A.factor(lam).solve(unit[None]) for unit in torch.eye(SIZE, dtype=torch.complex64)[:, None]]
    P = torch.stack(rows)[:, 0]  # line masks: one matrix per row of the image, the same image column by column
    assert P.shape == (SIZE, SIZE, SIZE)
    column = P.permute(1, 2, 0)
    variance = (column - lam * column @ column).diagonal(dim1=-2, dim2=-1).real
    measured = reconstruct(CGSense(lam), one, noise_sigma=sigma, replicas=200).noise_std[0]
    inside = A.maps[0].any(0)
    assert not measured[~inside].any()
    ratio = measured[inside] / (sigma * variance[inside].sqrt())
    assert ratio.mean() == pytest.approx(1, abs=0.01)
    assert ratio.std() == pytest.approx(1 / math.sqrt(4 * 200), rel=0.3)


def test_no_warning_inside_the_training_range(scan, model):
    assert range_warnings(model, scan.y.shape, scan.A.mask) == []
    assert range_warnings(model, scan.y.shape, scan.A.mask, acceleration=3.29) == []


def test_warnings_of_a_measured_volume(volume, model):
    assert volume_warnings(CGSense(), volume) == []
    anatomy, maps = volume_warnings(model, volume)
    assert anatomy == "anatomy: got measured k-space, outside the training range of the weights (drawn phantoms only)."
    assert maps.startswith("coil maps: got measured k-space, whose maps are estimated")
    estimated = replace(model.config.data.acquisition, maps="espirit")
    heads = replace(model.config, data=replace(model.config.data, sources=("heads",), acquisition=estimated))
    model = replace(model, config=heads)
    assert volume_warnings(model, volume) == []
    scale = float(volume_scale(volume))
    assert volume_warnings(model, replace(volume, noise_sigma=0.015 * scale)) == []
    [noise] = volume_warnings(model, replace(volume, noise_sigma=0.03 * scale))
    assert noise.startswith("noise: got 0.03 of the image's maximum")
    padded = tuple(torch.nn.functional.pad(y, (8, 8)) for y in volume.kspace)
    wider = replace(volume, kspace=padded, mask=torch.nn.functional.pad(volume.mask, (8, 8)))
    [matrix] = volume_warnings(model, wider)  # zero padding counts neither for the rate nor for the calibration lines
    assert matrix.startswith("matrix size: got 48 x 64")


def test_a_model_without_weights_has_no_range(scan):
    assert range_warnings(CGSense(), scan.y.shape, scan.A.mask, acceleration=100) == []


@pytest.mark.parametrize(
    ("changes", "data", "words"),
    [
        ({"coils": 8}, {}, ["number of coils", "3", "8"]),
        ({"acceleration": 4.0}, {}, ["acceleration", "3.00", "4.00"]),
        ({"mask": "poisson"}, {}, ["sampling", "lines", "points (a 2-D mask)"]),
        ({}, {"size": 64}, ["matrix size", "48 x 48", "64 x 64"]),
    ],
)
def test_one_warning_for_each_value_outside(scan, model, changes, data, words):
    trained = replace(model.config.data, acquisition=replace(ACQUISITION, **changes), **data)
    warnings = range_warnings(replace(model, config=replace(model.config, data=trained)), scan.y.shape, scan.A.mask)
    assert len(warnings) == 1
    assert all(word in warnings[0] for word in words)


@pytest.mark.parametrize("seed", range(2))
def test_cg_sense_of_measured_k_space(data_root, seed):
    volume = read_fastmri(data_root / "multicoil_kspace" / "brain_mprage_4ch.h5")
    less = undersample(volume, 3, seed=seed)
    quality = reconstruct(CGSense(0.01), less).quality
    assert quality["psnr_complex"] > 28.5
    assert quality["psnr"] > 30.5
    assert quality["psnr_complex"] > reconstruct(ZeroFilled(), less).quality["psnr_complex"] + 3


def test_measured_k_space_without_a_reference(data_root):
    volume = read_fastmri(data_root / "multicoil_kspace" / "brain_8ch_undersampled_R8.h5")
    image = reconstruct(CGSense(0.01), volume).images.abs()[0]
    head, corner = image[60:170, 50:130], image[:15, :15]
    assert head.median() > 5 * corner.median()


def test_measured_single_coil_k_space(data_root):
    volume = read_fastmri(data_root / "multicoil_kspace" / "brain_t1_sag_1ch.h5")
    assert reconstruct(CGSense(1e-4), volume).quality["psnr_complex"] > 50
