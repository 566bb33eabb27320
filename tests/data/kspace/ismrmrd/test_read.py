"""What is in the file is what is read."""

import pickle

import ismrmrd
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from smug.data.kspace.ismrmrd import read_ismrmrd
from smug.physics.fourier import fft2c
from smug.physics.maps.simulated import simulated_maps

from .conftest import COILS, HEIGHT, WIDTH, Header, acquisition, images_of, lines, oversampled, random_images


def test_slices_are_read_in_any_order_of_lines_and_slices(save):
    images = random_images(3, COILS, HEIGHT, WIDTH)
    rows = [one for s in range(3) for one in lines(oversampled(images)[s], slice=s)]
    v = read_ismrmrd(save([rows[i] for i in np.random.default_rng(0).permutation(len(rows))]))
    torch.testing.assert_close(images_of(v), images)
    assert v.kspace[0].dtype == torch.complex64 and v.kspace[0].is_contiguous()
    assert torch.equal(v.mask, torch.ones(1, WIDTH, dtype=torch.bool))
    assert (v.fully_sampled, v.encoded_lines, v.acceleration, v.crop) == (True, WIDTH, 1.0, (HEIGHT, WIDTH))
    assert (v.frames, v.calibration, v.noise_sigma, dict(v.attributes)) == (1, None, None, {})
    assert v.names == ("scan-000", "scan-001", "scan-002")


