"""A volume as one picture."""

import json
from io import BytesIO

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nibabel.orientations import aff2axcodes
from PIL import Image

from smug.data.geometry import Geometry
from smug.data.images.write import GAP, MAX_SIDE, MAX_TILES, mosaic, png_bytes, spread, upright, window


def picture(volume, geometry=None) -> tuple[np.ndarray, dict[str, str]]:
    with Image.open(BytesIO(png_bytes(volume, geometry or Geometry.spaced(), {"notice": "n"}))) as image:
        return np.asarray(image), image.text


def test_slices_stand_row_by_row_in_one_window():
    values = np.linspace(0.2, 1, 5, dtype=np.float32)
    grey, _ = picture(np.broadcast_to(values[:, None, None], (5, 10, 10)))
    assert grey.shape == (2 * 10 + GAP, 3 * 10 + 2 * GAP)
    tiles = [grey[5 + (10 + GAP) * row, 5 + (10 + GAP) * column] for row in range(2) for column in range(3)]
    np.testing.assert_allclose(tiles, [*(255 * values).round(), 0], atol=1)


def test_voxels_that_are_almost_square_make_a_square():
    tile = np.ones((16, 10, 10), np.float32)
    assert mosaic(tile, (1.001, 1.0)).shape == mosaic(tile, (1.0, 1.0)).shape == (4 * 10 + 3 * GAP,) * 2


def test_a_few_bright_pixels_do_not_make_the_rest_dark():
    volume = np.ones((4, 32, 32), np.float32)
    volume[0, 0, :5] = 1e6
    volume[1:, :16] = 0
    assert window(volume) == 1
    assert np.median(picture(volume)[0]) > 200


def test_background_does_not_count():
    volume = np.zeros((4, 64, 64), np.float32)
    volume[1, 30, 30:38] = 2
    assert window(volume) == 2


def test_a_volume_of_zeros_is_black():
    grey, text = picture(np.zeros((1, 8, 8), np.float32))
    assert not grey.any()
    assert json.loads(text["window"]) == [0, 0]


@pytest.mark.parametrize("unit", [1e-38, 1e-20, 1e30])
def test_the_unit_does_not_matter(unit):
    volume = np.random.default_rng(0).random((3, 16, 16), dtype=np.float32)
    difference = picture(volume)[0].astype(int) - picture(np.float32(unit) * volume)[0]
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize(("size", "shape"), [((1.0, 1.0), (20, 30)), ((2.0, 1.0), (40, 30)), ((0.5, 1.5), (20, 90))])
def test_pixels_are_square(size, shape):
    assert mosaic(np.ones((1, 20, 30), np.float32), size).shape == shape


@given(st.integers(1, 400), st.integers(1, 300), st.integers(1, 300), st.floats(1e-4, 1e4))
def test_any_volume_makes_a_picture_of_reasonable_size(count, height, width, ratio):
    slices = np.broadcast_to(np.float32(1), (min(count, MAX_TILES), height, width))
    rows, columns = mosaic(slices[:, :1, :1], (height * ratio, float(width))).shape
    assert max(rows, columns) <= MAX_SIDE
    grey = mosaic(slices[:1], (ratio, 1.0))
    assert max(grey.shape) <= MAX_SIDE
    assert grey.max() == 255


def test_many_slices_stay_visible():
    volume = np.broadcast_to(np.float32(1), (1000, 400, 320))
    grey, text = picture(volume)
    assert max(grey.shape) <= MAX_SIDE
    shown = json.loads(text["slices"])
    assert len(shown) == MAX_TILES
    assert set(np.diff(shown)) <= {6, 7}
    assert min(grey.shape) > 0.8 * max(grey.shape)


@given(st.integers(1, 500), st.integers(1, 200))
def test_slices_are_spread_evenly(count, most):
    shown = spread(count, most)
    assert shown == sorted(set(shown))
    assert len(shown) == min(count, most)
    assert shown[0] >= 0
    assert shown[-1] < count
    if count <= most:
        assert shown == list(range(count))


def test_a_volume_without_orientation_stays_as_it_is():
    volume = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    hung, size = upright(volume, Geometry.spaced(y=2, x=3))
    np.testing.assert_array_equal(hung, volume)
    assert size == (2, 3)


@pytest.mark.parametrize("normal", range(3))
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_right_is_left_and_anterior_and_superior_are_up(normal, swapped, signs):
    """However a plane is stored, a little oblique, each direction of the body ends at its side of the picture."""
    in_plane = [axis for axis in range(3) if axis != normal]
    x, y = in_plane[::-1] if swapped else in_plane
    matrix = np.zeros((3, 3))
    matrix[x, 0], matrix[y, 1], matrix[normal, 2] = 2 * signs[0], 3 * signs[1], 5
    tilted = nibabel.eulerangles.euler2mat(0.1, 0.1, -0.1) @ matrix
    geometry = Geometry(nibabel.affines.from_matvec(tilted, [1, 2, 3]), oriented=True)
    assert aff2axcodes(geometry.affine)[0] == ("LR", "PA", "IS")[x][signs[0] > 0]

    position = np.stack(np.meshgrid(np.arange(4), np.arange(6), [0], indexing="ij"), -1) @ matrix.T  # (x, y, slice, 3)
    columns, rows = in_plane  # right-left before anterior-posterior before superior-inferior
    for axis, along in ((columns, 2), (rows, 1)):
        volume = position[..., axis].transpose(2, 1, 0).astype(np.float32)
        hung, size = upright(volume, geometry)
        assert (np.diff(hung, axis=along) < 0).all()
        assert not np.diff(hung, axis=3 - along).any()
    np.testing.assert_allclose(size, (2, 3) if swapped else (3, 2))
