"""Where voxels are."""

import numpy as np
import pytest

from smug.data.kspace.ismrmrd import read_ismrmrd

from .conftest import COILS, HEIGHT, WIDTH, Header, lines, oversampled, random_images


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


def test_without_directions_only_the_spacing_is_known(save):
    kspace = oversampled(random_images(COILS, HEIGHT, WIDTH))
    v = read_ismrmrd(save([one for s in range(3) for one in lines(kspace, slice=s, position=(0.0, 0.0, 7.0 * s))]))
    assert not v.geometry.oriented
    assert v.geometry.voxel_size == pytest.approx((10, 10, 7))


@pytest.mark.parametrize(
    ("places", "told"),
    [
        ((0, 6, 12), None),
        ((12, 6, 0), None),
        ((0, 12, 6), "their counters are not in the order of their positions"),
        ((0, 6, 20), "they are no even stack"),
    ],
)
def test_places_that_are_not_kept_are_told(save, places, told):
    kspace = oversampled(random_images(COILS, HEIGHT, WIDTH))
    axes = {"read_dir": (1.0, 0.0, 0.0), "phase_dir": (0.0, 1.0, 0.0), "slice_dir": (0.0, 0.0, 1.0)}
    rows = [one for s, z in enumerate(places) for one in lines(kspace, slice=s, position=(0.0, 0.0, float(z)), **axes)]
    v = read_ismrmrd(save(rows))
    assert v.geometry.oriented == (told is None)
    assert [told in warning for warning in v.warnings] == ([] if told is None else [True])
