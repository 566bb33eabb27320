import torch

from smug.training.batches import load_training_data
from smug.training.config import DataConfig

CONFIG = DataConfig(size=32, count=6, validation=3)


def test_a_batch_is_a_function_of_seed_and_update():
    data = load_training_data(CONFIG)
    one, other = data.batch(7, 2, seed=1), load_training_data(CONFIG).batch(7, 2, seed=1)
    assert torch.equal(one.y, other.y)
    assert torch.equal(one.truth, other.truth)
    assert one.id == other.id
    assert not torch.equal(one.y, data.batch(8, 2, seed=1).y)
    assert not torch.equal(one.y, data.batch(7, 2, seed=2).y)


def test_batches_are_normalised_and_augmented():
    data = load_training_data(CONFIG)
    scans = [data.batch(update, 4, seed=0) for update in range(8)]
    peaks = torch.cat([scan.truth.abs().amax((1, 2)) for scan in scans])
    assert 0.3 < float(peaks.median()) < 3
    masks = torch.cat([scan.A.mask for scan in scans])
    assert len(masks.unique(dim=0)) > 16


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
