"""Volumes: the scans of their slices, masks, crops, names."""

from dataclasses import replace

import pytest
import torch

from smug.data.kspace import volume as volume_module
from smug.data.kspace.read import undersample
from smug.data.kspace.volume import Volume, slice_name
from smug.data.phantom import head_phantom
from smug.data.scan import stacked
from smug.data.slices import remembered
from smug.physics.fourier import fft2c, ifft2c
from smug.physics.maps.calibration import maps_from_calibration
from smug.physics.maps.simulated import simulated_maps
from smug.physics.masks import calibration_region, random_lines

HEIGHT, WIDTH = 40, 48


@pytest.fixture(scope="module")
def volume() -> Volume:
    """Fully sampled k-space of 3 slices and 4 coils, of different brightness, with noise."""
    images = torch.stack([(i + 1) * head_phantom(i, WIDTH)[4 : 4 + HEIGHT] for i in range(3)])
    coil_images = simulated_maps(4, HEIGHT, WIDTH, seed=1) * images[:, None]
    noise = torch.randn(coil_images.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    kspace = 100 * fft2c(coil_images) + 0.1 * noise
    mask = torch.ones(1, WIDTH, dtype=torch.bool)
    return Volume("head", tuple(kspace), mask, WIDTH, True, (HEIGHT, WIDTH))


def test_a_scan_has_the_target_of_the_same_maps(volume):
    half = undersample(volume, 3, seed=0, center_fraction=0.2)
    scan = half.scan(1)
    assert torch.equal(scan.y, scan.A.sampled * volume.kspace[1])
    torch.testing.assert_close(scan.truth, (scan.A.maps.conj() * ifft2c(volume.kspace[1])).sum(1))
    assert scan.id == ("head-001",)


def test_maps_come_from_the_retained_centre_alone(volume):
    half = undersample(volume, 3, seed=0, center_fraction=0.2)
    _, centre = calibration_region(half.mask)
    outside = torch.ones(WIDTH, dtype=torch.bool)
    outside[centre] = False
    other = replace(half, kspace=tuple(torch.where(outside, 1e3, values) for values in half.kspace))
    torch.testing.assert_close(other.scan(0).A.maps, half.scan(0).A.maps, rtol=0, atol=1e-3)  # rounded otherwise


def test_maps_may_come_from_other_measurements(volume):
    lines = torch.arange(WIDTH)[None] % 3 == 0
    with pytest.raises(ValueError, match="central lines"):
        replace(volume, mask=lines).scan(0)
    scan = replace(volume, mask=lines, calibration=volume).scan(0)
    torch.testing.assert_close(scan.A.maps, volume.scan(0).A.maps)
    assert torch.equal(scan.A.mask, lines)


def test_a_scan_does_not_name_all_slices(volume, monkeypatch):
    asked = []
    monkeypatch.setattr(volume_module, "slice_name", lambda *args: asked.append(args) or slice_name(*args))
    assert [volume.scan(i).id for i in range(3)] == [("head-000",), ("head-001",), ("head-002",)]
    assert asked == [("head", i, 3, 1) for i in range(3)]


def test_maps_may_be_estimated_otherwise(volume):
    shapes = []

    def estimate(y, mask):
        shapes.append((y.shape, mask.shape))
        return maps_from_calibration(y, mask, window=0)

    volume.scan(0, estimate)
    assert shapes == [((1, 4, HEIGHT, WIDTH), (1, WIDTH))]


@pytest.mark.parametrize("unit", [1e-25, 1e25])
def test_any_unit(volume, unit):
    scan, other = volume.scan(0), replace(volume, kspace=tuple(unit * values for values in volume.kspace)).scan(0)
    torch.testing.assert_close(other.A.maps, scan.A.maps, rtol=0, atol=1e-3)
    torch.testing.assert_close(other.truth / unit, scan.truth, rtol=0, atol=1e-4 * float(scan.truth.abs().max()))


def test_a_slice_is_read_once(volume):
    read = []

    class Counted(tuple):
        def __getitem__(self, index):
            read.append(index)
            return super().__getitem__(index)

    volume = replace(volume, kspace=remembered(Counted(volume.kspace)))
    scan = volume.scan(1)
    volume.rss(1)
    assert read == [1]
    assert torch.equal(scan.y[0], volume.kspace[1])
    assert len(volume) == 3


def test_a_slice_without_signal_has_no_maps(volume):
    scan = replace(volume, kspace=(volume.kspace[0], 0 * volume.kspace[1])).scan(1)
    assert not scan.A.maps.any() and not scan.truth.any()


def test_every_slice_may_have_a_mask_of_its_own(volume):
    masks = torch.cat([random_lines(WIDTH, 2, 0.2, seed=i) for i in range(3)])
    varied = replace(volume, mask=masks, fully_sampled=False)
    assert varied.acceleration == 2
    scan = stacked([varied.scan(i) for i in range(3)])
    assert torch.equal(scan.A.mask, masks) and scan.target is None
    assert torch.equal(scan.y[2], masks[2] * volume.kspace[2])
    assert torch.equal(scan[1].A.maps, varied.scan(1).A.maps)


def test_slices_of_frames_have_names(volume):
    assert volume.names == ("head-000", "head-001", "head-002")
    assert replace(volume, frames=3).names == ("head-000-000", "head-001-000", "head-002-000")


@pytest.mark.parametrize(("crop", "rows", "columns"), [((20, 40), (10, 30), (4, 44)), ((39, 47), (0, 39), (0, 47))])
def test_the_crop_rounds_as_fastmri(volume, crop, rows, columns):
    image = torch.arange(HEIGHT * WIDTH).reshape(1, HEIGHT, WIDTH)
    cropped = replace(volume, crop=crop).cropped(image)
    assert torch.equal(cropped, image[:, rows[0] : rows[1], columns[0] : columns[1]])


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_values_that_are_not_finite_are_told_with_the_slice(volume, value):
    kspace = [each.clone() for each in volume.kspace]
    kspace[1][0, 3, 4] = value
    damaged = replace(volume, kspace=tuple(kspace))
    damaged.scan(0)
    with pytest.raises(ValueError, match="head-001: expected k-space that single precision can hold, got NaN or inf"):
        damaged.scan(1)
