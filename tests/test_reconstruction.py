"""Reconstruction of volumes, warnings outside the training range, and the file that is written."""

import json
import math
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor

import smug
from smug.data.kspace import read_kspace, scan_from_kspace, undersample
from smug.data.phantom import head_phantom
from smug.data.scan import Scan
from smug.data.simulate import Acquisition, simulate
from smug.evaluation.metrics import psnr
from smug.models.classical import CGSense, ZeroFilled
from smug.models.reconstructors import SMUG
from smug.models.smoothing import Smoothing
from smug.models.unet import UNet
from smug.physics.scale import measurement_scale
from smug.reconstruction import range_warnings, reconstruct, volume_scale, write_reconstruction
from smug.training.config import Config, DataConfig
from smug.training.runs import Model

SIZE = 48
ACQUISITION = Acquisition(coils=3, acceleration=3, center_fraction=0.2)


@pytest.fixture(scope="module")
def scan() -> Scan:
    """Five slices, the last of them dark."""
    brightness = torch.tensor([1.0, 0.8, 1.2, 0.9, 0.05])[:, None, None]
    images = brightness * torch.stack([head_phantom(i, SIZE) for i in range(5)])
    return simulate(images, ACQUISITION, range(5), [f"volume-{i:03d}" for i in range(5)])


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


def scaled(scan: Scan, factor: float) -> Scan:
    return replace(scan, y=factor * scan.y, target=None)


def test_a_single_slice_has_its_own_scale(scan):
    close(volume_scale(scan[2]), measurement_scale(scan[2].y, scan[2].A))


def test_the_scale_of_a_volume_is_near_that_of_its_bright_slices(scan):
    scales = measurement_scale(scan.y, scan.A).flatten()
    assert volume_scale(scan).shape == (1, 1, 1)
    assert scales[:4].min() < volume_scale(scan) < scales.max()
    close(volume_scale(scan), (scales**4).sum().div((scales**2).sum()).sqrt().reshape(1, 1, 1))


def test_all_slices_see_one_scale(scan):
    seen = []

    def f(y: Tensor, A, generator) -> Tensor:
        seen.append(y)
        return A.H(y)

    images = reconstruct(f, scan, batch=2)
    close(torch.cat(seen), scan.y / volume_scale(scan)[..., None])
    close(images, scan.A.H(scan.y))


def test_a_plain_callable_is_a_model(scan):
    close(reconstruct(CGSense(0.01), scan), CGSense(0.01)(scan.y, scan.A), 1e-4)


@pytest.mark.parametrize("batch", [2, 3, 8])
def test_the_result_does_not_depend_on_the_batch(scan, model, device, batch):
    expected = reconstruct(model, scan, batch=1, device=device)
    close(reconstruct(model, scan, batch=batch, device=device), expected)


def test_noise_is_seeded_by_name_and_seed(scan, model, device):
    one = scan[0]
    first = reconstruct(model, one, device=device)
    assert torch.equal(first, reconstruct(model, one, device=device))
    other_seed = reconstruct(model, one, seed=1, device=device)
    other_name = reconstruct(model, replace(one, id=("another",)), device=device)
    for other in (other_seed, other_name):
        assert (first - other).abs().max() > 1e-3 * first.abs().max()


@pytest.mark.parametrize("unit", [1e-30, 1e-6, 1e20])
def test_images_have_the_units_of_the_measurements(scan, model, device, unit):
    expected = reconstruct(model, scan, device=device)
    close(reconstruct(model, scaled(scan, unit), device=device) / unit, expected, 1e-4)


def test_a_slice_without_signal_is_zero(scan, model, device):
    y = scan.y.clone()
    y[1] = 0
    dark = replace(scan, y=y)
    images = reconstruct(model, dark, batch=3, device=device)
    assert not images[1].any()
    assert images[[0, 2, 3, 4]].flatten(1).abs().amax(1).min() > 0
    with pytest.raises(ValueError, match="zeros in all slices"):
        reconstruct(model, replace(scan, y=torch.zeros_like(y)), device=device)


def test_progress(scan):
    done: list[int] = []
    reconstruct(ZeroFilled(), scan, batch=2, advance=done.append)
    assert done == [2, 2, 1]
    with pytest.raises(ValueError, match="batch"):
        reconstruct(ZeroFilled(), scan, batch=0)


def test_models_that_fail_are_refused(scan):
    with pytest.raises(ValueError, match="expected images"):
        reconstruct(lambda y, A, generator: y, scan)

    def nan_at_third(y: Tensor, A, generator) -> Tensor:
        image = A.H(y)
        image[2, 0, 0] = math.nan
        return image

    with pytest.raises(ValueError, match="finite image of slice volume-002"):
        reconstruct(nan_at_third, scan, batch=5)


