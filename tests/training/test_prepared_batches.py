"""Training on prepared sets, alone and beside images."""

from shutil import copytree

import h5py
import pytest
import torch

from benchmarks.prepare import write_volume
from smug.data.prepared.full_volume import Settings
from smug.data.prepared.prepare import prepare
from smug.data.simulate import Acquisition
from smug.training.batches import load_training_data
from smug.training.config import DataConfig

ACQUISITION = Acquisition(coils=2, acceleration=2.0, center_fraction=0.2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    volumes = [("train/a", 2, 32), ("train/b", 3, 40), ("train/c", 2, 32), ("val/d", 2, 32)]
    for seed, (name, coils, width) in enumerate(volumes):
        write_volume(folder / "source" / f"{name}.h5", 3, coils, (32, width), seed=seed)
    prepare(folder / "source", folder / "set", Settings(maps="calibration"))
    return folder / "set"


@pytest.fixture
def folder(whole, tmp_path):
    """A copy that may be damaged."""
    return copytree(whole, tmp_path / "set")


def config(*sources) -> DataConfig:
    return DataConfig(tuple(map(str, sources)), size=24, count=4, validation=4, acquisition=ACQUISITION)


def test_a_batch_is_a_function_of_seed_and_update(folder):
    data, again = (load_training_data(config(folder)) for _ in range(2))
    one, other = data.batch(7, 2, seed=1), again.batch(7, 2, seed=1)
    assert torch.equal(one.y, other.y) and torch.equal(one.A.mask, other.A.mask) and one.id == other.id
    assert not torch.equal(one.A.mask, data.batch(8, 2, seed=1).A.mask)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Volumes of one matrix and as many coils as 2, 3 and 5."""
    folder = tmp_path_factory.mktemp("mixed")
    for seed, (name, coils) in enumerate([("train/a", 2), ("train/b", 3), ("train/c", 5), ("val/d", 2)]):
        write_volume(folder / "source" / f"{name}.h5", 2, coils, (32, 32), seed=seed)
    prepare(folder / "source", folder / "set", Settings(maps="calibration"))
    return load_training_data(config(folder / "set"))


def test_coils_are_padded_to_the_most_of_the_batch(mixed):
    coils = {"a": 2, "b": 3, "c": 5}
    shapes = set()
    for update in range(12):
        scan = mixed.batch(update, 3, seed=0)
        most = max(coils[name[0]] for name in scan.id)
        shapes.add(tuple(scan.y.shape))
        assert scan.y.shape == scan.A.maps.shape == (3, most, 32, 32)
        for y, maps, name in zip(scan.y, scan.A.maps, scan.id, strict=True):
            own = coils[name[0]]
            assert y[:own].flatten(1).any(1).all() and not y[own:].any() and not maps[own:].any()
    assert len(shapes) > 1


def test_a_row_is_the_same_whatever_rows_are_asked_for(mixed):
    for update in range(4):
        whole = mixed.batch(update, 4, seed=0)
        assert mixed.names(update, 4, seed=0) == whole.id
        for i in range(4):
            one = mixed.batch(update, 4, 0, slice(i, i + 1))
            assert torch.equal(one.y, whole.y[i : i + 1]) and torch.equal(one.truth, whole.truth[i : i + 1])
            assert torch.equal(one.A.mask, whole.A.mask[i : i + 1]) and one.id == whole.id[i : i + 1]


def test_slices_of_a_batch_are_alike_and_all_are_seen(folder):
    data = load_training_data(config(folder))
    scans = [data.batch(update, 3, seed=0) for update in range(40)]
    assert {tuple(scan.y.shape) for scan in scans} == {(3, 2, 32, 32), (3, 3, 32, 40)}
    assert {name for scan in scans for name in scan.id} == {f"{v}-{i:03d}" for v in "abc" for i in range(3)}


def test_every_slice_has_a_new_mask_and_is_normalised(folder):
    data = load_training_data(config(folder))
    scans = [scan for update in range(20) if (scan := data.batch(update, 4, seed=0)).y.shape[1] == 2]
    masks = torch.cat([scan.A.mask for scan in scans])
    assert len(masks) > 4 * len({name for scan in scans for name in scan.id})  # each is drawn again and again
    assert len(masks.unique(dim=0)) > 0.9 * len(masks)
    assert (masks.sum(1) == 16).all()
    peaks = torch.cat([scan.truth.abs().amax((1, 2)) for scan in scans])
    assert float(peaks.min()) > 0.3 and float(peaks.max()) < 3


def test_images_and_prepared_slices_take_turns(folder):
    data = load_training_data(config(folder, "phantom"))
    names = [data.batch(update, 2, seed=0).id for update in range(20)]
    kinds = [{name.startswith("phantom") for name in pair} for pair in names]
    assert {True} in kinds and {False} in kinds and {True, False} not in kinds
    assert [scan.id[0][:1] for scan in data.validation] == ["d", "d", "p", "p"]


def test_a_set_needs_training_and_validation_slices(tmp_path):
    for present, missing in (("train", "val"), ("val", "train")):
        source, out = tmp_path / present, tmp_path / f"{present}-set"
        write_volume(source / present / "a.h5", 1, 2, (32, 32))
        prepare(source, out, Settings(maps="calibration"))
        with pytest.raises(ValueError, match=f"expected slices in the {missing} split"):
            load_training_data(config(out))


def with_nan(file, name):
    file[name][1, ..., 16] = float("nan")


def replaced(file, name, shape):
    del file[name]
    file[name] = torch.zeros(shape).numpy()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: with_nan(file, "kspace"), "y: expected finite numbers, got 64 that are NaN or infinite"),
        (lambda file: with_nan(file, "target"), "target: expected finite numbers, got 32 that are NaN or infinite"),
        (lambda file: with_nan(file, "maps"), "maps: expected sum over coils"),
        (
            lambda file: file.__delitem__("kspace"),
            "expected slice 1 of 'kspace', got none; smug prepare makes it again",
        ),
        (lambda file: file.__delitem__("mask"), "expected 'mask' of 32 columns, got none; smug prepare makes it again"),
        (lambda file: replaced(file, "mask", (3,)), "expected 'mask' of 32 columns, got none"),
        (
            lambda file: replaced(file, "maps", (3, 9, 32, 32)),
            r"expected 'maps' of shape \(2, 32, 32\), got \(9, 32, 32\)",
        ),
        (lambda file: file["target"].resize(1, axis=0), "expected slice 1 of 'target', got none"),
        (lambda file: file.attrs.update(sha256="0"), "not the volume that the manifest names"),
    ],
)
def test_a_damaged_slice_is_named_with_its_file(folder, damage, message):
    data = load_training_data(config(folder))
    for path in (folder / "volumes").iterdir():
        with h5py.File(path, "r+") as file:
            damage(file)
    update = next(update for update in range(50) if data.names(update, 1, seed=0)[0] in ("a-001", "c-001"))
    name = data.names(update, 1, seed=0)[0]
    path = folder / "volumes" / f"{name[0]}.h5"
    with pytest.raises(ValueError, match=message) as raised:
        data.batch(update, 1, seed=0)
    assert str(raised.value).startswith(f"{path}: slice {name}: ")
    assert str(raised.value).count(str(path)) == 1


def test_a_file_that_is_cut_or_gone_is_named_with_the_slice(folder):
    data = load_training_data(config(folder))
    name = data.names(1, 1, seed=0)[0]
    path = folder / "volumes" / f"{name[0]}.h5"
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(ValueError, match="the HDF5 file is damaged or not complete") as damaged:
        data.batch(1, 1, seed=0)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="no such file") as gone:
        data.batch(1, 1, seed=0)
    for raised in (damaged, gone):
        assert str(raised.value).startswith(f"{path}: slice {name}: ")