@settings(max_examples=25)
@given(data=st.data())
def test_what_was_sampled_is_read(data, tmp_path_factory):
    """Any size, oversampling, slices, frames, averages, padding, order: measured lines are those of the truth."""
    draw = data.draw
    height, width, factor = draw(st.integers(4, 12)), draw(st.integers(4, 13)), draw(st.sampled_from([1, 2, 3]))
    slices, repetitions, echoes, averages = (draw(st.integers(1, n)) for n in (3, 3, 2, 2))
    before, after = draw(st.integers(0, width // 4)), draw(st.integers(0, width // 4))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    images = random_images(echoes, repetitions, slices, 2, height, width, seed=int(rng.integers(1000)))
    kspace, rows = oversampled(images, factor).numpy(), []
    sampled = rng.random((echoes, repetitions, slices, width)) < 0.5
    sampled[..., width // 2] = True
    sampled[..., :before] = sampled[..., width - after :] = False
    for c, r, s in np.ndindex(sampled.shape[:3]):
        for a in range(averages):
            change = (a - (averages - 1) / 2) * 0.5  # of mean zero
            for x in np.flatnonzero(sampled[c, r, s]).tolist():
                one = acquisition(kspace[c, r, s, :, :, x] + change, kspace_encode_step_1=x - before, center_sample=0)
                one.center_sample = factor * height // 2
                one.idx.contrast, one.idx.repetition, one.idx.slice, one.idx.average = 3 * c, r, 2 * s, a
                rows.append(one)
    header = Header(
        matrix=(factor * height, width, 1),
        field_of_view=(factor * 100.0, 100.0, 5.0),
        recon_field_of_view=(100.0, 100.0, 5.0),
        limits=(0, width - before - after - 1, width // 2 - before),
    )
    path = tmp_path_factory.mktemp("any") / "scan.h5"
    with ismrmrd.Dataset(str(path), "dataset") as dataset:
        dataset.write_xml_header(header.xml().encode())
        for i in rng.permutation(len(rows)):
            dataset.append_acquisition(rows[i])

    v = read_ismrmrd(path)
    mask = torch.from_numpy(sampled.reshape(-1, width))
    assert v.frames == echoes * repetitions and len(v) == slices * v.frames
    assert torch.equal(v.mask.expand(len(v), -1), mask)
    assert v.encoded_lines == min(width, max(2 * (width // 2 - before), 2 * (width - after - 1 - width // 2) + 1))
    truth = fft2c(images).flatten(0, 2) * mask[:, None, None]
    for i in range(len(v)):
        y, _ = v.measured(i)
        torch.testing.assert_close(y[0], truth[i], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(v.kspace[i], y[0])
    if repetitions > 1:  # maps come from the mean over repetitions of the same echo and slice
        weight = mask.reshape(echoes, repetitions, slices, 1, 1, width).float()
        total = (fft2c(images) * weight).sum(1) / weight.sum(1).clamp(min=1)
        for i, (c, _, s) in enumerate(np.ndindex(echoes, repetitions, slices)):
            torch.testing.assert_close(v.calibration.kspace[i], total[c, s], rtol=1e-4, atol=1e-5)
            assert torch.equal(v.calibration.mask_of(i)[0], weight.sum(1)[c, s, 0, 0] > 0)


@pytest.mark.parametrize("group", ["dataset", "measurement 7"])
def test_the_group_may_have_any_name(save, group):
    path = save(lines(oversampled(random_images(COILS, HEIGHT, WIDTH))), group=group)
    assert len(read_ismrmrd(path)) == 1


def test_samples_to_discard_are_not_used(save):
    images = random_images(COILS, HEIGHT, WIDTH)
    kspace = np.pad(oversampled(images).numpy(), ((0, 0), (5, 3), (0, 0)), constant_values=1e6)
    rows = lines(kspace, discard_pre=5, discard_post=3, center_sample=HEIGHT + 5)
    torch.testing.assert_close(images_of(read_ismrmrd(save(rows)))[0], images)


def test_a_centre_that_is_not_set_is_the_middle(save):
    images = random_images(COILS, HEIGHT, WIDTH)
    v = read_ismrmrd(save(lines(oversampled(images), center_sample=0)))
    torch.testing.assert_close(images_of(v)[0], images)


def test_without_limits_the_centre_is_that_of_the_matrix(save):
    images = random_images(COILS, HEIGHT, WIDTH)
    start, end = "<encodingLimits>", "</encodingLimits>"
    xml = Header().xml()
    v = read_ismrmrd(save(lines(oversampled(images)), xml[: xml.index(start)] + xml[xml.index(end) + len(end) :]))
    torch.testing.assert_close(images_of(v)[0], images)
    assert v.fully_sampled


def test_partial_fourier_is_sampled_on_one_side(save):
    kspace = oversampled(random_images(COILS, HEIGHT, WIDTH))
    v = read_ismrmrd(
        save(
            [acquisition(kspace[:, :, x], kspace_encode_step_1=x - 6) for x in range(6, WIDTH)],
            Header(limits=(0, 13, 4)),
        )
    )
    assert torch.equal(v.mask[0], torch.arange(WIDTH) >= 6)
    assert (v.fully_sampled, v.encoded_lines) == (False, WIDTH - 1)


def test_zero_padding_is_not_counted(save):
    kspace = oversampled(random_images(COILS, HEIGHT, WIDTH))
    v = read_ismrmrd(
        save(
            [acquisition(kspace[:, :, x], kspace_encode_step_1=x - 3) for x in range(3, 17)], Header(limits=(0, 13, 7))
        )
    )
    assert (v.fully_sampled, v.encoded_lines, v.acceleration) == (True, 14, 1.0)
    assert v.mask.sum() == 14


def test_an_asymmetric_echo_makes_a_two_dimensional_mask(save):
    images = torch.zeros(COILS, HEIGHT, WIDTH, dtype=torch.complex64)
    images[:, 6:19, 3:17] = simulated_maps(COILS, HEIGHT, WIDTH, seed=0)[0, :, 6:19, 3:17]
    cut = 4
    v = read_ismrmrd(save(lines(oversampled(images)[:, cut:], center_sample=HEIGHT - cut)))
    assert v.mask.shape == (1, HEIGHT, WIDTH) and not v.fully_sampled
    assert torch.equal(v.mask[0].any(1), torch.arange(HEIGHT) >= cut / 2 + 4)
    truth = v.mask[:, None] * fft2c(images)
    assert torch.linalg.vector_norm(v.measured(0)[0] - truth) < 0.02 * torch.linalg.vector_norm(truth)
    assert v.scan(0).y.shape == (1, COILS, HEIGHT, WIDTH)


@pytest.mark.parametrize("side", ["before", "after", "both"])
def test_an_asymmetric_echo_without_oversampling_is_read_as_it_is(save, side):
    first, last = {"before": (7, 24), "after": (0, 20), "both": (3, 22)}[side]
    kspace = fft2c(random_images(COILS, HEIGHT, WIDTH))
    header = Header(matrix=(HEIGHT, WIDTH, 1), field_of_view=(240.0, 200.0, 5.0))
    v = read_ismrmrd(save(lines(kspace[:, first:last], center_sample=HEIGHT // 2 - first), header))
    inside = (torch.arange(HEIGHT) >= first) & (torch.arange(HEIGHT) < last)
    assert torch.equal(v.mask, inside[None, :, None].expand(1, HEIGHT, WIDTH))
    torch.testing.assert_close(v.kspace[0], kspace * inside[:, None])


def test_phase_oversampling_is_cropped_from_the_image(save):
    images = random_images(COILS, HEIGHT, WIDTH)
    v = read_ismrmrd(save(lines(oversampled(images)), Header(recon_field_of_view=(240.0, 150.0, 5.0))))
    assert v.crop == (HEIGHT, 15)
    torch.testing.assert_close(v.cropped(images_of(v))[0], images[..., 2:17])
    assert v.geometry.voxel_size == pytest.approx((10, 10, 5))


def test_lines_of_zeros_are_not_measured_but_for_slices_without_signal(save):
    kspace = oversampled(random_images(2, COILS, HEIGHT, WIDTH))
    kspace[..., 5] = 0
    kspace[1] = 0
    v = read_ismrmrd(save([one for s in range(2) for one in lines(kspace[s], slice=s)]))
    assert torch.equal(v.mask[0], torch.arange(WIDTH) != 5) and v.mask[1].all()
    assert not v.fully_sampled
    assert not v.scan(1).A.maps.any()


def test_other_acquisitions_are_left_out(save):
    images = random_images(COILS, HEIGHT, WIDTH)
    flags = (
        ismrmrd.ACQ_IS_NAVIGATION_DATA,
        ismrmrd.ACQ_IS_PHASECORR_DATA,
        ismrmrd.ACQ_IS_HPFEEDBACK_DATA,
        ismrmrd.ACQ_IS_DUMMYSCAN_DATA,
        ismrmrd.ACQ_IS_RTFEEDBACK_DATA,
        ismrmrd.ACQ_IS_SURFACECOILCORRECTIONSCAN_DATA,
    )
    others = [acquisition(1e3 * np.ones((2, 7)), flag, kspace_encode_step_1=999) for flag in flags]
    v = read_ismrmrd(save(others[:3] + lines(oversampled(images)) + others[3:]))
    torch.testing.assert_close(images_of(v)[0], images)


def test_it_can_be_read_by_another_process(save):
    v = read_ismrmrd(save(lines(oversampled(random_images(COILS, HEIGHT, WIDTH)))))
    assert torch.equal(pickle.loads(pickle.dumps(v)).kspace[-1], v.kspace[0])  # noqa: S301
    with pytest.raises(IndexError, match="slice 1 of 1"):
        v.kspace[1]
