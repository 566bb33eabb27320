"""Where voxels are."""

from collections.abc import Sequence
from typing import Any

import ismrmrd
import nibabel
import numpy as np
import pytest
import torch

from smug.cli import main
from smug.data.kspace.ismrmrd import read_ismrmrd
from smug.data.kspace.volume import Volume
from smug.physics.fourier import fft2c, ifft2c

from .conftest import COILS, HEIGHT, WIDTH, Header, lines, oversampled, random_images, smooth


def rotation(seed: int) -> np.ndarray:
    """Three orthogonal unit vectors as rows."""
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0].T


@pytest.mark.parametrize("slices", [1, 4])
@pytest.mark.parametrize("seed", range(3))
def test_places_of_voxels(save, slices, seed):
    read, phase, normal = rotation(seed)
    centre = np.array([12.5, -30.0, 41.0])
    kspace = oversampled(random_images(COILS, HEIGHT, WIDTH))
    rows = [
        one
        for s in range(slices)
        for one in lines(
            kspace,
            slice=s,
            position=tuple(centre - 6.5 * s * normal),  # against slice_dir, with a gap of 1.5 mm
            read_dir=tuple(read),
            phase_dir=tuple(phase),
            slice_dir=tuple(normal),
        )
    ]
    v = read_ismrmrd(save(rows, Header(recon_field_of_view=(240.0, 150.0, 5.0))))
    assert v.geometry.oriented
    assert v.geometry.voxel_size == pytest.approx((10, 10, 6.5 if slices > 1 else 5))
    to_ras = np.diag([-1, -1, 1])
    for s in range(slices):
        for y, x in ((0, 0), (HEIGHT // 2, 8), (HEIGHT - 1, 14)):  # of the cropped image, whose centre is at 12, 8
            place = centre - 6.5 * s * normal + 10 * (y - HEIGHT // 2) * read + 10 * (x - 8) * phase
            np.testing.assert_allclose((v.geometry.affine @ [x, y, s, 1])[:3], to_ras @ place, atol=1e-3)


def test_a_bright_point_keeps_its_place_in_an_odd_part_of_an_even_readout(save):
    image = torch.zeros(COILS, 2 * HEIGHT, WIDTH, dtype=torch.complex64)
    image[:, HEIGHT + 3, WIDTH // 2 - 2] = 1
    directions = {"read_dir": (0.0, 1.0, 0.0), "phase_dir": (1.0, 0.0, 0.0), "slice_dir": (0.0, 0.0, -1.0)}
    odd = Header(recon_field_of_view=(230.0, 150.0, 5.0))  # of pixels of 10 mm
    v = read_ismrmrd(save(lines(fft2c(image), **directions), odd))
    found = v.cropped(ifft2c(v.kspace[0]))[0].abs()
    y, x = divmod(int(found.argmax()), found.shape[1])
    assert found.shape == (23, 15)
    np.testing.assert_allclose((v.geometry.affine @ [x, y, 0, 1])[:3], [20, -30, 0], atol=1e-3)


def test_without_directions_only_the_spacing_is_known(save):
    kspace = oversampled(random_images(COILS, HEIGHT, WIDTH))
    v = read_ismrmrd(save([one for s in range(3) for one in lines(kspace, slice=s, position=(0.0, 0.0, 7.0 * s))]))
    assert not v.geometry.oriented
    assert v.geometry.voxel_size == pytest.approx((10, 10, 7))


AXES = {"read_dir": (1.0, 0.0, 0.0), "phase_dir": (0.0, 1.0, 0.0), "slice_dir": (0.0, 0.0, 1.0)}

UNSORTED = "their counters are not in the order of their positions: slices come in the order of the counters"


def stack(places: Sequence[float], bright: Sequence[float] | None = None, **settings: Any) -> list[Any]:
    """Lines of slices with counters from 0 on; unless told, each is as bright as its place says."""
    kspace = oversampled(smooth())[0]
    factors = [1 + z for z in places] if bright is None else bright
    each = enumerate(zip(places, factors, strict=True))
    return [one for s, (z, b) in each for one in lines(b * kspace, slice=s, position=(3, 4, z), **settings)]


def brightness(volume: Volume) -> list[float]:
    """The brightness of slices, relative to the first."""
    largest = [float(kspace.abs().max()) for kspace in volume.kspace]
    return [value / largest[0] for value in largest]


@pytest.mark.parametrize("places", [(0, 6, 12), (12, 6, 0), (0, 6, 20)])
def test_slices_in_the_order_of_their_counters_stay(save, places):
    v = read_ismrmrd(save(stack(places, **AXES)))
    assert brightness(v) == pytest.approx([(1 + z) / (1 + places[0]) for z in places])
    assert v.geometry.oriented == (places != (0, 6, 20)) and "slice_order" not in v.attributes
    assert ["they are no even stack" in told for told in v.warnings] == ([] if v.geometry.oriented else [True])


@pytest.mark.parametrize("normal", [1.0, -1.0])
def test_slices_of_other_counters_are_sorted_along_their_normal(save, normal):
    counters = (0, 2, 4, 1, 3, 5)  # interleaved: the place of each counter
    axes = AXES | {"slice_dir": (0.0, 0.0, normal)}
    rows = [one for r in range(2) for one in stack([6.0 * c for c in counters], repetition=r, **axes)]
    v = read_ismrmrd(save(rows))
    along = sorted((6.0 * c for c in counters), reverse=normal < 0)
    assert v.geometry.oriented and v.warnings == () and (v.frames, len(v)) == (2, 12)
    assert v.geometry.voxel_size == pytest.approx((10, 10, 6))
    assert v.attributes["slice_order"].endswith(("0, 3, 1, 4, 2, 5", "5, 2, 4, 1, 3, 0"))
    assert brightness(v) == pytest.approx([(1 + z) / (1 + along[0]) for z in along] * 2)
    for s, z in enumerate(along):
        np.testing.assert_allclose(v.geometry.affine @ [WIDTH // 2, HEIGHT // 2, s, 1], [-3, -4, z, 1], atol=1e-4)
        torch.testing.assert_close(v.calibration.measured(s)[0][0], v.kspace[s] * v.calibration.mask)


def test_images_of_sorted_slices_are_written_at_their_places(save, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = save(stack([6.0 * c for c in (0, 2, 4, 1, 3, 5)], **AXES))
    assert main(["reconstruct", str(path), "--model", "zero-filled", "--out", "image.nii"]) == 0
    image = nibabel.load("image.nii")
    for s in range(6):
        np.testing.assert_allclose(image.affine @ [WIDTH // 2, HEIGHT // 2, s, 1], [-3, -4, 6 * s, 1], atol=1e-4)
    largest = image.get_fdata().max(axis=(0, 1))
    np.testing.assert_allclose(largest / largest[0], 1 + 6.0 * np.arange(6), rtol=1e-4)


def test_calibration_lines_follow_slices_that_are_sorted(save):
    places = (12, 0, 6, 99)  # the last of calibration alone
    flagged = stack(places, **AXES)
    for one in flagged:
        one.set_flag(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION)
    v = read_ismrmrd(save([*flagged, *stack(places[:3], **AXES)]))
    assert v.geometry.oriented
    for s in range(3):
        torch.testing.assert_close(v.calibration.measured(s)[0][0], v.kspace[s] * v.calibration.mask)


def test_the_counter_may_decide_the_order(save):
    v = read_ismrmrd(save(stack((0, 12, 6), **AXES)), slices="by-counter")
    assert brightness(v) == pytest.approx([1, 13, 7]) and not v.geometry.oriented
    assert [UNSORTED in told for told in v.warnings] == [True]


def test_an_uneven_stack_is_sorted_and_told(save):
    v = read_ismrmrd(save(stack((0, 20, 6), **AXES)))
    assert brightness(v) == pytest.approx([1, 7, 21]) and not v.geometry.oriented
    assert [told.endswith("are not kept, as they are no even stack") for told in v.warnings] == [True]


@pytest.mark.parametrize("places", [(0, 12, 0), (0, 6, 6.2, 3), (0, 12, float("nan"))])
def test_slices_without_a_certain_place_are_not_sorted(save, places):
    brightnesses = range(1, 1 + len(places))
    v = read_ismrmrd(save(stack(places, brightnesses, **AXES)))
    assert brightness(v) == pytest.approx(list(brightnesses)) and "slice_order" not in v.attributes


def test_slices_whose_places_differ_between_frames_are_not_sorted(save):
    rows = stack((0, 12, 6), **AXES) + stack((6, 0, 12), repetition=1, **AXES)
    v = read_ismrmrd(save(rows))
    assert brightness(v) == pytest.approx([1, 13, 7, 7, 1, 13])
    assert [UNSORTED in told for told in v.warnings] == [True]


def test_slices_that_are_not_parallel_are_not_sorted(save):
    rows = stack((0, 12, 6), **AXES)
    for one in rows[:WIDTH]:
        one.slice_dir[:], one.phase_dir[:] = (0, 1, 0), (0, 0, 1)
    assert brightness(read_ismrmrd(save(rows))) == pytest.approx([1, 13, 7])
