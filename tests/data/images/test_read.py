"""Images of every kind of file."""

import pickle

import h5py
import nibabel
import numpy as np
import pytest
import torch
from PIL import Image

from smug.data.images.read import read_images
from smug.data.images.sets import load_images, resample

from .conftest import KINDS, OBLIQUE, RNG, VOLUME, only, save, save_hdf5, save_nifti, stack


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind(tmp_path, kind):
    volume = only(save(tmp_path / kind))
    expected = VOLUME[:1] if kind == "a.png" else VOLUME
    np.testing.assert_array_equal(stack(volume), expected)
    name = "volume" if kind == "a.h5" else "a"
    assert (volume.name, volume.subject) == (name, name)
    assert volume.names == tuple(f"{name}-{i:03d}" for i in range(len(expected)))
    assert volume.slices[0].dtype == torch.complex64
    assert torch.equal(volume.slices[-1], volume.slices[len(expected) - 1])
    assert len(volume.slices[1:]) == len(expected) - 1
    with pytest.raises(IndexError):
        volume.slices[len(expected)]


@pytest.mark.parametrize("kind", KINDS)
def test_volumes_can_be_pickled(tmp_path, kind):
    volume = only(save(tmp_path / kind))
    np.testing.assert_array_equal(stack(pickle.loads(pickle.dumps(volume))), stack(volume))  # noqa: S301


@pytest.mark.parametrize("dtype", ["uint8", "int16", ">i2", "uint16", "float32", ">f4", "float64", "complex64"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_as_nibabel_reads_it(tmp_path, dtype, suffix):
    data = RNG.normal(size=(5, 6, 3)) * 100 * (1 + 1j if "complex" in dtype else 1)
    path = tmp_path / f"a{suffix}"
    image = nibabel.Nifti1Image(np.abs(data).astype(dtype) if "u" in dtype else data.astype(dtype), OBLIQUE)
    image.header.set_data_dtype(dtype)
    image.to_filename(path)
    np.testing.assert_allclose(stack(only(path)), nibabel.load(path).get_fdata(dtype=np.complex128).T, rtol=1e-6)


def test_nifti_slope(tmp_path):
    path = save_nifti(tmp_path / "a.nii", VOLUME.T, scl_slope=0.5, scl_inter=-3)
    np.testing.assert_allclose(stack(only(path)), 0.5 * VOLUME - 3)


def test_nifti_of_the_second_version(tmp_path):
    nibabel.Nifti2Image(VOLUME.T, OBLIQUE).to_filename(tmp_path / "a.nii")
    np.testing.assert_array_equal(stack(only(tmp_path / "a.nii")), VOLUME)


def test_frames_of_nifti_are_further_slices(tmp_path):
    data = RNG.integers(1, 9, (5, 6, 3, 2)).astype(np.uint8)
    volume = only(save_nifti(tmp_path / "a.nii", data))
    np.testing.assert_array_equal(stack(volume), np.concatenate([data[..., 0].T, data[..., 1].T]))


@pytest.mark.parametrize(("shape", "slices"), [((5, 6), 1), ((5, 6, 3, 1, 1), 3)])
def test_nifti_of_other_dimensions(tmp_path, shape, slices):
    assert len(only(save_nifti(tmp_path / "a.nii", np.ones(shape, np.uint8))).slices) == slices


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1), ("meter", 1000), ("micron", 0.001), ("unknown", 1)])
def test_nifti_geometry_is_in_millimetres(tmp_path, unit, factor):
    image = nibabel.Nifti1Image(VOLUME.T, OBLIQUE)
    image.header.set_xyzt_units(unit)
    image.to_filename(tmp_path / "a.nii")
    geometry = only(tmp_path / "a.nii").geometry
    assert geometry.oriented
    np.testing.assert_allclose(geometry.affine[:3], factor * OBLIQUE[:3], rtol=1e-6)
    np.testing.assert_allclose(geometry.voxel_size, np.multiply(factor, (1.1, 0.9, 4)), rtol=1e-6)


def test_nifti_without_orientation(tmp_path):
    volume = only(save_nifti(tmp_path / "a.nii", VOLUME.T, None, pixdim=[1, 0.5, 0.7, 3, 1, 1, 1, 1]))
    assert not volume.geometry.oriented
    np.testing.assert_allclose(volume.geometry.voxel_size, (0.7, 0.5, 3))


