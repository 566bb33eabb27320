import pytest
import torch

from smug.training import methods, runs, trainer
from smug.training.batches import load_training_data
from smug.training.presets import PRESETS
from smug.training.reading import merge

TINY = merge(PRESETS["tiny"], {"data": {"size": 32, "count": 4, "validation": 2}, "optimizer": {"updates": 4}})


@pytest.fixture(scope="module")
def data():
    return load_training_data(TINY.data)


def configured(method, **changes):
    return merge(TINY, {"method": method, **changes})


@pytest.mark.parametrize("method", ["pretrain", "modl", "rs-e2e", "smug", "weighted-smug"])
def test_every_method_trains_and_its_run_loads(method, data, tmp_path, device):
    config = configured(method, optimizer={"updates": 3, "validate_every": 2})
    f = methods.build(config).to(device)
    before = {name: value.clone() for name, value in f.networks().state_dict().items()}
    losses = []
    log = trainer.train(f, config, data, tmp_path / "run", losses.append)
    assert [entry.update for entry in log] == [2, 3]
    assert len(losses) == 3
    after = f.networks().state_dict()
    assert all(not torch.equal(before[name], after[name]) for name in after if name.endswith("tail.0.weight"))
    model = runs.load_weights(tmp_path / "run")
    assert model.config == config
    stored = model.reconstructor.networks().state_dict()
    assert stored.keys() == after.keys()
    assert all(torch.equal(stored[name].to(device), after[name]) for name in after)
    assert not any(network.training for network in model.reconstructor.networks().values())
    assert (tmp_path / "run" / "log.csv").read_text().count("\n") == 3


def test_training_is_deterministic(data, tmp_path):
    weights = []
    for name in ("a", "b"):
        f = methods.build(configured("smug"))
        trainer.train(f, configured("smug"), data, tmp_path / name)
        weights.append(f.networks().state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_one_image_is_learned(tmp_path):
    config = configured(
        "modl",
        data={"count": 1, "acquisition": {"noise": 0.0}},
        optimizer={"updates": 120, "batch": 4, "validate_every": 60, "learning_rate": 3e-3},
    )
    losses = []
    trainer.train(methods.build(config), config, load_training_data(config.data), tmp_path, losses.append)
    assert sum(losses[-30:]) < 0.8 * sum(losses[:30])


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_slices(data, tmp_path):
    config = configured("modl", optimizer={"updates": 4, "validate_every": 1})
    f = methods.build(config)
    first = trainer.train(f, config, data, tmp_path)
    kept = (tmp_path / runs.WEIGHTS).read_bytes()
    with torch.no_grad():
        next(f.networks().parameters()).fill_(torch.nan)
    with pytest.raises(ValueError, match=r"update 1: the loss is nan for slices phantom-"):
        trainer.train(f, config, data, tmp_path)
    assert (tmp_path / runs.WEIGHTS).read_bytes() == kept
    assert first


def test_initialise_copies_the_denoiser(data, tmp_path):
    config = configured("modl")
    f = methods.build(config)
    trainer.train(f, config, data, tmp_path)
    g = methods.build(configured("weighted-smug"))
    runs.initialise(g, tmp_path)
    scan = data.validation[0].normalised()
    torch.testing.assert_close(g.denoiser(scan.truth), f.denoiser(scan.truth))


@pytest.mark.parametrize("updates", [1, 2, 9, 10, 11])
def test_short_runs(updates, data, tmp_path):
    config = configured("modl", steps=1, optimizer={"updates": updates, "batch": 1, "validate_every": 100})
    (entry,) = trainer.train(methods.build(config), config, data, tmp_path)
    assert entry.update == updates


def test_building_leaves_the_global_generators_alone():
    before = torch.get_rng_state()
    methods.build(TINY)
    assert torch.equal(before, torch.get_rng_state())
