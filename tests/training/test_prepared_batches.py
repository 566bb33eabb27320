"""Training on prepared sets, alone and beside images."""

import pytest
import torch

from smug.bench.prepare import write_volume
from smug.data.prepared.prepare import prepare
from smug.data.prepared.source_volumes import Settings
from smug.data.simulate import Acquisition
from smug.training.batches import load_training_data
from smug.training.config import DataConfig

ACQUISITION = Acquisition(coils=2, acceleration=2.0, center_fraction=0.2)


@pytest.fixture
def folder(tmp_path):
    volumes = [("train/a", 2, 32), ("train/b", 3, 40), ("train/c", 2, 32), ("val/d", 2, 32)]
    for seed, (name, coils, width) in enumerate(volumes):
        write_volume(tmp_path / "source" / f"{name}.h5", 3, coils, (32, width), seed=seed)
    prepare(tmp_path / "source", tmp_path / "set", Settings(maps="calibration"))
    return tmp_path / "set"


def config(*sources) -> DataConfig:
    return DataConfig(tuple(map(str, sources)), size=24, count=4, validation=4, acquisition=ACQUISITION)


def test_a_batch_is_a_function_of_seed_and_update(folder):
    data, again = (load_training_data(config(folder)) for _ in range(2))
    one, other = data.batch(7, 2, seed=1), again.batch(7, 2, seed=1)
    assert torch.equal(one.y, other.y) and torch.equal(one.A.mask, other.A.mask) and one.id == other.id
    assert not torch.equal(one.A.mask, data.batch(8, 2, seed=1).A.mask)


def test_slices_of_a_batch_are_alike_and_all_are_seen(folder):
    data = load_training_data(config(folder))
    scans = [data.batch(update, 3, seed=0) for update in range(40)]
    assert {tuple(scan.y.shape) for scan in scans} == {(3, 2, 32, 32), (3, 3, 32, 40)}
    assert {name for scan in scans for name in scan.id} == {f"{v}-{i:03d}" for v in "abc" for i in range(3)}


def test_every_slice_has_a_new_mask_and_is_normalised(folder):
    data = load_training_data(config(folder))
    scans = [scan for update in range(20) if (scan := data.batch(update, 4, seed=0)).y.shape[1] == 2]
    masks = torch.cat([scan.A.mask for scan in scans])
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
