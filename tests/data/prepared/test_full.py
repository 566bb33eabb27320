from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.prepare import write_volume
from smug.data.geometry import Geometry
from smug.data.images.sets import resample
from smug.data.images.volume import ImageVolume
from smug.data.kspace.fastmri import read_fastmri
from smug.data.kspace.read import undersample
from smug.data.phantom import head_phantom
from smug.data.prepared.full_volume import central, measured_volume, simulated_volume
from smug.data.simulate import Acquisition, named_scans
from smug.physics.maps.calibration import maps_from_calibration
from smug.physics.masks import calibration_region

ACQUISITION = Acquisition(coils=3, acceleration=3.0, center_fraction=0.1, mask="equispaced")


@pytest.fixture
def volume(tmp_path):
    write_volume(tmp_path / "volume.h5", 2, 3, (40, 48))
    return read_fastmri(tmp_path / "volume.h5")


def test_a_measured_scan_is_the_full_one_with_its_target(volume):
    full = measured_volume(volume, maps_from_calibration, 24)
    scan = full.scan(1)
    assert torch.equal(scan.y[0], volume.kspace[1])
    assert full.shape == (3, 40, 48) and full.mask.all() and full.kspace == "measured"
    torch.testing.assert_close(scan.truth, scan.A.H(scan.y))


def test_central_slices(tmp_path):
    write_volume(tmp_path / "volume.h5", 5, 2, (24, 24))
    full = measured_volume(read_fastmri(tmp_path / "volume.h5"), maps_from_calibration, 24)
    some = full.central(2)
    assert some.names == full.names[1:3]
    assert all(torch.equal(some.scan(i).y, full.scan(i + 1).y) for i in range(2))
    assert full.central(None) is full.central(9) is full


def test_maps_come_from_the_central_lines_alone(volume):
    box = torch.zeros(40, 48, dtype=torch.bool)
    box[20 - 12 : 20 + 12, 24 - 12 : 24 + 12] = True
    blurred = replace(volume, kspace=[box * k for k in volume.kspace])
    maps, other = (measured_volume(v, maps_from_calibration, 24).scan(0).A.maps for v in (volume, blurred))
    assert torch.equal(maps, other)
    fewer = measured_volume(volume, maps_from_calibration, 12).scan(0).A.maps
    assert not torch.equal(maps, fewer)


@pytest.mark.parametrize("width", [7, 8, 30, 31])
def test_central_lines_are_those_around_dc(width):
    mask = torch.ones(1, width, dtype=torch.bool)
    region = calibration_region(central(mask, 11, 6))
    assert [len(range(n)[part]) for n, part in zip((11, width), region, strict=True)] == [6, 6]
    mask[:, : width // 2 - 1] = False
    assert not (central(mask, 11, 6) & ~mask[:, None]).any()


def test_undersampled_volumes_are_refused(volume):
    with pytest.raises(ValueError, match=r"undersampled \(3\.00x\)"):
        measured_volume(replace(undersample(volume, 3), fully_sampled=False), maps_from_calibration, 24)


def images(count: int, height: int, width: int) -> ImageVolume:
    slices = [5.0 * (i + 1) * head_phantom(i, width)[:height] for i in range(count)]
    return ImageVolume("x", "x", tuple(f"x-{i:03d}" for i in range(count)), slices, Geometry.spaced(y=1, x=2, z=3))


@pytest.mark.parametrize("size", [None, 24])
def test_a_simulated_scan_holds_the_numbers_of_named_scans(size):
    source = images(2, 32, 40)
    full = simulated_volume(source, source.names, ACQUISITION, size)
    for i, name in enumerate(source.names):
        image = source.slices[i] / source.slices[i].abs().max() if size is None else resample(source.slices[i], size)
        [expected] = named_scans(image[None], [name], ACQUISITION)
        scan = full.scan(i)
        assert torch.equal(scan.A.maps, expected.A.maps) and torch.equal(scan.truth, expected.truth)
        assert scan.A.mask.all() and torch.equal(expected.A.sampled * scan.y, expected.y)
    assert (full.kspace, full.noise_sigma, full.shape[0]) == ("simulated", 0.01, 3)


def test_resampling_keeps_the_field_of_view():
    full = simulated_volume(images(1, 32, 40), ("x",), ACQUISITION, 20)
    assert full.shape == (3, 20, 20)
    np.testing.assert_allclose(full.voxel_size, (2, 4, 3))
