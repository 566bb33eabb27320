"""Where voxels are: affines from directions and positions, and what happens where these make no sense."""

import numpy as np
import pytest

from smug.data.geometry import Geometry

SPACING = (1.5, 2.0, 4.0)
TO_RAS = np.diag([-1.0, -1.0, 1.0])


def axes(seed: int) -> np.ndarray:
    """Three orthogonal unit vectors, right- or left-handed."""
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0].T


def stack(slices: int, distance: float = 5.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Directions and centres of slices that follow each other along their normal."""
    directions = axes(seed)
    centres = np.array([10.0, -20.0, 30.0]) + distance * np.arange(slices)[:, None] * directions[2]
    return np.repeat(directions[None], slices, 0), centres


def test_voxels_of_a_size():
    geometry = Geometry.spaced(y=2.0, x=1.5, z=4.0)
    assert not geometry.oriented
    assert geometry.voxel_size == (2.0, 1.5, 4.0)
    np.testing.assert_array_equal(geometry.affine @ [1, 1, 1, 1], [1.5, 2.0, 4.0, 1])


@pytest.mark.parametrize("seed", range(4))
def test_voxels_in_their_place(seed):
    directions, first = axes(seed), np.array([-7.0, 3.0, 11.0])
    geometry = Geometry.placed(SPACING, directions, first)
    assert geometry.oriented
    assert geometry.voxel_size == pytest.approx((2.0, 1.5, 4.0))
    index = np.array([3, 5, 7])
    expected = TO_RAS @ (first + sum(index[i] * SPACING[i] * directions[i] for i in range(3)))
    np.testing.assert_allclose((geometry.affine @ [*index, 1])[:3], expected, atol=1e-12)


def test_an_axial_slice_seen_from_the_feet():
    """DICOM's usual axial image: rows run to the left, columns to the back."""
    affine = Geometry.placed((1, 1, 1), np.eye(3), (0, 0, 0)).affine
    nibabel = pytest.importorskip("nibabel")
    assert nibabel.aff2axcodes(affine) == ("L", "P", "S")


def test_shifted_by_a_crop():
    geometry = Geometry.placed(SPACING, axes(1), (1, 2, 3))
    shifted = geometry.shifted(y=4, x=9)
    assert shifted.oriented and shifted.voxel_size == pytest.approx(geometry.voxel_size)
    np.testing.assert_allclose(shifted.affine @ [0, 0, 2, 1], geometry.affine @ [9, 4, 2, 1])


@pytest.mark.parametrize("slices", [1, 2, 5])
@pytest.mark.parametrize("distance", [5.0, -5.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_stack_of_slices(slices, distance, seed):
    directions, centres = stack(slices, distance, seed)
    geometry = Geometry.stacked(SPACING, directions.astype(np.float32), centres.astype(np.float32), centre=(6, 8))
    assert geometry.oriented
    assert geometry.voxel_size == pytest.approx((2.0, 1.5, 5.0 if slices > 1 else 4.0), rel=1e-5)
    for i in range(slices):
        np.testing.assert_allclose((geometry.affine @ [6, 8, i, 1])[:3], TO_RAS @ centres[i], atol=1e-4)
    along_x = geometry.affine[:3, 0] / 1.5
    np.testing.assert_allclose(along_x, TO_RAS @ directions[0, 0], atol=1e-5)


@pytest.mark.parametrize(
    ("change", "z"),
    [
        (lambda d, c: (0 * d, c), 5.0),
        (lambda d, c: (0 * d, 0 * c), 4.0),
        (lambda d, c: (d * np.nan, c), 5.0),
        (lambda d, c: (d, c * np.nan), 4.0),
        (lambda d, c: (d, c[[0, 2, 1]]), 4.0),
        (lambda d, c: (d, c[[0, 0, 0]]), 4.0),
        (lambda d, c: (2 * d, c), 5.0),
        (lambda d, c: (d[:, [0, 0, 2]], c), 5.0),
        (lambda d, c: (np.stack([d[0], d[0], -d[0]]), c), 5.0),
        (lambda d, c: (d, c + 3 * np.arange(3)[:, None] * d[0, 0]), np.hypot(5, 3)),
    ],
    ids=[
        "no directions",
        "nothing",
        "NaN directions",
        "NaN places",
        "uneven",
        "one place",
        "no unit vectors",
        "not orthogonal",
        "not parallel",
        "oblique to the normal",
    ],
)
def test_where_slices_make_no_stack_only_the_voxel_size_is_known(change, z):
    directions, centres = change(*stack(3))
    geometry = Geometry.stacked(SPACING, directions, centres, centre=(0, 0))
    assert not geometry.oriented
    np.testing.assert_allclose(geometry.affine, np.diag([1.5, 2.0, z, 1.0]))
