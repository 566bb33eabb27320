from dataclasses import replace

import numpy as np
import pytest
import torch

from smug.data.acquisition import Acquisition, AcquisitionRange
from smug.data.images.sets import Images
from smug.data.scan import Scan
from smug.training import batches
from smug.training.batches import load_training_data
from smug.training.config import DataConfig
from smug.training.prefetch import prefetched

CONFIG = DataConfig(size=32, count=6, validation=3)


def equal(one: Scan, other: Scan) -> bool:
    pairs = [(scan.y, scan.A.mask, scan.A.maps, scan.truth) for scan in (one, other)]
    return one.id == other.id and all(torch.equal(a, b) for a, b in zip(*pairs, strict=True))


def test_a_batch_is_a_function_of_seed_and_update():
    data = load_training_data(CONFIG)
    one, other = data.batch(7, 2, seed=1), load_training_data(CONFIG).batch(7, 2, seed=1)
    assert equal(one, other)
    assert not torch.equal(one.y, data.batch(8, 2, seed=1).y)
    assert not torch.equal(one.y, data.batch(7, 2, seed=2).y)


def test_with_a_cycle_the_same_batches_come_again():
    data = load_training_data(replace(CONFIG, cycle=3))
    scans = [data.batch(update, 2, seed=1) for update in range(1, 7)]
    assert all(equal(one, other) for one, other in zip(scans[:3], scans[3:], strict=True))
    assert not any(equal(scans[i], scans[j]) for i, j in ((0, 1), (1, 2), (0, 2)))
    assert data.names(2, 2, seed=1) == data.names(5, 2, seed=1)
    assert data.range == load_training_data(CONFIG).range


@pytest.mark.parametrize("mask", ["random", "poisson"])
@pytest.mark.parametrize("size", [32, 37])  # odd: no row begins where the last one's vectors end
def test_a_row_is_the_same_whatever_rows_are_asked_for(size, mask):
    acquisition = Acquisition(3, mask=mask, acceleration=1.5)
    data = load_training_data(DataConfig(size=size, count=6, validation=1, zooms=(1, 2), acquisition=acquisition))
    for update in (1, 2):
        whole = data.batch(update, 5, seed=0)
        assert data.names(update, 5, seed=0) == whole.id
        for i in range(5):
            assert equal(data.batch(update, 5, 0, slice(i, i + 1)), whole[i])
        for rank in range(3):
            mine = data.batch(update, 5, 0, slice(rank, None, 3))
            assert mine.id == whole.id[rank::3]
            assert torch.equal(mine.y, whole.y[rank::3]) and torch.equal(mine.truth, whole.truth[rank::3])


RANGE = AcquisitionRange(
    coils=(1, 5),
    acceleration=(2.0, 3.0),
    center_fraction=(0.15, 0.2),
    mask=("random", "equispaced", "variable-density", "poisson"),
    noise=(0.001, 0.05),
    phase=(0.0, 1.0),
    maps=("exact", "espirit"),
    background=(0.0, 0.01),
)
RANGES = DataConfig(
    size=48, count=6, validation=6, zooms=(1, 2), matrices=((48, 48), (40, 48)), pixels=(0.8, 1.25), acquisition=RANGE
)


def test_a_batch_of_ranges_is_a_function_of_seed_and_update_whatever_rows_and_workers():
    data = load_training_data(RANGES)
    wholes = {update: data.batch(update, 3, seed=4) for update in range(1, 13)}
    again = load_training_data(RANGES)
    for workers in (0, 2):
        made = prefetched(again, range(1, 13), 3, 4, workers=workers)
        assert all(equal(scan, wholes[update]) for update, scan in enumerate(made, 1))
    for update, whole in wholes.items():
        assert all(equal(data.batch(update, 3, 4, slice(i, i + 1)), whole[i]) for i in range(3))
        assert equal(data.batch(update, 2, seed=4), whole[:2])  # nor does it depend on the size of the batch


def test_batches_of_ranges_have_one_shape_each_and_all_in_turn():
    data = load_training_data(RANGES)
    scans = [data.batch(update, 3, seed=0) for update in range(60)]
    assert {scan.y.shape[-2:] for scan in scans} == {(48, 48), (40, 48)}
    assert {scan.y.shape[1] for scan in scans} == {1, 2, 3, 4, 5}
    assert {scan.A.mask.ndim for scan in scans} == {2, 3}
    lines = torch.stack([scan.A.mask.sum(-1).float() for scan in scans if scan.A.mask.ndim == 2])
    assert (lines.amax(1) > lines.amin(1)).any()  # each slice has a rate of its own
    assert lines.min() >= 48 / 3 - 2 and lines.max() <= 48 / 2 + 3


def test_validation_has_the_same_ranges_by_name():
    one, other = (load_training_data(RANGES).validation for _ in range(2))
    assert all(equal(a, b) for a, b in zip(one, other, strict=True))
    assert {scan.y.shape[-2:] for scan in one} == {(48, 48), (40, 48)}
    assert len({scan.y.shape[1] for scan in one}) > 1


