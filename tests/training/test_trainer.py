import signal
from dataclasses import replace
from unittest.mock import Mock

import pytest
import torch

from smug.models.adapters import as_complex
from smug.models.classical import CGSense
from smug.system.distributed import ALONE
from smug.system.stopping import Stopped
from smug.training import methods, pictures, records, runs, trainer, validation
from smug.training.batches import load_training_data
from smug.training.checkpoint import CHECKPOINT, weights_hash
from smug.training.config import RIDGE_METHODS
from smug.training.config_file import merge
from smug.training.configured import build
from smug.training.learner import Learner, drawn_steps
from smug.training.log import read_log
from smug.training.presets import PRESETS

TINY = merge(
    PRESETS["tiny"],
    {
        "data": {"size": 32, "count": 4, "validation": 2},
        "optimizer": {"updates": 4},
        "compute": {"checkpoint_seconds": 0.0},
    },
)


@pytest.fixture(scope="module")
def data():
    return load_training_data(TINY.data)


def configured(method, **changes):
    network = {"network": {"kind": "ridge"}} if method in RIDGE_METHODS else {}
    return merge(TINY, {"method": method, **network, **changes})


def trained(config, data, out, **options):
    f = build(config)
    return f, trainer.train(f, config, data, out, **options)


@pytest.mark.parametrize("method", methods.METHODS)
def test_every_method_trains_and_its_run_loads(method, data, tmp_path, device):
    config = configured(method, optimizer={"updates": 3, "validate_every": 2})
    f = build(config).to(device)
    before = {name: value.clone() for name, value in f.networks().state_dict().items()}
    reported = []
    log = trainer.train(f, config, data, tmp_path / "run", report=reported.append)
    assert [entry.update for entry in log] == [1, 2, 3]
    assert [entry.validation_psnr is not None for entry in log] == [False, True, True]
    assert reported == log == read_log(tmp_path / "run" / "log.csv")
    after = f.networks().state_dict()
    assert all(not torch.equal(before[name], after[name]) for name in after if name.endswith("tail.0.weight"))
    model = runs.load_weights(tmp_path / "run")
    assert model.config == config
    stored = model.reconstructor.networks().state_dict()
    assert stored.keys() == after.keys()
    assert all(torch.equal(stored[name].to(device), after[name]) for name in after)
    assert not any(network.training for network in model.reconstructor.networks().values())
    drawn = [path.relative_to(tmp_path / "run").as_posix() for path in (tmp_path / "run").rglob("*.png")]
    assert sorted(drawn) == ["losses.png", "validation/000002.png", "validation/000003.png"]


class WithState(torch.nn.Conv2d):
    """A network with state that is no tensor."""

    def get_extra_state(self):
        return {"epoch": 1}

    def set_extra_state(self, state):
        pass


