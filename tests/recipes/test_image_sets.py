"""The converters of public image sets, on small files of the same kinds as their sources."""

import subprocess
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest
from scipy.io import savemat

from recipes.data import knee, multicoil, openms, siat
from smug.data.images.read import read_image_hdf5
from smug.data.images.sets import SETS, load_images

from ..properties import assert_refused

ROOT = Path(__file__).parents[2]


def forms(path):
    """Names, types, numbers of axes and attributes of a file's data sets."""
    with h5py.File(path) as file:
        return {
            name.partition("_")[0] if name.startswith("patient") else name: (
                data.dtype,
                data.ndim,
                data.compression,
                set(data.attrs),
            )
            for name, data in file.items()
        }, set(file.attrs)


@pytest.fixture
def siat_source(tmp_path, monkeypatch):
    """Two subjects for training, one each to validate and to test with, of three files each."""
    monkeypatch.setattr(siat, "SPLITS", {"train": (1, 3), "val": (2,), "test": (4,)})
    monkeypatch.setattr(siat, "BLOCK", 3)
    rng = np.random.default_rng(0)
    images = {n: 1e-7 * (rng.normal(size=(16, 16)) + 1j * rng.normal(size=(16, 16))) for n in range(1, 13)}
    (tmp_path / "source").mkdir()
    for number, image in images.items():
        savemat(tmp_path / "source" / f"{number}.mat", {"Img": image})
    return tmp_path / "source", images


def test_siat(siat_source, tmp_path):
    source, images = siat_source
    siat.convert(source, tmp_path, {"cor": 1})
    with h5py.File(tmp_path / SETS["siat"] / "train.h5") as file:
        assert file["source_index"][()].tolist() == [1, 2, 3, 7, 8, 9]
        assert file["subject"][()].tolist() == [1] * 3 + [3] * 3
        assert file["plane"][()].tolist() == [b"ax", b"cor", b"sag"] * 2
        parts = file["image_ri"][()] * file["scale"][()][:, None, None, None]
        assert np.abs(file["image_ri"][()]).max((1, 2, 3)).tolist() == [2047] * 6
    for row, number in enumerate((1, 2, 3, 7, 8, 9)):
        image = np.rot90(images[number], 1 if number in (2, 8) else 0)
        assert parts[row, 0] + 1j * parts[row, 1] == pytest.approx(image, abs=np.abs(image).max() / 2047)
    assert len(load_images("siat", "test", 16, root=tmp_path)) == 3
    subjects = [set(load_images("siat", split, 16, root=tmp_path).subjects) for split in ("train", "val", "test")]
    assert subjects == [{"1", "3"}, {"2"}, {"4"}]


def test_siat_files_that_are_missing_or_something_else(siat_source, tmp_path):
    source, _ = siat_source
    savemat(source / "7.mat", {"other": np.ones((4, 4))})
    assert_refused(lambda: siat.convert(source, tmp_path), "7.mat: expected a variable Img (y, x), got ['other']")
    (source / "7.mat").unlink()
    assert_refused(lambda: siat.convert(source, tmp_path), "7.mat; expected 1.mat to 420.mat", error=FileNotFoundError)
    assert not (tmp_path / SETS["siat"]).exists()


AXES = {"LPS": "as it is wanted", "RAS": "turned by half", "PLS": "transposed", "LAI": "from head to foot"}


@pytest.mark.parametrize("codes", AXES, ids=AXES.values())
def test_openms_is_upright_whichever_way_a_volume_is_stored(codes, tmp_path):
    # values tell place: 100 per slice, 10 per row from the front, 1 per column from the right, in a volume (L, P, S)
    column, row, between = np.meshgrid(np.arange(5), np.arange(4), np.arange(6), indexing="ij")
    lps = nibabel.Nifti1Image((100 * between + 10 * row + column).astype(np.int16), np.diag([-0.5, -0.7, 3.0, 1.0]))
    turn = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(lps.affine), nibabel.orientations.axcodes2ornt(codes)
    )
    nibabel.save(lps.as_reoriented(turn), tmp_path / "volume.nii.gz")
    values, voxel = openms.upright(tmp_path / "volume.nii.gz")
    assert voxel == pytest.approx([0.7, 0.5, 3.0])
    if codes.endswith("I"):
        values = values[::-1]
    assert (values == np.arange(6)[:, None, None] * 100 + np.arange(4)[:, None] * 10 + np.arange(5)).all()
    assert values.dtype == np.uint16


def test_openms(tmp_path, monkeypatch):
    monkeypatch.setattr(
        openms,
        "SLICES",
        {
            "train": {"patient01/study1_T1W": (1, 3)},
            "val": {"patient20/study2_FLAIR": (0, 2)},
            "test": {"patient19/study1_T2W": (2, 2)},
        },
    )
    volume = np.random.default_rng(0).integers(1, 900, (12, 10, 8)).astype(np.int16)
    for volumes in openms.SLICES.values():
        for name in volumes:
            path = tmp_path / "raw" / f"{name}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(volume, np.diag([-0.9, -0.9, 3.0, 1.0])), path)
    openms.convert(tmp_path / "raw", tmp_path)
    with h5py.File(tmp_path / SETS["openms"] / "train.h5") as file:
        stored = file["patient01_study1_T1W"]
        assert stored.attrs["source_slice_index"].tolist() == [1, 3, 5]
        assert (stored[()] == volume.transpose(2, 1, 0)[[1, 3, 5]]).all()
        assert (stored.attrs["patient"], stored.attrs["study"], stored.attrs["contrast"]) == (
            "patient01",
            "study1",
            "T1W",
        )
    assert len(load_images("openms", "train", 16, root=tmp_path)) == 3


