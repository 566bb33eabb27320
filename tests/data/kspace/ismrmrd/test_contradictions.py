"""Headers that state little, and headers that the acquisitions contradict: the right image, or one clear sentence."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import h5py
import ismrmrd
import numpy as np
import pytest
import torch

from smug.data.kspace.ismrmrd import read_ismrmrd
from smug.data.kspace.non_cartesian import NonCartesianVolume
from smug.data.kspace.read import read
from smug.physics.fourier import fft2c

from ....properties import assert_file_refused
from .conftest import COILS, HEIGHT, WIDTH, Header, acquisition, images_of, lines, oversampled, random_images, smooth


def without(*tags: str) -> str:
    """A header without these elements, wherever they are."""
    text = Header().xml()
    for tag in tags:
        text = re.sub(rf"<{tag}>.*?</{tag}>", "", text)
    return text


NOT_STATED = {
    "fields of view": without("fieldOfView_mm"),
    "field of view along z": re.sub(r"<z>5\.0</z>", "<z>0</z>", Header().xml()),
    "image": without("reconSpace"),
    "limits": without("encodingLimits"),
    "centre": without("center"),
    "trajectory": without("trajectory"),
    "lines of the matrix": Header().xml().replace(f"<y>{WIDTH}</y>", "", 1),
    "all of the limits": Header(limits=(0, 0, 0)).xml(),
}


@pytest.mark.parametrize("what", NOT_STATED)
def test_what_is_not_stated_is_not_needed(save, what):
    images = random_images(COILS, HEIGHT, WIDTH)
    text = NOT_STATED[what]
    if what == "fields of view":  # then the matrix of the image tells of oversampling
        before, after = text.split("<reconSpace>")
        text = f"{before}<reconSpace>{after.replace(f'<x>{2 * HEIGHT}</x>', f'<x>{HEIGHT}</x>')}"
    kspace = fft2c(images) if what == "image" else oversampled(images)  # without it no oversampling is known
    header = text.replace(f"<x>{2 * HEIGHT}</x>", f"<x>{HEIGHT}</x>").replace("480", "240") if what == "image" else text
    v = read_ismrmrd(save(lines(kspace), header))
    torch.testing.assert_close(images_of(v)[0], images)
    assert (v.fully_sampled, v.crop, v.warnings) == (True, (HEIGHT, WIDTH), ())
    if "field" in what:
        assert "1 mm is assumed" in v.attributes["voxel_size"] and v.geometry.voxel_size[2] == 1
    else:
        assert "voxel_size" not in v.attributes and v.geometry.voxel_size == pytest.approx((10, 10, 5))


@pytest.mark.parametrize(
    "text", ["", "<ismrmrdHeader/>", "<ismrmrdHeader><encoding/></ismrmrdHeader>", without("encodedSpace")]
)
def test_without_any_encoding_all_samples_are_an_image(save, text):
    images = random_images(COILS, HEIGHT, WIDTH)
    v = read_ismrmrd(save(lines(fft2c(images)), text))
    torch.testing.assert_close(images_of(v)[0], images)
    assert v.fully_sampled


def test_without_a_header_all_samples_are_an_image(save):
    images = random_images(COILS, HEIGHT, WIDTH)
    path = save(lines(fft2c(images)))
    with h5py.File(path, "r+") as file:
        del file["dataset/xml"]
    torch.testing.assert_close(images_of(read_ismrmrd(path))[0], images)


def test_a_matrix_that_is_not_stated_lies_around_the_centre(save):
    kspace = fft2c(random_images(COILS, HEIGHT, WIDTH))
    rows = [acquisition(kspace[:, 4:, x], kspace_encode_step_1=x - 6, center_sample=8) for x in range(6, WIDTH)]
    v = read_ismrmrd(
        save(rows, Header(field_of_view=(240, 200, 5), limits=(0, 13, 4)).xml().replace("matrixSize", "unknown"))
    )
    assert v.mask.shape == (1, HEIGHT, WIDTH)
    assert torch.equal(v.mask[0].any(0), torch.arange(WIDTH) >= 6)
    torch.testing.assert_close(v.kspace[0], v.mask * kspace)


def test_impossible_fields_of_view_are_told(save):
    v = read_ismrmrd(save(lines(oversampled(random_images(COILS, HEIGHT, WIDTH))), Header(field_of_view=(-1, 200, 5))))
    assert len(v.warnings) == 1 and "fieldOfView_mm/x: expected a positive number, got '-1'" in v.warnings[0]


# Oversampling that was removed already


@pytest.mark.parametrize("centre", [HEIGHT // 2, HEIGHT, 0], ids=["right", "of the header", "unset"])
@pytest.mark.parametrize("field_of_view", [True, False])
def test_oversampling_that_was_removed_is_not_removed_again(save, centre, field_of_view):
    images = random_images(COILS, HEIGHT, WIDTH)
    text = Header().xml()
    if not field_of_view:
        before, after = without("fieldOfView_mm").split("<reconSpace>")
        text = f"{before}<reconSpace>{after.replace(f'<x>{2 * HEIGHT}</x>', f'<x>{HEIGHT}</x>')}"
    v = read_ismrmrd(save(lines(fft2c(images), center_sample=centre), text))
    torch.testing.assert_close(images_of(v)[0], images)
    assert v.fully_sampled and v.crop == (HEIGHT, WIDTH)
    (warning,) = v.warnings
    assert "24 samples, where the header states 48 with oversampling" in warning
    if field_of_view:
        assert v.geometry.voxel_size == pytest.approx((10, 10, 5))


def test_an_asymmetric_echo_is_no_removed_oversampling(save):
    kspace = oversampled(random_images(COILS, HEIGHT, WIDTH))
    v = read_ismrmrd(save(lines(kspace[:, HEIGHT - 6 :][:, :HEIGHT], center_sample=6)))
    assert v.warnings == () and v.mask.ndim == 3


@pytest.mark.parametrize("samples", [range(6, HEIGHT), range(HEIGHT - 6)], ids=["start", "end"])
def test_oversampling_that_was_removed_from_an_asymmetric_echo(save, samples):
    kspace = fft2c(random_images(COILS, HEIGHT, WIDTH))
    part = kspace[:, samples.start : samples.stop]
    v = read_ismrmrd(save(lines(part, center_sample=HEIGHT // 2 - samples.start)))
    (warning,) = v.warnings
    assert "18 samples, where the header states 48 with oversampling" in warning
    assert torch.equal(v.mask[0].any(1), torch.isin(torch.arange(HEIGHT), torch.tensor(samples)))
    torch.testing.assert_close(v.kspace[0], v.mask * kspace)


def test_phase_oversampling_that_may_have_been_removed_is_told(save):
    header = Header(matrix=(2 * HEIGHT, 2 * WIDTH, 1), field_of_view=(480, 400, 5), limits=(0, WIDTH - 1, WIDTH // 2))
    kspace = oversampled(smooth())[0]
    (warning,) = read_ismrmrd(save(lines(kspace), header)).warnings
    assert "there are 20 lines, where the header states 40 with oversampling along the phase encoding" in warning
    few = replace(header, limits=(0, WIDTH - 3, WIDTH // 2 - 1))  # a low resolution alone says nothing
    assert read_ismrmrd(save(lines(kspace[..., 1:-1]), few, name="few")).warnings == ()


# Directions and repetitions


@pytest.mark.parametrize("shift", [0, 1])
def test_readouts_in_both_directions_are_told(save, shift):
    kspace = oversampled(smooth(2))
    assert read(save([one for s in range(2) for one in lines(kspace[s], slice=s)])).warnings == ()
    kspace[..., 1::2] = kspace.flip(2)[..., 1::2].roll(shift, 2)
    path = save([one for s in range(2) for one in lines(kspace[s], slice=s)], name="both")
    (warning,) = read(path).warnings
    assert "alike only if one of them is reversed" in warning
    assert read(path, centre="as-stored").warnings == ()


@pytest.mark.parametrize("other", [lambda k: k.flip(0), lambda k: -k], ids=["other slice", "other sign"])
def test_repeated_lines_that_differ_are_told(save, other):
    kspace = oversampled(smooth(2))
    noise = 0.02 * random_images(*kspace.shape)
    assert read_ismrmrd(save(lines(kspace[0]) + lines((kspace + noise)[0], average=1))).warnings == ()
    path = save(lines(kspace[0]) + lines(other(kspace)[0], average=1), name="unlike")
    (warning,) = read_ismrmrd(path).warnings
    assert "lines with the same counters differ by" in warning and "and are averaged" in warning


def test_repeated_noise_is_told_from_repeated_lines_that_differ(save):
    noise = random_images(2, COILS, 2 * HEIGHT, WIDTH)
    assert read_ismrmrd(save(lines(noise[0]) + lines(noise[1]))).warnings == ()


# The centre


@pytest.mark.parametrize("last", [WIDTH - 1, WIDTH - 3])
def test_a_central_line_of_zero_is_unset_where_lines_do_not_fit(save, last):
    images = random_images(COILS, HEIGHT, WIDTH)
    rows = [one for one in lines(oversampled(images)) if one.idx.kspace_encode_step_1 <= last]
    v = read_ismrmrd(save(rows, Header(limits=(0, last, 0))))
    (warning,) = v.warnings
    assert f"central line is 0: it is taken as line {(last + 1) // 2}" in warning
    if last == WIDTH - 1:
        torch.testing.assert_close(images_of(v)[0], images)


def test_a_wrong_centre_is_refused_or_the_peak_moved(tmp_path, save):
    kspace = oversampled(smooth())[0]
    first = 6
    rows = [acquisition(kspace[:, :, x], kspace_encode_step_1=x - first) for x in range(first, WIDTH)]
    right = read(save(rows, Header(limits=(0, 13, 4)), name="right"))
    assert right.warnings == ()
    path = save(rows, Header(limits=(0, 13, 10)), name="wrong")
    assert_file_refused(read, path, "peaks along x (phase encoding) at 4, where the centre of 20 is 10")
    moved = read(path, centre="peak")
    assert torch.equal(moved.mask, right.mask) and moved.encoded_lines == right.encoded_lines
    torch.testing.assert_close(moved.kspace[0], right.kspace[0])


@pytest.mark.parametrize("centre", [HEIGHT - 5, HEIGHT + 9])
def test_samples_that_fill_the_matrix_have_their_centre_in_its_middle(save, centre):
    kspace = oversampled(smooth())[0]
    v = read(save(lines(kspace, center_sample=centre)))
    (warning,) = v.warnings
    assert f"stated at sample {centre} of 48, which fill the matrix: it is taken as in the middle" in warning
    torch.testing.assert_close(images_of(v)[0], smooth()[0])
    rolled = save(lines(kspace.roll(12, 1), center_sample=HEIGHT + 12), name="rolled")
    assert_file_refused(read, rolled, "peaks along y (readout) at 18, where the centre of 24 is 12...--centre peak")


def test_a_wrong_centre_of_the_readout_is_refused(save):
    rows = lines(oversampled(smooth())[0].roll(16, 1))
    assert_file_refused(read, save(rows), "peaks along y (readout) at 20, where the centre of 24 is 12")


# Slices that share a counter


def stack(images: torch.Tensor, places: list[float], sampled: Any = slice(None), **settings: Any) -> list[Any]:
    """The lines of slices ``(slice, coil, y, x)`` at places along z, all of slice 0."""
    kspace = oversampled(images)
    return [
        one
        for s, z in enumerate(places)
        for one in lines(kspace[s], sampled, position=(0.0, 0.0, z), slice_dir=(0.0, 0.0, 1.0), **settings)
    ]


@pytest.mark.parametrize("order", [[0.0, 5.0, 10.0], [10.0, 0.0, 5.0]])
def test_slices_are_told_apart_by_their_position(save, order):
    images = random_images(3, COILS, HEIGHT, WIDTH)
    v = read_ismrmrd(save(stack(images, order)))
    torch.testing.assert_close(images_of(v), images[np.argsort(order)])
    (warning,) = v.warnings
    assert "share a counter are told apart" in warning
    assert v.geometry.voxel_size[2] == pytest.approx(5)


def test_frames_keep_their_slices(save):
    images = random_images(4, COILS, HEIGHT, WIDTH)
    rows = stack(images[:2], [0.0, 5.0]) + stack(images[2:], [0.0, 5.0], repetition=1)
    v = read_ismrmrd(save(rows))
    assert (v.frames, len(v)) == (2, 4)
    torch.testing.assert_close(images_of(v), images)


def test_undersampled_slices_are_told_apart(save):
    images = random_images(2, COILS, HEIGHT, WIDTH)
    sampled = [*range(0, WIDTH, 3), *range(8, 13)]
    v = read_ismrmrd(save(stack(images, [0.0, 4.0], sorted(set(sampled)))))
    assert len(v) == 2 and v.mask[0].sum() == len(set(sampled))


def test_slices_of_other_orientations_are_told_apart(save):
    images = random_images(3, COILS, HEIGHT, WIDTH)
    kspace, normals = oversampled(images), np.eye(3).tolist()
    rows = [one for s in range(3) for one in lines(kspace[s], slice_dir=tuple(normals[s]))]
    torch.testing.assert_close(images_of(read_ismrmrd(save(rows))), images)


def test_calibration_lines_follow_their_slices(save):
    kspace = oversampled(smooth(2))
    rows = []
    for s in range(2):
        place = {"position": (0.0, 0.0, 6.0 * s), "slice_dir": (0.0, 0.0, 1.0)}
        flagged = lines(kspace[s], slice(5, 15), **place)
        for one in flagged:
            one.set_flag(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION)
        rows += lines(kspace[s], slice(0, None, 2), **place) + flagged
    v = read_ismrmrd(save(rows))
    truth = fft2c(smooth(2))
    for s in range(2):
        torch.testing.assert_close(v.calibration.measured(s)[0][0], v.calibration.mask * truth[s])


@pytest.mark.parametrize("options", [{}, {"average": 1}])
def test_a_slice_that_moves_a_little_stays_one(save, options):
    kspace = oversampled(random_images(COILS, HEIGHT, WIDTH))
    rows = lines(kspace, position=(0.0, 0.0, 0.0)) + lines(kspace, position=(0.0, 0.3, 0.0), **options)
    v = read_ismrmrd(save(rows))
    assert len(v) == 1 and v.warnings == ()


MOVED: list[Callable[[torch.Tensor], list[Any]]] = [
    lambda k: [
        one for half, z in ((slice(0, 10), 0.0), (slice(10, 20), 30.0)) for one in lines(k, half, position=(0, 0, z))
    ],
    lambda k: [
        one
        for half, z in ((slice(0, 20, 2), 0.0), (slice(1, 20, 2), 30.0))
        for one in lines(k, half, position=(0, 0, z))
    ],
]


@pytest.mark.parametrize("rows", MOVED, ids=["halves", "interleaved"])
def test_what_is_not_certain_is_refused_and_may_be_decided(save, rows):
    path = save(rows(oversampled(random_images(COILS, HEIGHT, WIDTH))))
    message = "slice 0 lie at 2 places, 30.0 mm apart...--slices by-position...--slices by-counter"
    assert_file_refused(read_ismrmrd, path, message)
    assert len(read_ismrmrd(path, slices="by-counter")) == 1
    assert len(read_ismrmrd(path, slices="by-position")) == 2


def test_a_slice_that_moves_during_the_scan_is_told(save):
    images = random_images(COILS, HEIGHT, WIDTH)
    kspace = oversampled(images)
    rows = lines(kspace, slice(0, 10)) + lines(kspace, slice(10, None), position=(0.0, 1.0, 1.5))
    v = read_ismrmrd(save(rows))
    torch.testing.assert_close(images_of(v)[0], images)
    (warning,) = v.warnings
    assert "2 places, 1.8 mm apart: read as one slice that has moved" in warning


def test_each_line_at_a_place_of_its_own_is_refused(save):
    kspace = oversampled(random_images(COILS, HEIGHT, WIDTH))
    rows = [acquisition(kspace[:, :, x], kspace_encode_step_1=x, position=(0.0, 0.0, 20.0 * x)) for x in range(WIDTH)]
    assert_file_refused(read_ismrmrd, save(rows), "lie at 20 places")


def test_line_counters_that_are_not_set_are_told(save):
    rows = lines(oversampled(random_images(COILS, HEIGHT, WIDTH)))
    for one in rows:
        one.idx.kspace_encode_step_1 = 0
    assert_file_refused(read_ismrmrd, save(rows), "20 readouts per slice, all of line 0: their counter is not set")


# Trajectories


def with_trajectory(rows: list[Any], coordinates: Callable[[int], np.ndarray]) -> list[Any]:
    """The acquisitions, each with the trajectory of its number."""
    made = []
    for i, row in enumerate(rows):
        one = ismrmrd.Acquisition.from_array(np.ascontiguousarray(row.data), coordinates(i).astype(np.float32))
        one.center_sample, one.idx.kspace_encode_step_1 = row.center_sample, row.idx.kspace_encode_step_1
        made.append(one)
    return made


RAMP = np.linspace(-0.5, 0.5, 2 * HEIGHT)


def test_spokes_that_the_header_says_are_cartesian_are_refused(save):
    rows = lines(oversampled(random_images(COILS, HEIGHT, WIDTH)))
    spokes = with_trajectory(rows, lambda i: np.stack([RAMP * np.cos(i), RAMP * np.sin(i)], 1))
    assert_file_refused(
        read_ismrmrd, save(spokes), "coordinates of the samples are not Cartesian...>other</trajectory>"
    )
    volume = read_ismrmrd(save(spokes, Header(trajectory=""), name="not-stated"))
    assert isinstance(volume, NonCartesianVolume) and volume.shape == (HEIGHT, WIDTH)


def test_two_directions_are_refused(save):
    rows = lines(oversampled(random_images(COILS, HEIGHT, WIDTH)))
    zero = 0 * RAMP
    blades = with_trajectory(rows, lambda i: np.stack([RAMP, zero] if i % 2 else [zero, RAMP], 1))
    assert_file_refused(read_ismrmrd, save(blades), "are not Cartesian")


def test_a_cartesian_trajectory_is_no_obstacle(save):
    images = random_images(COILS, HEIGHT, WIDTH)
    rows = lines(oversampled(images))
    stated = with_trajectory(rows, lambda i: np.stack([RAMP, np.full_like(RAMP, i / WIDTH - 0.5)], 1))
    torch.testing.assert_close(images_of(read_ismrmrd(save(stated, Header(trajectory=""))))[0], images)