@pytest.mark.parametrize(
    ("network", "told"),
    [
        (torch.nn.Identity(), "nothing to train"),
        (torch.nn.Conv2d(2, 2, 1).requires_grad_(False), "nothing to train"),
        (torch.nn.Conv2d(2, 2, 1).bfloat16(), "single or double precision"),
        (WithState(2, 2, 1), "state of tensors"),
    ],
)
def test_networks_that_cannot_be_trained_or_stored_are_refused(network, told, data, tmp_path):
    config = configured("modl")
    with pytest.raises(ValueError, match=told):
        trainer.train(build(config, as_complex(network)), config, data, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_pictures_of_a_run_are_drawn(data, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "write_losses", pictures.write_losses)
    monkeypatch.setattr(validation, "write_validation", pictures.write_validation)
    trained(configured("modl", optimizer={"updates": 1, "validate_every": 1}), data, tmp_path)
    for name in ("losses.png", "validation/000001.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_training_is_deterministic(data, tmp_path):
    one, other = (trained(configured("smug"), data, tmp_path / name)[0] for name in ("a", "b"))
    assert weights_hash(one.networks()) == weights_hash(other.networks())


def test_one_image_is_learned(tmp_path):
    config = configured(
        "modl",
        data={"count": 1, "acquisition": {"noise": 0.0}},
        optimizer={"updates": 120, "batch": 4, "validate_every": 60, "learning_rate": 3e-3},
        compute={"checkpoint_seconds": 60.0},
    )
    _, log = trained(config, load_training_data(config.data), tmp_path)
    losses = [entry.loss for entry in log]
    assert sum(losses[-30:]) < 0.8 * sum(losses[:30])


class CutError(Exception):
    """The process ends here."""


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("modl", {}),
        ("weighted-smug", {"compute": {"accumulate": 2, "recompute": True, "precision": "bf16"}}),
        ("adversarial-smug", {"stability_target": "frozen-denoised-iterate"}),
    ],
)
def test_a_resumed_run_ends_with_the_same_bits(method, changes, data, tmp_path):
    config = configured(method, **changes)
    whole, log = trained(config, data, tmp_path / "whole")

    def cut(entry):
        if entry.update == 2:
            raise CutError

    with pytest.raises(CutError):
        trained(config, data, tmp_path / "cut", report=cut)
    with (tmp_path / "cut" / "log.csv").open("a") as file:
        file.write("3,0.1,")  # killed while it wrote
    resumed, entries = trained(config, data, tmp_path / "cut", resume=True)
    assert weights_hash(resumed.networks()) == weights_hash(whole.networks())
    assert [(e.update, e.terms, e.gradient_norm) for e in entries] == [
        (e.update, e.terms, e.gradient_norm) for e in log
    ]
    assert read_log(tmp_path / "cut" / "log.csv") == entries
    again, same = trained(config, data, tmp_path / "cut", resume=True)
    assert same == entries and weights_hash(again.networks()) == weights_hash(whole.networks())


RANGES = {
    "data": {
        "matrices": [[32, 32], [24, 32]],
        "pixels": [0.8, 1.25],
        "acquisition": {
            "coils": [1, 3],
            "acceleration": [2, 3],
            "center_fraction": [0.15, 0.2],
            "mask": ["random", "equispaced", "variable-density"],
            "noise": [0.001, 0.05],
            "maps": ["exact", "espirit"],
        },
    },
    "lam": 2.0,
    "learn_lam": True,
    "lam_times": "residual",
}


@pytest.mark.parametrize("method", ["modl", "weighted-smug", "rs-e2e", "adversarial"])
def test_runs_on_ranges_learn_lam_resume_to_the_same_bits_and_start_others(method, tmp_path):
    config = configured(method, **RANGES, optimizer={"learning_rate": 0.01}, compute={"accumulate": 2})
    data = load_training_data(config.data)
    whole, log = trained(config, data, tmp_path / "whole")
    assert float(whole.lam.factor) != pytest.approx(2.0, rel=1e-3)

    def cut(entry):
        if entry.update == 2:
            raise CutError

    with pytest.raises(CutError):
        trained(config, data, tmp_path / "cut", report=cut)
    resumed, entries = trained(config, data, tmp_path / "cut", resume=True)
    assert weights_hash(resumed.networks()) == weights_hash(whole.networks())
    assert [entry.terms for entry in entries] == [entry.terms for entry in log]

    model = runs.load_weights(tmp_path / "whole")
    assert model.config == config and float(model.reconstructor.lam.factor) == float(whole.lam.factor)
    assert model.training_range() == config.data.range == data.range
    assert model.training_range().coils == (1, 2, 3)
    scan = data.validation[0].normalised()
    assert torch.equal(model.reconstructor(scan.y, scan.A), whole(scan.y, scan.A))

    other = build(merge(config, {"method": "smug"}))
    runs.initialise(other, tmp_path / "whole")
    assert float(other.lam.factor) == float(whole.lam.factor)