def test_a_fixed_acquisition_makes_the_batches_that_it_always_made():
    data = load_training_data(replace(CONFIG, zooms=(1, 2)))
    rng = np.random.default_rng([5, 7])
    for name in data.names(7, 4, seed=5):
        source = data.sources[rng.integers(2)]
        row = int(rng.integers(len(source)))
        if source.images.shape[-1] > 32:
            rng.integers(8, 25, 2)
        assert source.names[row] == name
        rng.integers(8), rng.integers(2**62)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"acceleration": (2.0, 8.0)}, "a matrix of 48 x 48: got center_fraction=0.15, that is 7 centre lines of 48"),
        ({"center_fraction": (0.04, 0.2)}, "espirit maps: expected at least 4 central lines"),
    ],
)
def test_what_some_draw_of_a_range_cannot_be_is_told_before_training(changes, words):
    lines = replace(RANGE, mask="random", **changes)
    with pytest.raises(ValueError, match=words):
        load_training_data(replace(RANGES, acquisition=lines))


def test_only_the_rows_that_are_asked_for_are_simulated(monkeypatch):
    data, simulated = load_training_data(CONFIG), []
    simulate = batches.simulate
    monkeypatch.setattr(batches, "simulate", lambda *a: simulated.extend(a[-1]) or simulate(*a))
    names = data.names(3, 8, seed=0)
    assert len(names) == 8 and not simulated
    data.batch(3, 8, 0, slice(2, 4))
    assert tuple(simulated) == names[2:4]
    with pytest.raises(ValueError, match=r"rows: expected some of a batch of 2, got slice\(3, None, 4\)"):
        data.batch(3, 2, 0, slice(3, None, 4))


def test_batches_are_normalised_and_augmented():
    data = load_training_data(CONFIG)
    scans = [data.batch(update, 4, seed=0) for update in range(8)]
    peaks = torch.cat([scan.truth.abs().amax((1, 2)) for scan in scans])
    assert 0.3 < float(peaks.median()) < 3


def test_every_draw_of_a_slice_has_a_mask_maps_and_noise_of_its_own():
    data = load_training_data(replace(CONFIG, count=1, size=64))
    scans = [data.batch(update, 4, seed=0) for update in range(12)]
    assert {name for scan in scans for name in scan.id} == {"phantom-0"}
    assert len(torch.cat([scan.A.mask for scan in scans]).unique(dim=0)) == 48
    assert len(torch.cat([scan.A.maps[:, 0, 5, 7] for scan in scans]).angle().unique()) == 48


def test_a_fixed_mask_is_that_of_every_update_and_of_validation():
    data = load_training_data(replace(CONFIG, acquisition=Acquisition(fixed_mask=True)))
    scans = [*(data.batch(update, 2, seed=update % 2) for update in range(4)), *data.validation]
    assert len(torch.cat([scan.A.mask for scan in scans]).unique(dim=0)) == 1


def test_training_validation_and_test_phantoms_are_different():
    data = load_training_data(CONFIG)
    trained = set(data.sources[0].names)
    validated = {name for scan in data.validation for name in scan.id}
    assert len(trained) == 6
    assert len(validated) == 3
    assert not trained & validated


def test_zoomed_images_are_cropped_about_the_middle():
    data = load_training_data(DataConfig(size=32, count=8, validation=1, zooms=(2,)))
    assert data.sources[0].images.shape == (2, 64, 64)
    scan = data.batch(1, 4, seed=0)
    assert scan.truth.shape == (4, 32, 32)
    assert (scan.truth.abs().mean((1, 2)) > 0.05).all()


def test_the_memory_of_the_images_is_told():
    assert load_training_data(CONFIG).nbytes == 6 * 32 * 32 * 8


def test_dark_images_are_left_out(monkeypatch):
    load = batches.load_images

    def with_darkness(source, split, size, **settings) -> Images:
        found = load(source, split, size, **settings)
        return replace(found, images=found.images * (torch.arange(len(found)) % 2)[:, None, None])

    monkeypatch.setattr(batches, "load_images", with_darkness)
    data = load_training_data(replace(CONFIG, acquisition=Acquisition(noise=0.0)))
    assert data.sources[0].names == ("phantom-1", "phantom-3", "phantom-5")
    assert [scan.id for scan in data.validation] == [("phantom-1000001",)]
    assert {name for update in range(9) for name in data.batch(update, 4, 0).id} == set(data.sources[0].names)
    with pytest.raises(ValueError, match="phantom: expected images with signal, got only zeros"):
        load_training_data(replace(CONFIG, validation=1))


def test_a_slice_that_cannot_be_simulated_is_named():
    data = load_training_data(replace(CONFIG, acquisition=Acquisition(noise=0.0)))
    data.sources[0].images.zero_()
    with pytest.raises(ValueError, match=f"slice {data.names(1, 2, 0)[0]}: scale: expected signal"):
        data.batch(1, 2, 0)
