"""Volumes of virtual coils, and their reconstruction."""

from dataclasses import replace

import pytest
import torch

import smug
from smug.data.kspace.compression import compressed_volume
from smug.data.kspace.read import undersample
from smug.data.kspace.volume import Volume
from smug.physics.coils import compress_coils
from smug.reconstruction import compressed, reconstruct
from smug.reconstructor import Wrapper
from smug.training_range import TrainingRange

from ...properties import assert_refused
from ...scans import phantom_scan

MANY = 32


@pytest.fixture(scope="module")
def volume() -> Volume:
    scan = phantom_scan(48, 2, coils=MANY, acceleration=1, center_fraction=1.0, noise=0.002)
    mask = torch.ones(1, 48, dtype=torch.bool)
    return undersample(Volume("many", tuple(scan.y), mask, 48, True, (48, 48)), 3, center_fraction=0.25)


class Trained(Wrapper):
    """CG-SENSE that says it was trained on so many coils."""

    def __init__(self, *coils: int) -> None:
        self.reconstructor, self.coils = smug.CGSense(), coils

    def __call__(self, y, A, generator=None):
        return self.reconstructor(y, A, generator=generator)

    def unscaled(self):
        return self

    def training_range(self) -> TrainingRange:
        return replace(smug.load("modl").training_range(), coils=self.coils)


def test_one_matrix_for_all_slices_from_what_was_measured_alone(volume):
    virtual, lost = compressed_volume(volume, 6)
    measured = torch.cat([volume.measured(i)[0] for i in range(2)])
    expected, expected_loss = compress_coils(measured, 6)
    assert lost == pytest.approx(expected_loss)
    torch.testing.assert_close(torch.cat([virtual.measured(i)[0] for i in range(2)]), expected)


def test_calibration_data_are_combined_by_the_same_matrix(volume):
    with_calibration = replace(volume, calibration=volume)
    virtual, _ = compressed_volume(with_calibration, 6)
    torch.testing.assert_close(virtual.calibration.kspace[1], virtual.kspace[1])


def test_32_coils_as_12_give_nearly_the_same_image(volume):
    told = []
    full = reconstruct(smug.CGSense(), volume, warn=told.append)
    assert not told
    few = reconstruct(smug.CGSense(), volume, coils=12, warn=told.append)
    assert len(told) == 1
    assert told[0].startswith("coils: 32 are compressed to 12 virtual coils, which lose 0.")
    torch.testing.assert_close(few.rss, full.rss)
    difference = (few.images - full.images).norm() / full.images.norm()
    assert 1e-6 < float(difference) < 0.1
    assert abs(few.quality["psnr_rss"] - full.quality["psnr_rss"]) < 0.3


def test_by_default_only_beyond_the_training_range_and_told(volume):
    told = []
    assert compressed(smug.CGSense(), volume, None, told.append) is volume
    assert compressed(Trained(4, 32), volume, None, told.append) is volume
    assert not told
    assert compressed(Trained(1, 16), volume, None, told.append).kspace[0].shape[0] == 16
    assert len(told) == 1
    assert compressed(Trained(1), volume, None, told.append) is volume  # it would lose too much
    assert len(told) == 1


@pytest.mark.parametrize("coils", [0, 33, 2.5])
def test_bad_numbers_of_coils(volume, coils):
    assert_refused(lambda: reconstruct(smug.CGSense(), volume, coils=coils), "coils: expected")


def test_a_measured_scan_of_16_coils(data_root):
    """Of a brain, 12 and 8 virtual coils change the PSNR by little."""
    measured = smug.read(data_root / "multicoil_kspace" / "brain_16ch_96.h5")
    one = replace(measured, kspace=measured.kspace[len(measured) // 2 : len(measured) // 2 + 1])
    one = undersample(one, 4)
    told = []
    quality = {
        n: reconstruct(smug.CGSense(), one, coils=n, warn=told.append).quality["psnr_rss"] for n in (None, 12, 8)
    }
    assert abs(quality[12] - quality[None]) < 0.3
    assert abs(quality[8] - quality[None]) < 1.5
