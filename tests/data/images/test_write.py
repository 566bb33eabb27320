"""Files that reconstructions are written to."""

import errno
import json
from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import smug
from smug.data.geometry import Geometry
from smug.data.images.read import read_images
from smug.data.images.write import FORMATS, check_format, write_images

from ...properties import assert_refused

METADATA = {"model": "cg-sense", "input": "Größe-σ.h5", "acceleration": 4.0, "settings": {"lam": 0.01, "seed": 0}}
NOTICE = "research use only, not for diagnosis"
OBLIQUE = Geometry.placed((0.8, 1.2, 5.0), nibabel.eulerangles.euler2mat(0.3, -0.2, 0.5), (-100.0, -80.0, 30.0))


@pytest.fixture
def images(device) -> torch.Tensor:
    """Complex images ``(slices, y, x)``, all sizes of which differ."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 9, 7, dtype=torch.complex64, generator=generator).to(device)


def write(path: Path, images: torch.Tensor, **changes: Any) -> None:
    write_images(path, images, **{"geometry": Geometry.spaced(), "metadata": METADATA, **changes})


def magnitudes(images: torch.Tensor) -> np.ndarray:
    return images.abs().cpu().numpy()


@pytest.mark.parametrize("suffix", [".h5", ".hdf5"])
def test_hdf5(images, tmp_path, suffix):
    path = tmp_path / "new" / f"images{suffix}"
    write(path, images, noise_std=images.abs() / 10, geometry=OBLIQUE, frames=2)
    with h5py.File(path) as file:
        assert set(file) == {"reconstruction", "noise_std"}
        assert file["reconstruction"].dtype == np.float32
        np.testing.assert_allclose(file["reconstruction"][()], magnitudes(images), rtol=1e-6)
        np.testing.assert_allclose(file["noise_std"][()], magnitudes(images) / 10, rtol=1e-6)
        attributes = dict(file.attrs)
    assert json.loads(attributes.pop("settings")) == METADATA["settings"]
    np.testing.assert_array_equal(attributes.pop("affine"), OBLIQUE.affine)
    np.testing.assert_allclose(attributes.pop("voxel_size_mm"), (1.2, 0.8, 5.0))
    assert attributes == {
        "model": "cg-sense",
        "input": "Größe-σ.h5",
        "acceleration": 4.0,
        "smug_version": smug.__version__,
        "notice": NOTICE,
        "units": "those of the input k-space",
        "kspace": "measured",
        "frames": 2,
        "oriented": True,
    }
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_metadata_may_tell_other_units(images, tmp_path):
    write(tmp_path / "a.h5", images, metadata={"units": "volt"})
    with h5py.File(tmp_path / "a.h5") as file:
        assert file.attrs["units"] == "volt"


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".NII.GZ"])
@pytest.mark.parametrize("frames", [1, 2])
def test_nifti(images, tmp_path, suffix, frames):
    path = tmp_path / f"a{suffix}"
    write(path, images, geometry=OBLIQUE, frames=frames, noise_std=images.abs() / 10)
    expected = magnitudes(images).reshape(frames, -1, 9, 7)
    for name, factor in ((f"a{suffix}", 1), (f"a_noise_std{suffix}", 10)):
        image = nibabel.load(tmp_path / name)
        assert image.get_data_dtype() == np.float32
        data = np.asarray(image.dataobj).reshape(7, 9, -1, frames)
        np.testing.assert_allclose(factor * data.transpose(3, 2, 1, 0), expected, rtol=1e-6)
    assert image.ndim == (3 if frames == 1 else 4)
    assert len(list(tmp_path.iterdir())) == 2


def test_nifti_header(images, tmp_path):
    write(tmp_path / "a.nii", images, geometry=OBLIQUE)
    image = nibabel.load(tmp_path / "a.nii")
    header = image.header
    for affine, code in (image.get_sform(coded=True), image.get_qform(coded=True)):
        np.testing.assert_allclose(affine, OBLIQUE.affine, atol=1e-4)
        assert code == 1
    np.testing.assert_allclose(header.get_zooms(), (0.8, 1.2, 5.0), rtol=1e-6)
    assert header.get_xyzt_units() == ("mm", "unknown")
    assert header["descrip"].item().decode() == NOTICE
    (comment,) = header.extensions
    told = json.loads(comment.get_content())
    assert told["settings"] == METADATA["settings"]
    assert (told["notice"], told["kspace"], told["smug_version"]) == (NOTICE, "measured", smug.__version__)


def test_nifti_without_orientation(images, tmp_path):
    write(tmp_path / "a.nii", images, geometry=Geometry.spaced(y=2, x=3, z=4))
    header = nibabel.load(tmp_path / "a.nii").header
    assert (header["sform_code"], header["qform_code"]) == (0, 0)
    assert header.get_zooms() == (3, 2, 4)


angle = st.floats(-3, 3)
length = st.floats(0.1, 20)
place = st.floats(-500, 500)


@given(st.tuples(angle, angle, angle), st.tuples(length, length, length), st.tuples(place, place, place), st.booleans())
def test_a_marked_voxel_stays_where_it_is(tmp_path_factory, angles, spacing, first, mirrored):
    directions = nibabel.eulerangles.euler2mat(*angles) * [[1], [1], [-1 if mirrored else 1]]
    geometry = Geometry.placed(spacing, directions, first)
    image = torch.zeros(4, 6, 5)
    image[3, 1, 2] = 1
    path = tmp_path_factory.mktemp("voxel") / "a.nii"
    write(path, image, geometry=geometry)
    written = nibabel.load(path)
    voxel = np.argwhere(np.asarray(written.dataobj) == 1)[0]
    # left and posterior of DICOM are negative right and anterior of NIfTI
    index = np.multiply([2, 1, 3], spacing)
    expected = np.array([-1, -1, 1]) * (first + directions.T @ index)
    # A qform's quaternion in single precision knows turns near 180 degrees to 2 sqrt(3 eps) = 1.2e-3 only.
    lost = 2 * np.sqrt(3 * np.finfo(np.float32).eps) * np.linalg.norm(index)
    for affine, tolerance in ((written.affine, 2e-3), (written.get_qform(), 2e-3 + lost)):
        np.testing.assert_allclose(nibabel.affines.apply_affine(affine, voxel), expected, atol=tolerance)
    np.testing.assert_allclose(written.header.get_zooms(), spacing, rtol=1e-5)


@pytest.mark.parametrize("geometry", [OBLIQUE, Geometry.spaced(1.5, 0.5, 3)])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_what_is_written_can_be_read(images, tmp_path, suffix, geometry):
    write(tmp_path / f"a{suffix}", images, geometry=geometry, frames=3)
    (volume,) = read_images(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(torch.stack(list(volume.slices)).real.numpy(), magnitudes(images))
    assert volume.geometry.oriented == geometry.oriented
    np.testing.assert_allclose(volume.geometry.affine, geometry.affine, rtol=1e-5, atol=1e-4)


def test_png(images, tmp_path):
    write(tmp_path / "a.png", images, noise_std=images.abs() / 10)
    with Image.open(tmp_path / "a.png") as picture, Image.open(tmp_path / "a_noise_std.png") as noise:
        for image, scale in ((picture, 1), (noise, 10)):
            assert image.mode == "L"
            white = np.percentile(magnitudes(images), 99.8)
            low, high = json.loads(image.text["window"])
            assert low == 0
            assert scale * high == pytest.approx(white, rel=1e-5)
        assert picture.text["notice"] == NOTICE
        assert (picture.text["model"], picture.text["input"]) == (METADATA["model"], METADATA["input"])
        assert json.loads(picture.text["settings"]) == METADATA["settings"]
        assert np.asarray(picture).max() == 255
    assert len(list(tmp_path.iterdir())) == 2


def test_double_precision_and_gradients(tmp_path):
    images = torch.ones(1, 4, 4, dtype=torch.complex128, requires_grad=True)
    write(tmp_path / "a.h5", images)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["reconstruction"].dtype == np.float32


@pytest.mark.parametrize("name", ["a", "a.dcm", "a.gz", "a.tar.gz", "h5", "a.nii.bz2"])
def test_other_formats_are_refused(images, tmp_path, name):
    assert_refused(lambda: write(tmp_path / name, images), "one of .h5, .hdf5, .nii, .nii.gz, .png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", FORMATS)
def test_formats(suffix):
    assert check_format(f"folder.nii/a.b{suffix.upper()}") == suffix


@pytest.mark.parametrize("shape", [(4, 4), (1, 1, 4, 4), (0, 4, 4), (1, 0, 4)])
def test_images_of_another_shape_are_refused(tmp_path, shape):
    with pytest.raises(ValueError, match=r"reconstruction: expected .*slices, y, x"):
        write(tmp_path / "images.h5", torch.zeros(shape))
    with pytest.raises(ValueError, match=r"noise_std: expected .*slices, y, x"):
        write(tmp_path / "images.h5", torch.zeros(2, 4, 4), noise_std=torch.zeros(shape))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_images_that_are_not_finite_are_refused(tmp_path, value):
    with pytest.raises(ValueError, match="expected finite single-precision values"):
        write(tmp_path / "a.h5", torch.full((1, 4, 4), value, dtype=torch.float64))


@pytest.mark.parametrize("frames", [0, -1, 4, 7])
def test_frames_that_do_not_divide_the_slices(images, tmp_path, frames):
    with pytest.raises(ValueError, match="frames: expected a divisor of the number of slices 6"):
        write(tmp_path / "a.h5", images, frames=frames)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("size", [0.0, float("nan")])
def test_voxels_without_a_volume_are_refused(images, tmp_path, suffix, size):
    with pytest.raises(ValueError, match="geometry: expected voxels with a volume"):
        write(tmp_path / f"a{suffix}", images, geometry=Geometry.spaced(z=size))
    assert not list(tmp_path.iterdir())


def test_more_slices_than_nifti_can_hold(tmp_path):
    assert_refused(lambda: write(tmp_path / "a.nii", torch.ones(32768, 1, 1)), "at most 32767 ...: use .h5")


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("existed", [True, False])
@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("written", [0, 1])
def test_a_failure_leaves_nothing_behind(images, tmp_path, monkeypatch, failure, existed, suffix, written):
    """The disk is full after so many files: in the first or in the second."""
    names = [f"a{suffix}"] if "h" in suffix else [f"a{suffix}", f"a_noise_std{suffix}"]
    older = {name: "older" for name in names if existed}
    for name, content in older.items():
        (tmp_path / name).write_text(content)
    write_bytes, calls = Path.write_bytes, []

    def fail(self: Path, content) -> int:
        calls.append(self)
        if len(calls) <= min(written, len(names) - 1):
            return write_bytes(self, content)
        write_bytes(self, bytes(content)[:100])
        raise failure

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(type(failure)) as caught:
        write(tmp_path / f"a{suffix}", images, noise_std=images.abs())
    if isinstance(failure, OSError):
        assert f"could not write {tmp_path / 'a'}" in str(caught.value)
        assert caught.value.errno == errno.ENOSPC
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == older