def test_openms_volumes_are_axial_magnitudes(tmp_path):
    path = tmp_path / "volume.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 4, 4), np.int16), np.eye(4)[[0, 2, 1, 3]]), path)
    assert_refused(lambda: openms.upright(path), "expected slices along the third axis, from foot to head, got RSA")
    nibabel.save(nibabel.Nifti1Image(-np.ones((4, 4, 4), np.int16), np.eye(4)), path)
    assert_refused(lambda: openms.upright(path), "expected magnitudes up to 65535, got -1 to -1")
    assert_refused(lambda: openms.upright(tmp_path / "missing.nii.gz"), "no such volume", error=FileNotFoundError)


def test_knee(tmp_path):
    pictures = [
        knee.Picture(6.3 * echo, 3.0 * place, np.full((8, 8), 100 * echo + place, np.int16))
        for place in (2, 0, 1)
        for echo in range(7, 0, -1)
    ]
    path = tmp_path / SETS["knee"]
    knee.store(pictures, path)
    with h5py.File(path) as file:
        assert set(file) == {"echo2_TE12.6ms", "echo6_TE37.8ms", "slice_location_mm"}
        assert file["echo2_TE12.6ms"][:, 0, 0].tolist() == [200, 201, 202]
        assert file["slice_location_mm"][()].tolist() == [0, 3, 6]
    assert len(load_images("knee", "test", 8, root=tmp_path)) == 6
    assert_refused(lambda: knee.store(pictures[1:], path), "expected 6 echoes or more of the same slices")
    assert_refused(lambda: knee.convert(tmp_path, tmp_path), "no DICOM files", error=FileNotFoundError)


def test_multicoil(tmp_path):
    rng = np.random.default_rng(0)
    coils = rng.normal(size=(3, 12, 10)) + 1j * rng.normal(size=(3, 12, 10))
    kspace = multicoil.transformed(coils)
    sampled = kspace * (rng.random((12, 10)) < 0.5)
    savemat(tmp_path / "MPRAGE_multi_channel.mat", {"kData": kspace.transpose(1, 2, 0), "kMask": np.ones((12, 10))})
    savemat(tmp_path / "raw_data.mat", {"raw": kspace.transpose(1, 2, 0)[:, :, None]})
    savemat(tmp_path / "4h_GE.mat", {"images": coils.transpose(1, 2, 0)})
    savemat(tmp_path / "se_t1_sag_data.mat", {"d": kspace[0]})
    np.save(tmp_path / "cartesian_ksp.npy", sampled)
    made = {path.name: path for path in multicoil.convert(tmp_path, tmp_path)}
    assert set(made) == set(multicoil.FILES)
    for name in ("brain_mprage_4ch.h5", "brain_16ch_96.h5", "brain_t1_4ch.h5"):
        with h5py.File(made[name]) as file:
            assert file["kspace"][0] == pytest.approx(kspace, abs=1e-5)
            assert file["reconstruction_rss"][0] == pytest.approx(np.sqrt((abs(coils) ** 2).sum(0)), abs=1e-5)
            assert file.attrs["max"] == pytest.approx(file["reconstruction_rss"][()].max())
    with h5py.File(made["brain_8ch_undersampled_R8.h5"]) as file:
        assert (file["mask"][()] == (sampled != 0).any(0)).all() and file["mask"].dtype == np.uint8
    with h5py.File(made["brain_t1_sag_1ch.h5"]) as file:
        assert file["kspace"].shape == (1, 1, 12, 10) and "mask" not in file
    with pytest.raises(FileNotFoundError, match=r"expected one of MPRAGE_multi_channel\.mat"):
        multicoil.convert(tmp_path / "empty", tmp_path)


def test_sets_have_the_form_of_those_that_results_are_of(siat_source, tmp_path, data_root):
    siat.convert(siat_source[0], tmp_path)
    for split in ("train", "val", "test"):
        name = f"{SETS['siat']}/{split}.h5"
        assert forms(tmp_path / name) == forms(data_root / name)
        volumes = read_image_hdf5(data_root / SETS["openms"] / f"{split}.h5")
        wanted = openms.SLICES[split]
        assert {v.name: len(v.slices) for v in volumes} == {
            name.replace("/", "_"): count for name, (_, count) in wanted.items()
        }
        with h5py.File(data_root / SETS["openms"] / f"{split}.h5") as file:
            for name, (first, count) in wanted.items():
                indices = file[name.replace("/", "_")].attrs["source_slice_index"]
                assert indices.tolist() == list(range(first, first + 2 * count, 2))


def test_the_batch_script_is_one_that_bash_understands():
    subprocess.run(["bash", "-n", ROOT / "recipes" / "slurm.sbatch"], check=True)  # noqa: S607