def test_pretraining_has_no_lam_to_learn(data, tmp_path):
    config = configured("pretrain", lam=0.1, learn_lam=True)
    f, _ = trained(config, data, tmp_path)
    trained(config, data, tmp_path, resume=True)
    assert "lam" not in f.networks()
    other = build(configured("modl", lam=0.2, learn_lam=True))
    runs.initialise(other, tmp_path)
    assert float(other.lam) == pytest.approx(0.2)


def test_two_runs_in_a_folder_are_one_too_many(data, tmp_path):
    def meanwhile(_: object) -> None:
        with pytest.raises(ValueError, match="another process is training there"):
            trained(configured("modl"), data, tmp_path, resume=True)

    _, log = trained(configured("modl"), data, tmp_path, report=meanwhile)
    assert len(log) == 4 and not (tmp_path / ".lock").exists()
    trained(configured("modl"), data, tmp_path, resume=True)


def test_resume_without_a_checkpoint_begins(data, tmp_path):
    _, log = trained(configured("modl"), data, tmp_path, resume=True)
    assert [entry.update for entry in log] == [1, 2, 3, 4]


class Dropping(torch.nn.Module):
    """Somebody's network, with random numbers of torch's own and running statistics."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(2, 2, 3, padding=1)
        self.norm, self.dropout = torch.nn.BatchNorm2d(2), torch.nn.Dropout(0.3)

    def forward(self, x):
        parts = torch.view_as_real(x).movedim(-1, 1)
        parts = parts + 0.1 * self.dropout(self.norm(self.layer(parts)))
        return torch.complex(parts[:, 0], parts[:, 1])


def test_a_network_with_dropout_resumes_too(data, tmp_path):
    config = configured("modl", network={"kind": "file", "file": "mine.py:net"})
    network = Dropping()
    start = {name: value.clone() for name, value in network.state_dict().items()}

    def run(out, **options):
        network.load_state_dict(start)
        f = build(config, network)
        try:
            trainer.train(f, config, data, out, **options)
        except CutError:
            return None
        return weights_hash(f.networks())

    def cut(entry):
        if entry.update == 2:
            raise CutError

    state = torch.get_rng_state()
    whole = run(tmp_path / "whole")
    assert torch.equal(state, torch.get_rng_state())
    run(tmp_path / "cut", report=cut)
    torch.rand(7)
    assert run(tmp_path / "cut", resume=True) == whole


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_stops(signum, data, tmp_path):
    config = configured("modl", compute={"checkpoint_seconds": 1e6})

    def ask(entry):
        if entry.update == 1:
            signal.raise_signal(signum)

    with pytest.raises(Stopped, match="stopped after update 2 of 4; --resume goes on") as stopped:
        trained(config, data, tmp_path, report=ask)
    assert stopped.value.signal == signum
    seen = []
    _, log = trained(config, data, tmp_path, resume=True, report=lambda entry: seen.append(entry.update))
    assert seen == [3, 4] and [entry.update for entry in log] == [1, 2, 3, 4]


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_slices(data, tmp_path):
    config = configured("modl", optimizer={"updates": 4, "validate_every": 1})
    f = build(config)

    def spoil(entry):
        if entry.update == 2:
            with torch.no_grad():
                next(f.networks().parameters()).fill_(torch.nan)

    with pytest.raises(ValueError, match=r"update 3: expected a finite loss, got .* for slices phantom-.*checkpoint"):
        trainer.train(f, config, data, tmp_path, report=spoil)
    assert len(read_log(tmp_path / "log.csv")) == 2
    assert all(value.isfinite().all() for value in runs.load_weights(tmp_path).reconstructor.networks().parameters())
    _, log = trained(config, data, tmp_path, resume=True)
    assert log[-1].update == 4


def test_a_gradient_that_is_not_finite_leaves_the_weights(data, tmp_path, monkeypatch):
    config = configured("modl")
    f = build(config)
    before = weights_hash(f.networks())
    monkeypatch.setattr("torch.nn.utils.clip_grad_norm_", lambda *_: torch.tensor(torch.inf))
    with pytest.raises(ValueError, match="gradient of norm inf"):
        trainer.train(f, config, data, tmp_path)
    assert weights_hash(f.networks()) == before and not (tmp_path / CHECKPOINT).exists()


def test_initialise_copies_the_denoiser(data, tmp_path):
    f, _ = trained(configured("modl"), data, tmp_path)
    g = build(configured("weighted-smug"))
    runs.initialise(g, tmp_path)
    scan = data.validation[0].normalised()
    torch.testing.assert_close(g.denoiser(scan.truth), f.denoiser(scan.truth))


def test_initialise_fills_anybodys_network_and_refuses_another(tmp_path):
    config = configured("modl", network={"kind": "file", "file": "mine.py:net"})
    f = build(config, Dropping())
    runs.save_weights(tmp_path / runs.WEIGHTS, f, config)
    g = build(config, Dropping())
    runs.initialise(g, tmp_path)
    assert weights_hash(g.networks()) == weights_hash(f.networks())
    with pytest.raises(ValueError, match="do not fit"):
        runs.initialise(build(configured("modl")), tmp_path)


@pytest.mark.parametrize("updates", [1, 2, 9, 10, 11])
def test_short_runs(updates, data, tmp_path):
    config = configured("modl", steps=1, optimizer={"updates": updates, "batch": 1, "validate_every": 100})
    _, log = trained(config, data, tmp_path)
    assert [entry.update for entry in log if entry.validation_psnr is not None] == [updates]


def test_building_leaves_the_global_generators_alone():
    before = torch.get_rng_state()
    build(TINY)
    assert torch.equal(before, torch.get_rng_state())


def test_the_numbers_of_steps_are_drawn_once_an_update(data):
    config = configured("smug", training_steps=[2, 4], optimizer={"batch": 2}, compute={"accumulate": 2})
    drawn = [drawn_steps(config, update) for update in range(300)]
    assert drawn == [drawn_steps(config, update) for update in range(300)]
    assert all(70 < drawn.count(steps) < 130 for steps in (2, 3, 4))
    assert drawn != [drawn_steps(merge(config, {"seed": 1}), update) for update in range(300)]
    assert drawn_steps(TINY, 1) is None


def test_an_update_unrolls_the_number_that_was_drawn(data):
    scan = data.batch(1, 2, 0)
    for steps in (1, 3):
        drawn, fixed = (configured("modl", **each) for each in ({"training_steps": [steps, steps]}, {"steps": steps}))
        found = [Learner.of(build(config), config, ALONE).update(1, scan) for config in (drawn, fixed)]
        assert found[0] == found[1]


@pytest.mark.parametrize("method", ["smug", "adversarial", "trades"])
def test_the_first_image_of_measurements_that_come_again_is_made_once(method, data):
    never = configured(method, steps=1, optimizer={"batch": 2}, compute={"accumulate": 2})
    config = merge(never, {"data": {"cycle": 2}})
    first, other = (Mock(side_effect=CGSense(0.1)) for _ in range(2))
    kept = Learner.of(build(config).replace(first=first), config, ALONE)
    anew = Learner.of(build(never).replace(first=other), never, ALONE)
    for update in range(1, 7):
        scan = replace(data, config=config.data).batch(update, 2, 0)
        assert kept.update(update, scan) == anew.update(update, scan)
    saved = 0 if method == "adversarial" else 6 * 2 - 2 * 2  # of updates and parts those of a cycle remain
    assert other.call_count - first.call_count == saved


def test_a_run_with_random_steps_is_used_with_its_own(data, tmp_path):
    config = configured("smug", training_steps=[1, 3], optimizer={"updates": 2})
    trained(config, data, tmp_path / "run")
    assert runs.load_weights(tmp_path / "run").settings()["steps"] == config.steps == 2
