import h5py
import numpy as np
import pytest
import torch

from smug.data.images.sets import PHANTOM_SEEDS, load_images, resample
from smug.data.phantom import head_phantom

from ...properties import assert_refused


def test_phantoms_by_split():
    test = load_images("phantom", "test", 32, count=2)
    assert torch.equal(test.images[1], head_phantom(PHANTOM_SEEDS["test"] + 1, 32))
    assert test.names == ("phantom-2000000", "phantom-2000001")
    assert test.subjects == test.names


def test_resample_keeps_a_band_limited_image():
    fine = resample(head_phantom(0, 32), 64)
    torch.testing.assert_close(resample(fine, 32), resample(head_phantom(0, 32), 32), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("shape", "size"), [((20, 30), 24), ((31, 17), 40), ((16, 16), 16)])
def test_resample_to_a_square_with_peak_one(shape, size):
    image = torch.randn(2, *shape, dtype=torch.complex64)
    result = resample(image, size)
    assert result.shape == (2, size, size)
    torch.testing.assert_close(result.abs().amax((1, 2)), torch.ones(2))


def test_files_of_both_forms(tmp_path):
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "complex.h5", "w") as file:
        file["image_ri"] = rng.integers(-100, 100, (3, 2, 16, 16), dtype=np.int16)
        file["scale"] = np.float32([0.1, 0.2, 0.3])
        file["subject"] = np.int16([1, 1, 2])
    images = load_images(str(tmp_path / "complex.h5"), "test", 16)
    assert images.images.shape == (3, 16, 16)
    assert set(images.subjects) == {"1", "2"}
    with h5py.File(tmp_path / "magnitude.h5", "w") as file:
        file["b"] = rng.integers(0, 100, (2, 20, 16), dtype=np.uint16)
        file["a"] = rng.integers(0, 100, (1, 16, 16), dtype=np.uint16)
        file["a"].attrs["patient"] = "p1"
        file["location"] = np.zeros(3)
    images = load_images(str(tmp_path / "magnitude.h5"), "test", 16)
    assert len(images) == 3
    assert images.subjects == ("p1", "b", "b")
    assert images.evenly(2).names == (images.names[0], images.names[2])


def test_bad_sources(tmp_path, monkeypatch):
    monkeypatch.delenv("SMUG_DATA", raising=False)
    assert_refused(lambda: load_images("siat", "test", 16), "--data-root or SMUG_DATA, got neither")
    with pytest.raises(FileNotFoundError, match="no such image file"):
        load_images("siat", "test", 16, root=tmp_path)
    assert_refused(lambda: load_images("phantom", "all", 16), "expected one of ['test', 'train', 'val']")
    (tmp_path / "text.h5").write_text("no HDF5")
    assert_refused(lambda: load_images(str(tmp_path / "text.h5"), "test", 16), "text.h5")
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file["numbers"] = np.zeros(3)
    assert_refused(lambda: load_images(str(tmp_path / "empty.h5"), "test", 16), "expected image_ri with scale")


def test_real_sets_are_split_by_subject(data_root):
    subjects = {split: set(load_images("siat", split, 32, root=data_root).subjects) for split in PHANTOM_SEEDS}
    assert len(subjects["test"]) == len(subjects["val"]) == 1
    assert not subjects["train"] & (subjects["val"] | subjects["test"])
    patients = {split: set(load_images("openms", split, 32, root=data_root).subjects) for split in PHANTOM_SEEDS}
    assert patients["test"] == {"patient19"}
    assert not patients["train"] & (patients["val"] | patients["test"])


def test_a_folder_has_splits_and_a_file_has_none(tmp_path):
    for split, value in (("train", 1), ("val", 2), ("test", 3)):
        with h5py.File(tmp_path / f"{split}.h5", "w") as file:
            file["v"] = np.full((value, 16, 16), value, dtype=np.uint16)
    assert [len(load_images(str(tmp_path), split, 16)) for split in ("train", "val", "test")] == [1, 2, 3]
    together = load_images(str(tmp_path), "all", 16)
    assert together.names == tuple(
        name for split in ("train", "val", "test") for name in load_images(str(tmp_path), split, 16).names
    )
    assert len(load_images(str(tmp_path), "all", 16, count=4)) == 4
    assert len(load_images(str(tmp_path / "val.h5"), "test", 16)) == 2
    with pytest.raises(ValueError, match="a single file of images has a test split only"):
        load_images(str(tmp_path / "val.h5"), "val", 16)


def test_complex_volumes_are_not_taken_for_magnitudes(tmp_path):
    with h5py.File(tmp_path / "k.h5", "w") as file:
        file["kspace"] = np.ones((1, 16, 16), dtype=np.complex64)
    assert_refused(lambda: load_images(str(tmp_path / "k.h5"), "test", 16), "got k-space")


def test_double_precision_scales(tmp_path):
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["image_ri"] = np.ones((1, 2, 16, 16), dtype=np.int16)
        file["scale"] = np.ones(1)
    assert load_images(str(tmp_path / "c.h5"), "test", 16).images.dtype == torch.complex64