def test_no_gradient_is_kept(scan, model, device):
    assert not reconstruct(model, scan[0], device=device).requires_grad


def test_no_warning_inside_the_training_range(scan, model):
    assert range_warnings(model, scan) == []
    assert range_warnings(model, scan, acceleration=3.29) == []


def test_a_model_without_weights_has_no_range(scan):
    assert range_warnings(CGSense(), scan, acceleration=100) == []


@pytest.mark.parametrize(
    ("changes", "data", "words"),
    [
        ({"coils": 8}, {}, ["number of coils", "3", "8"]),
        ({"acceleration": 4.0}, {}, ["acceleration", "3.00", "4.00"]),
        ({"mask": "poisson"}, {}, ["sampling", "line mask", "2-D mask"]),
        ({}, {"size": 64}, ["matrix size", "48 x 48", "64 x 64"]),
    ],
)
def test_one_warning_for_each_value_outside(scan, model, changes, data, words):
    trained = replace(model.config.data, acquisition=replace(ACQUISITION, **changes), **data)
    warnings = range_warnings(replace(model, config=replace(model.config, data=trained)), scan)
    assert len(warnings) == 1
    assert all(word in warnings[0] for word in words)


METADATA = {"model": "cg-sense", "input": "a.h5", "acceleration": 4.0, "settings": {"lam": 0.01, "seed": 0}}


def test_the_file(scan, tmp_path):
    path = tmp_path / "new" / "images.h5"
    images = scan.truth
    write_reconstruction(path, images, METADATA, noise_std=images.abs() / 10)
    with h5py.File(path) as file:
        assert set(file) == {"reconstruction", "noise_std"}
        assert file["reconstruction"].dtype == np.float32
        np.testing.assert_allclose(file["reconstruction"][()], images.abs().numpy(), rtol=1e-6)
        np.testing.assert_allclose(file["noise_std"][()], images.abs().numpy() / 10, rtol=1e-6)
        attributes = dict(file.attrs)
    assert json.loads(attributes.pop("settings")) == METADATA["settings"]
    assert attributes == {
        "model": "cg-sense",
        "input": "a.h5",
        "acceleration": 4.0,
        "smug_version": smug.__version__,
        "notice": "research use only, not for diagnosis",
        "units": "those of the input k-space",
        "kspace": "measured",
    }
    assert [p.name for p in path.parent.iterdir()] == ["images.h5"]


@pytest.mark.parametrize("images", [torch.zeros(4, 4), torch.zeros(1, 1, 4, 4)])
def test_images_of_another_shape_are_refused(tmp_path, images):
    with pytest.raises(ValueError, match="slices, y, x"):
        write_reconstruction(tmp_path / "images.h5", images, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("existed", [True, False])
def test_a_failure_leaves_nothing_behind(scan, tmp_path, monkeypatch, failure, existed):
    path = tmp_path / "images.h5"
    if existed:
        path.write_text("older")
    write_bytes = Path.write_bytes

    def fail(self: Path, content) -> int:
        write_bytes(self, bytes(content)[:100])
        raise failure

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(type(failure)):
        write_reconstruction(path, scan.truth, METADATA)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == ({"images.h5": "older"} if existed else {})


@pytest.mark.parametrize("seed", range(2))
def test_cg_sense_of_measured_k_space(data_root, seed):
    kspace = read_kspace(data_root / "multicoil_kspace" / "brain_mprage_4ch.h5")
    scan = scan_from_kspace(undersample(kspace, 3, seed=seed))
    image = reconstruct(CGSense(0.01), scan)
    assert psnr(image, scan.truth, "complex") > 28.5
    assert psnr(image, scan.truth, "slice") > 30.5
    assert psnr(image, scan.truth, "complex") > psnr(reconstruct(ZeroFilled(), scan), scan.truth, "complex") + 3


def test_measured_k_space_without_a_reference(data_root):
    kspace = read_kspace(data_root / "multicoil_kspace" / "brain_8ch_undersampled_R8.h5")
    image = reconstruct(CGSense(0.01), scan_from_kspace(kspace)).abs()[0]
    head, corner = image[60:170, 50:130], image[:15, :15]
    assert head.median() > 5 * corner.median()


def test_measured_single_coil_k_space(data_root):
    scan = scan_from_kspace(read_kspace(data_root / "multicoil_kspace" / "brain_t1_sag_1ch.h5"))
    assert psnr(reconstruct(CGSense(1e-4), scan), scan.truth, "complex") > 50
