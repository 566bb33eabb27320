"""Calibration lines, repetitions and contrasts."""

from collections import Counter

import ismrmrd
import numpy as np
import pytest
import torch

from smug.data.kspace import lines as stored
from smug.data.kspace.acquisitions import readouts
from smug.data.kspace.ismrmrd import read_ismrmrd
from smug.physics.fourier import fft2c
from smug.reconstruction import volume_scale

from .conftest import COILS, HEIGHT, WIDTH, Header, images_of, lines, noise_scan, oversampled, smooth


def test_repetitions_without_central_lines_calibrate_each_other(save):
    kspace = oversampled(smooth(2))
    rows = [
        one for r in range(4) for s in range(2) for one in lines(kspace[s], slice(r, None, 4), slice=s, repetition=r)
    ]
    v = read_ismrmrd(save(rows))
    full = read_ismrmrd(save([one for s in range(2) for one in lines(kspace[s], slice=s)], name="full"))
    assert (v.frames, len(v), v.acceleration) == (4, 8, 4.0)
    for i in range(8):
        assert torch.equal(v.mask_of(i)[0], torch.arange(WIDTH) % 4 == i // 2)
        torch.testing.assert_close(v.scan(i).A.maps, full.scan(i % 2).A.maps, rtol=0, atol=1e-5)


def test_calibration_lines_serve_maps_only(save):
    kspace = oversampled(smooth())[0]
    flag, both = ismrmrd.ACQ_IS_PARALLEL_CALIBRATION, ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING
    rows = lines(kspace, slice(0, None, 2)) + lines(kspace, slice(7, 14, 2))
    for one in rows:
        if 6 < one.idx.kspace_encode_step_1 < 14:
            one.set_flag(flag)
            if one.idx.kspace_encode_step_1 % 2 == 0:
                one.set_flag(both)  # some converters set both flags
    v = read_ismrmrd(save(rows))
    assert torch.equal(v.mask[0], torch.arange(WIDTH) % 2 == 0)
    assert torch.equal(v.calibration.mask[0], (torch.arange(WIDTH) > 6) & (torch.arange(WIDTH) < 14))
    torch.testing.assert_close(v.calibration.measured(0)[0], v.calibration.mask * fft2c(smooth()))


@pytest.mark.parametrize("first", [0, 1])
def test_the_gain_of_separate_calibration_lines_does_not_change_the_scale(save, first):
    kspace, scales = oversampled(smooth())[0], []
    for number, gain in enumerate((1, 1 / 30, 300)):
        calibration = lines(gain * kspace, slice(4, 16))
        for one in calibration:
            one.set_flag(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION)
        v = read_ismrmrd(save([*lines(kspace, slice(first, None, 2)), *calibration], name=f"gain{number}"))
        scales.append(float(volume_scale(v)))
    full = read_ismrmrd(save(lines(kspace), name="full"))
    assert scales == pytest.approx([float(volume_scale(full))] * 3, rel=1e-4)


def test_calibration_may_have_a_readout_of_its_own_and_one_contrast(save):
    kspace, flag = oversampled(smooth())[0], ismrmrd.ACQ_IS_PARALLEL_CALIBRATION
    short = lines(kspace[:, HEIGHT - 20 : HEIGHT + 20], slice(4, 16))
    for one in short:
        one.set_flag(flag)
    rows = [one for c in range(2) for one in lines(1j * kspace, slice(c, None, 2), contrast=c)]
    v = read_ismrmrd(save([*rows, *short]))
    assert (v.frames, v.mask.shape) == (2, (2, WIDTH))
    assert v.calibration.mask.shape == (1, HEIGHT, WIDTH)
    assert torch.equal(v.calibration.kspace[0], v.calibration.kspace[1])
    full = read_ismrmrd(save(lines(kspace), name="full"))
    correlation = (v.scan(1).A.maps.conj() * full.scan(0).A.maps).sum(1).abs()
    assert correlation[0, 6:18, 5:15].min() > 0.95


def test_acquisitions_of_another_encoding_space_are_left_out(save):
    images = smooth()[0]
    reference = lines(np.ones((COILS, 12, 8)), encoding_space_ref=0)
    for one in reference:
        one.set_flag(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION)
    xml, small = Header().xml(), Header(matrix=(12, 8, 1), limits=(0, 7, 4)).xml()
    first = small[small.index("<encoding>") : small.index("</ismrmrdHeader>")]
    both = xml.replace("<encoding>", f"{first}<encoding>")
    v = read_ismrmrd(save([*reference, *lines(oversampled(images), encoding_space_ref=1)], both))
    torch.testing.assert_close(images_of(v)[0], images)
    assert v.calibration is None
    assert ["8 calibration lines of another encoding space are not used" in told for told in v.warnings] == [True]


def test_calibration_of_other_contrasts_is_that_of_the_first(save):
    kspace, flag = oversampled(smooth())[0], ismrmrd.ACQ_IS_PARALLEL_CALIBRATION
    calibration = [one for c in (1, 0) for one in lines((c + 1) * kspace, slice(6, 14), contrast=c)]
    for one in calibration:
        one.set_flag(flag)
    v = read_ismrmrd(save([*calibration, *lines(kspace, contrast=2)]))
    torch.testing.assert_close(v.calibration.measured(0)[0], v.calibration.mask * fft2c(smooth()))


def test_echoes_are_not_mixed(save):
    kspace = oversampled(smooth())[0]
    v = read_ismrmrd(save(lines(kspace, contrast=0) + lines(-0.5 * kspace, contrast=1)))
    assert (v.frames, v.calibration, v.fully_sampled) == (2, None, True)
    torch.testing.assert_close(v.kspace[1], -0.5 * v.kspace[0])


@pytest.mark.parametrize("repetitions", [2, 6])
def test_lines_of_all_repetitions_are_read_once(save, monkeypatch, repetitions):
    kspace = oversampled(smooth(2))
    rows = [
        one
        for r in range(repetitions)
        for s in range(2)
        for one in lines(kspace[s], slice(r % 2, None, 2), slice=s, repetition=r)
    ]
    v = read_ismrmrd(save(rows))
    read: Counter[int] = Counter()

    def counted(table, rows, *sizes):
        read.update(rows.tolist())
        return readouts(table, rows, *sizes)

    monkeypatch.setattr(stored, "readouts", counted)
    volume_scale(v)
    for i in range(len(v)):
        v.scan(i)
    assert max(read.values()) == 3  # that of the maps, and twice the slice itself


def test_pools_of_channels_that_are_whitened(save):
    rng = np.random.default_rng(0)
    kspace = oversampled(smooth(2))
    rows = [one for r in range(2) for s in range(2) for one in lines(kspace[s], slice=s, repetition=r)]
    v = read_ismrmrd(save([noise_scan(np.diag([1.0, 4.0, 9.0]), rng), *rows]))
    for _ in range(2):
        for i in range(4):
            torch.testing.assert_close(v.calibration.measured(i)[0][0], v.kspace[i] * v.calibration.mask)
