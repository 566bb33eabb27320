"""The reader of prepared sets: what it gives, lazily, and what it says of sets that are not whole."""

import json
from pathlib import Path

import h5py
import pytest
import torch

from benchmarks.prepare import write_volume
from smug.data.prepared.full_volume import Settings
from smug.data.prepared.manifest import Manifest
from smug.data.prepared.prepare import prepare
from smug.data.prepared.set import PreparedSet, is_prepared, undersampled_slices
from smug.data.simulate import Acquisition, named_seed
from smug.physics.masks import random_lines

from ...properties import assert_refused

ACQUISITION = Acquisition(acceleration=2.0, center_fraction=0.2)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Zero-padded volumes of two shapes; the test split is empty."""
    for seed, (name, coils, width) in enumerate([("train/a", 3, 40), ("train/b", 3, 40), ("val/c", 2, 36)]):
        path = tmp_path / "source" / f"{name}.h5"
        write_volume(path, 2, coils, (32, width), seed=seed)
        with h5py.File(path, "r+") as file:
            file["kspace"][...] *= 1e-5
            file["kspace"][..., :4] = 0
            file["kspace"][..., -4:] = 0
    prepare(tmp_path / "source", tmp_path / "set", Settings(maps="calibration"))
    return tmp_path / "set"


def test_slices_are_known_without_reading_them(folder):
    data = PreparedSet.open(folder)
    slices = data.slices("train")
    assert [which.name for which in slices] == ["a-000", "a-001", "b-000", "b-001"]
    assert [which.subject for which in slices] == 2 * ["train/a.h5"] + 2 * ["train/b.h5"]
    assert slices[0].shape == (3, 32, 40) and data.slices("val")[0].shape == (2, 32, 36)
    assert [which.name for which in data.slices("train", 2)] == ["a-001", "b-001"]
    assert data.kspace == "measured"


def test_a_scan_holds_what_was_stored(folder, tmp_path):
    data = PreparedSet.open(folder)
    which = data.slices("train")[1]
    scan = data.scan(which)
    with h5py.File(tmp_path / "source" / "train" / "a.h5") as file:
        assert torch.equal(scan.y[0], torch.from_numpy(file["kspace"][1]))
    assert scan.A.mask[0].tolist() == 4 * [False] + 32 * [True] + 4 * [False]
    assert scan.id == ("a-001",) and scan.y.shape == (1, 3, 32, 40)
    torch.testing.assert_close(scan.truth, scan.A.H(scan.y))
    torch.testing.assert_close(scan.A.maps.abs().square().sum(1), torch.ones(1, 32, 40))


@pytest.mark.parametrize("kind", ["random", "equispaced", "variable-density", "poisson"])
def test_masks_keep_encoded_lines_only(folder, kind):
    data = PreparedSet.open(folder)
    which = data.slices("train")[0]
    acquisition = Acquisition(acceleration=1.5, center_fraction=0.2, mask=kind)
    mask = which.mask(acquisition, 3)
    scan = data.scan(which, mask)
    assert mask.shape == ((1, 32, 40) if kind == "poisson" else (1, 40))
    assert torch.equal(scan.A.mask, mask) and not mask[..., :4].any() and not mask[..., -4:].any()
    assert not scan.y[~scan.A.sampled.expand_as(scan.y)].any()
    assert torch.equal(scan.y, scan.A.sampled * data.scan(which).y)


def test_a_mask_of_padding_keeps_nothing_of_it(folder):
    data = PreparedSet.open(folder)
    which = data.slices("train")[0]
    scan = data.scan(which, torch.ones(1, 40, dtype=torch.bool))
    assert torch.equal(scan.A.mask, data.scan(which).A.mask)


def test_undersampled_slices_are_a_function_of_their_names(folder):
    data = PreparedSet.open(folder)
    scans = undersampled_slices(data, data.slices("train"), ACQUISITION)
    again = undersampled_slices(data, data.slices("train")[2:], ACQUISITION)
    assert len(scans) == 4 and [scan.id[0] for scan in scans] == ["a-000", "a-001", "b-000", "b-001"]
    assert torch.equal(scans[2].y, again[0].y) and torch.equal(scans[-1].y, scans[1:][2].y)
    assert not torch.equal(scans[0].A.mask, scans[1].A.mask)
    seed = named_seed("mask", named_seed("a-000"))
    assert torch.equal(scans[0].A.mask[:, 4:-4], random_lines(32, 2.0, 0.2, seed=seed))
    assert all(0.3 < float(scan.truth.abs().max()) < 3 for scan in scans)
    with pytest.raises(IndexError):
        scans[4]


def test_a_split_without_slices_is_named_with_the_others(folder):
    data = PreparedSet.open(folder)
    with pytest.raises(ValueError, match=r"the test split, got none \(volumes: train 2, val 1, test 0\).*smug prepare"):
        data.slices("test")
    assert data.slices("all") == (*data.slices("train"), *data.slices("val"))
    assert_refused(lambda: data.slices("every"), "expected one of train, val, test, all")


def test_a_prepared_folder_is_told_from_others(folder, tmp_path):
    assert is_prepared(folder) and not is_prepared(tmp_path) and not is_prepared("phantom")
    (folder / "manifest.json").unlink()
    assert is_prepared(folder)  # though not a whole one
    assert_refused(lambda: PreparedSet.open(folder), "smug prepare makes it again", error=FileNotFoundError)


def test_missing_and_damaged_volumes_are_named(folder):
    data = PreparedSet.open(folder)
    which = data.slices("val")[0]
    path = folder / "volumes" / "c.h5"
    whole = path.read_bytes()
    path.write_bytes(whole[:-5000])
    assert_refused(lambda: data.scan(which), "c.h5: the HDF5 file is damaged")
    path.write_bytes((folder / "volumes" / "a.h5").read_bytes())
    assert_refused(lambda: data.scan(which), "not the volume that the manifest names; smug prepare makes it again")
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        file["maps"].resize(1, axis=0)
    assert_refused(lambda: data.scan(data.slices("val")[1]), "expected slice 1 of 'maps'")
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"1 volumes are missing, such as c\.h5; smug prepare makes it again"):
        PreparedSet.open(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(schema="smug-prepared-0"),
        lambda d: d["splits"].update(test=["a.h5"]),
        lambda d: d["volumes"].pop(),
        lambda d: d["volumes"][0].update(sha256="0"),
        lambda d: d["volumes"][0].update(file="../../etc/passwd"),
        lambda d: d["volumes"][0].update(matrix=7),
        lambda d: d.pop("splits"),
        lambda d: d.clear(),
    ],
)
def test_a_manifest_that_was_changed_is_refused(folder, change):
    document = json.loads((folder / "manifest.json").read_text())
    change(document)
    (folder / "manifest.json").write_text(json.dumps(document))
    assert_refused(lambda: Manifest.read(folder), "smug prepare makes it again")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '"text"', "[" * 100_000])
def test_a_manifest_that_is_none_is_refused(folder, text):
    (folder / "manifest.json").write_text(text)
    assert_refused(lambda: Manifest.read(folder), "manifest.json: not the manifest")


def test_the_hash_of_a_set_is_that_of_its_contents_and_splits(folder, tmp_path):
    source, maps = tmp_path / "source", Settings(maps="calibration")
    first = Manifest.read(folder).sha256
    assert prepare(source, tmp_path / "same", maps).manifest.sha256 == first
    assert prepare(source, tmp_path / "other", Settings(maps="espirit")).manifest.sha256 != first
    (source / "val").rename(source / "test")
    assert prepare(source, tmp_path / "split", maps).manifest.sha256 != first
