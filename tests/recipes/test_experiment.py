"""The experiment on the smallest inputs: arms that train, go on and are told apart."""

import itertools
import json
from dataclasses import replace

import pytest

import smug
from recipes.experiment import run
from smug.cli import main as cli
from smug.training.configured import build


def configured(name, updates=100):
    """The configuration that the command of an arm trains."""
    arguments = run.command(run.Path("runs"), name, 0, updates)
    changes = [value for key, value in itertools.pairwise(arguments) if key == "--set"]
    config = smug.training.load_config(arguments[arguments.index("--config") + 1], changes)
    return replace(config, method=arguments[arguments.index("--method") + 1])


@pytest.mark.parametrize("name", run.ARMS)
def test_every_arm_is_a_configuration_and_starts_from_an_arm_that_fits(name):
    config, arm = configured(name), run.ARMS[name]
    assert config.optimizer.updates == round(100 * arm.share)
    assert config.data.sources == ("openms", "phantom") and config.data.acquisition.noise == 0
    assert config.data.acquisition.fixed_mask != ("many-masks" in name)
    assert (config.network.start == "identity") == (name == "modl")
    if arm.init:
        start, names = build(configured(arm.init)).networks(), list(run.ARMS)
        build(config).networks()["denoiser"].load_state_dict(start["denoiser"].state_dict())
        assert names.index(arm.init) < names.index(name)


def test_arms_differ_in_what_their_name_says():
    assert configured("smug-10-noiseless") == replace(configured("smug-10"), training_samples=0)
    assert configured("smug-10-label") == replace(configured("smug-10"), stability_target="target")
    assert configured("smug-10-random-steps") == replace(configured("smug-10"), training_steps=(4, 12))
    assert configured("smug-100") == replace(configured("smug-1"), reconstruction_weight=100.0)
    assert configured("adversarial-0.005").perturbation.threat == smug.Threat(0.005)


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A base of phantoms of 32 x 32, trained in this process."""
    base = tmp_path / "base.toml"
    text = run.BASE.read_text().replace('["openms", "phantom"]', '["phantom"]').replace("size = 64", "size = 32")
    text = text.replace("count = 240", "count = 2").replace("validation = 16", "validation = 1")
    base.write_text(text.replace("steps = 8", "steps = 2").replace("channels = 16", "channels = 4"))
    trained = []
    monkeypatch.setattr(run, "BASE", base)
    monkeypatch.setattr(run, "train", lambda arguments: (trained.append(arguments), cli(arguments)))
    return trained


def test_arms_are_trained_once_with_what_they_start_from_and_their_cost_is_told(small, tmp_path, capsys):
    options = [str(tmp_path / "runs"), "--updates", "2", "--seeds", "0", "--arms", "jitter-0.02", "modl"]
    run.main(options)
    assert [run.Path(arguments[-1]).name for arguments in small] == ["pretrain-0", "jitter-0.02-0", "modl-0"]
    assert json.loads((tmp_path / "runs/2/jitter-0.02-0/run.json").read_text())["updates"] == 3
    run.main(options)
    assert len(small) == 3
    run.main([*options, "--updates", "4", "--cost"])
    assert len(small) == 3
    lines = capsys.readouterr().out.splitlines()
    table = [line for line in lines if line.startswith("| jitter-0.02-0 | 3 |")]
    assert len(table) == 2 and lines[-1] == "| all | | | 0.00 | |"


def test_a_process_that_fails_ends_the_script(capfd):
    with pytest.raises(SystemExit, match="2"):
        run.train(["train", "--config", "nothing.toml"])