def test_nifti_with_a_quaternion_alone(tmp_path):
    image = nibabel.Nifti1Image(VOLUME.T, None)
    image.set_qform(OBLIQUE, 1)
    image.set_sform(None, 0)
    image.to_filename(tmp_path / "a.nii")
    np.testing.assert_allclose(only(tmp_path / "a.nii").geometry.affine, OBLIQUE, atol=1e-4)


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (16, np.uint16)])
def test_png(tmp_path, bits, dtype):
    pixels = RNG.integers(0, 2**bits, (20, 30)).astype(dtype)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(stack(only(tmp_path / "a.png"))[0], pixels)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "1"])
def test_pictures_that_are_not_grey_are_refused(tmp_path, mode):
    Image.fromarray(VOLUME[0].astype(np.uint8)).convert(mode).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png: expected grey of 8 or 16 bits, got .*: convert it first"):
        read_images(tmp_path / "a.png")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["bool", ">i4", "float16", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("shape", [(6, 5), (3, 6, 5)])
def test_npy(tmp_path, shape, dtype, order):
    array = RNG.normal(size=shape) * 50 * (1 + 1j if "complex" in dtype else 1)
    array = array.astype(dtype, order=order)
    np.save(tmp_path / "a.npy", array)
    np.testing.assert_allclose(stack(only(tmp_path / "a.npy")), array.reshape(-1, 6, 5), rtol=1e-6)


@pytest.mark.parametrize("source", ["siat", "openms", "knee"])
def test_real_sets_as_load_images_reads_them(data_root, source):
    folder = {"siat": "siat_brain_complex/test.h5", "openms": "openms_brain_magnitude/test.h5"}
    volumes = read_images(data_root / folder.get(source, "knee_mese_magnitude/knee.h5"))
    images = load_images(source, "test", 32, root=data_root)
    assert sum((volume.names for volume in volumes), ()) == images.names
    assert sum(((volume.subject,) * len(volume.names) for volume in volumes), ()) == images.subjects
    own = torch.cat([resample(image[None], 32) for volume in volumes for image in volume.slices])
    torch.testing.assert_close(own, images.images)


def test_subjects_of_complex_slices_are_volumes(tmp_path):
    parts, scale = RNG.integers(-99, 99, (4, 2, 6, 5)).astype(np.int16), np.float64([0.1, 0.2, 0.3, 0.4])
    path = save_hdf5(tmp_path / "set.h5", image_ri=parts, scale=scale, subject=np.int16([7, 8, 7, 8]))
    volumes, name = read_images(path), f"{tmp_path.name}-set"
    assert [volume.subject for volume in volumes] == ["7", "8"]
    assert [volume.name for volume in volumes] == [f"{name}-7", f"{name}-8"]
    assert [volume.names for volume in volumes] == [(f"{name}-000", f"{name}-002"), (f"{name}-001", f"{name}-003")]
    expected = scale[:, None, None] * (parts[:, 0] + 1j * parts[:, 1])
    for volume, first in zip(volumes, (0, 1), strict=True):
        np.testing.assert_allclose(stack(volume), expected[first::2], rtol=1e-6)


def test_attributes_of_magnitudes(tmp_path):
    path = save_hdf5(tmp_path / "a.h5", b=VOLUME, location=np.zeros(3))
    with h5py.File(path, "a") as file:
        file["b"].attrs.update(patient="p1", voxel_mm_row_col_slice=[0.5, 0.6, 3.0])
    volume = only(path)
    assert (volume.name, volume.subject) == ("b", "p1")
    np.testing.assert_allclose(volume.geometry.voxel_size, (0.5, 0.6, 3.0))


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"sform_code": 0, "qform_code": 0, "pixdim": [1, 0.5, 0.7, 0, 1, 1, 1, 1]}, (0.7, 0.5, 1)),
        ({"sform_code": 0, "qform_code": 0, "pixdim": [1, 0, 0, 0, 0, 0, 0, 0]}, (1, 1, 1)),
        ({"srow_x": [0, 0, 0, 0], "pixdim": [1, 0.5, 0.7, 3, 1, 1, 1, 1]}, (0.7, 0.5, 3)),
    ],
)
def test_nifti_sizes_that_are_not_stated_are_1_mm(tmp_path, fields, size):
    volume = only(save_nifti(tmp_path / "a.nii", VOLUME.T, **fields))
    np.testing.assert_allclose(volume.geometry.voxel_size, size)
    assert not volume.geometry.oriented


def test_hdf5_sizes_that_are_not_stated_are_1_mm(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["b"] = VOLUME
        file["b"].attrs["voxel_mm_row_col_slice"] = [0.5, 0.6, 0.0]
    np.testing.assert_allclose(only(tmp_path / "a.h5").geometry.voxel_size, (0.5, 0.6, 1))
