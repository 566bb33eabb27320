import json
from dataclasses import replace
from pathlib import Path

import pytest

from smug.data.acquisition import Acquisition, AcquisitionRange
from smug.training.batches import load_training_data
from smug.training.config import Config
from smug.training.config_file import differences, digest, from_dict, load_config, merge, to_dict
from smug.training.presets import PRESETS

RECIPES = Path(__file__).parents[2] / "recipes"


def test_presets_load_by_name_and_survive_json():
    for name, preset in PRESETS.items():
        assert load_config(name) == preset
        assert from_dict(json.loads(json.dumps(to_dict(preset)))) == preset


def test_toml_replaces_values_of_its_preset(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(
        'preset = "tiny"\nmethod = "smug"\nlam = 2\nsmoothing = { sigma = 0.1 }\n'
        '[data]\nsources = ["siat"]\nacquisition = { coils = 8 }\n'
    )
    config = load_config(str(path))
    assert (config.method, config.lam, config.smoothing.sigma) == ("smug", 2.0, 0.1)
    assert config.data.sources == ("siat",)
    assert config.data.acquisition.coils == 8
    assert config.data.size == PRESETS["tiny"].data.size
    assert config.steps == PRESETS["tiny"].steps


def test_lists_of_an_acquisition_are_ranges(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(
        'preset = "tiny"\nlearn_lam = true\n[data]\nmatrices = [[64, 64], [48, 64]]\npixels = [0.8, 1.25]\n'
        "[data.acquisition]\nnoise = [0.001, 0.05]\ncoils = [1, 16]\nphase = [0, 1]\nacceleration = 3\n"
        'mask = ["random", "equispaced"]\n'
    )
    config = load_config(str(path))
    expected = AcquisitionRange(
        noise=(0.001, 0.05), coils=(1, 16), phase=(0.0, 1.0), acceleration=3.0, mask=("random", "equispaced")
    )
    assert config.data.acquisition == expected and config.learn_lam
    assert config.data.shapes == ((64, 64), (48, 64))
    again = from_dict(json.loads(json.dumps(to_dict(config))))
    assert again == config and digest(again) == digest(config)
    assert differences(config, load_config(str(path), ["data.acquisition.noise=0.01"])) == ["data.acquisition.noise"]


def test_a_range_whose_values_are_all_fixed_is_an_acquisition():
    ranged = merge(Config(), {"data": {"acquisition": {"noise": [0.001, 0.05]}}})
    fixed = merge(ranged, {"data": {"acquisition": {"noise": 0.02, "coils": 8}}})
    assert fixed.data.acquisition == Acquisition(noise=0.02, coils=8)


def test_the_recipe_for_measured_scans_is_within_what_masks_and_maps_can_be():
    config = load_config(str(RECIPES / "measured.toml"))
    a = config.data.acquisition
    assert a.noise == (0.001, 0.05) and a.coils == (1, 16) and a.acceleration == (2.0, 6.0)
    assert config.lam == 0.2 and config.learn_lam and config.loss == "log"
    tiny = replace(config.data, sources=("phantom",), count=1, validation=1, zooms=(1,))
    assert load_training_data(tiny).range == tiny.range


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stepz = 3", "unknown key 'stepz'; did you mean 'steps'"),
        ("data = { acquisition = { coil = 3 } }", "unknown key 'data.acquisition.coil'; did you mean 'coils'"),
        ("steps = 'many'", "steps: expected int, got 'many'"),
        ("data = 3", "data: expected a table, got 3"),
        ("preset = 'huge'", "preset: expected one of tiny, small, ridge, paper"),
        ("steps = ", "not a TOML file"),
        ("method = 'smugg'", "method: expected one of"),
        ("steps = 0", "expected steps >= 1"),
        ("optimizer = { updates = 0 }", r"optimizer\.updates: expected a positive, finite number"),
        ("smoothing = { sigma = -1 }", "sigma: expected a finite number"),
        ("smoothing = { chunk = 'a' }", r"smoothing\.chunk: expected a number"),
        ("network = { kind = 'resnet' }", r"network\.kind: expected"),
        ("network = { channels = 6 }", "channels in multiples of 4"),
        ("network = { start = 'zero' }", "network.start: expected one of identity, random, got 'zero'"),
        (
            "network = { kind = 'nonexpansive', start = 'random' }",
            'network.start: expected "identity" for \'nonexpansive\', got "random"',
        ),
        ("training_steps = [4]", r"training_steps: expected none, or a lowest number.*got \[4\] for 'modl'"),
        ("training_steps = [12, 4]", r"got \[12, 4\]"),
        ("training_steps = [0, 4]", r"got \[0, 4\]"),
        ("preset = 'ridge'\ntraining_steps = [1, 2]", r"methods that unroll, got \[1, 2\] for 'ridge'"),
        ("data = { acquisition = { fixed_mask = 1 } }", "fixed_mask: expected bool, got 1"),
        ("data = { acquisition = { fixed_mask = [false, true] } }", r"acquisition\.fixed_mask: expected"),
        ("data = { sources = [] }", "at least one source"),
        ("data = { zooms = [0] }", r"data\.zooms"),
        ("data = { size = 0 }", r"data\.size: expected at least 1"),
        ("data = { acquisition = { mask = 'spiral' } }", r"acquisition\.mask: expected one of random"),
        ("data = { acquisition = { noise = [0.1, 0.01] } }", r"acquisition\.noise: expected a lowest and a highest"),
        ("data = { acquisition = { noise = [] } }", r"acquisition\.noise: expected a finite number or 2 values"),
        ("data = { acquisition = { noise = ['low', 'high'] } }", r"acquisition\.noise: expected float, got 'low'"),
        (
            "data = { acquisition = { noize = [0.1, 0.2] } }",
            "'data.acquisition.noize'; did you mean 'noise'",
        ),
        ("data = { acquisition = { mask = ['random', 'spiral'] } }", r"acquisition\.mask: expected one of random"),
        ("data = { matrices = [[64, 0]] }", r"data\.matrices: expected sides of at least 1"),
        ("data = { matrices = [64] }", r"data\.matrices: expected several values"),
        ("data = { pixels = [2.0, 1.0] }", r"data\.pixels: expected the smallest and the largest"),
        ("data = { acquisition = { noise = -1 } }", r"acquisition\.noise: expected"),
        ("optimizer = { schedule = 'cosine' }", r"optimizer\.schedule: expected"),
        ("optimizer = { clip_norm = -1 }", r"optimizer\.clip_norm: expected"),
        ("optimizer = { batch = 3 }\ncompute = { accumulate = 2 }", r"compute\.accumulate: expected a divisor"),
        ("compute = { precision = 'fp16' }", r"compute\.precision: expected one of fp32, bf16"),
        ("compute = { workers = -1 }", "workers >= 0"),
        ("network = { kind = 'file' }", "expected a file with kind"),
        ("stability_target = 'nothing'", "stability_target: expected one of denoised-target"),
        ("perturbation = { noise = 0 }", r"perturbation\.noise: expected a positive"),
        ("perturbation = { steps = 0 }", "expected steps >= 1"),
        ("perturbation = { threat = { norm = 'l1' } }", "norm: expected one of"),
        ("optimizer = { betas = [0.9] }", r"optimizer\.betas: expected"),
    ],
)
def test_mistakes_are_told(text, message, tmp_path):
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_config(str(path))


def test_missing_file():
    with pytest.raises(FileNotFoundError, match="expected one of tiny, small, ridge, paper or a TOML file"):
        load_config("nothing.toml")


def test_recipes_are_valid(pytestconfig):
    recipes = sorted((pytestconfig.rootpath / "recipes").glob("*.toml"))
    assert {"modl.toml", "smug.toml", "rs-e2e.toml", "weighted-smug.toml"} <= {path.name for path in recipes}
    configs = [load_config(str(path)) for path in recipes]
    shipped = [config for path, config in zip(recipes, configs, strict=True) if path.stem == config.method]
    # the shipped models differ in their method alone
    assert len({replace(config, method="modl") for config in shipped}) == 1
    assert {config.method for config in shipped} == {"modl", "rs-e2e", "smug", "weighted-smug", "adversarial"}


def test_overrides_are_read_as_toml_and_together(tmp_path):
    changes = ("optimizer.updates=7", "data.sources=['a.h5']", "network.kind=file", "network.file=my.py:net", "lam=2")
    config = load_config("tiny", changes)
    assert (config.optimizer.updates, config.data.sources, config.lam) == (7, ("a.h5",), 2.0)
    assert (config.network.kind, config.network.file) == ("file", "my.py:net")
    assert config.data.size == PRESETS["tiny"].data.size


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.updates", "expected KEY=VALUE"),
        ("=3", "expected KEY=VALUE"),
        ("optimiser.updates=3", "unknown key 'optimiser'; did you mean 'optimizer'"),
        ("optimizer.updates=many", "expected int, got 'many'"),
        ("data=3", "expected a table"),
    ],
)
def test_wrong_overrides_are_told(override, message):
    with pytest.raises(ValueError, match=message):
        load_config("tiny", [override])


def test_a_stored_configuration_is_one(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(to_dict(PRESETS["paper"])))
    assert load_config(str(path)) == PRESETS["paper"]
    for text, message in {
        "{": "not a JSON file",
        "3": "expected a configuration",
        '{"schema": "x"}': "expected schema",
    }.items():
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            load_config(str(path))


def test_older_configurations_are_read():
    old = to_dict(PRESETS["tiny"])
    del old["schema"], old["compute"], old["perturbation"]
    old["smoothing"]["recompute"] = False
    assert from_dict(old) == replace(PRESETS["tiny"], compute=Config().compute)


def test_the_hash_is_of_what_is_learned():
    config = PRESETS["tiny"]
    quicker = merge(config, {"compute": {"precision": "bf16", "workers": 3}})
    other = merge(config, {"optimizer": {"betas": [0.5, 0.9]}, "seed": 1})
    assert digest(config) == digest(quicker) != digest(other)
    assert differences(config, quicker) == []
    assert differences(config, other) == ["optimizer.betas", "seed"]


@pytest.mark.parametrize(
    "key",
    ["optimizer.learning_rate", "lam", "reconstruction_weight", "perturbation.step_size", "smoothing.sigma"],
)
@pytest.mark.parametrize("value", ["inf", "nan"])
def test_infinite_settings_are_refused(key, value):
    with pytest.raises(ValueError, match=f"{key.rpartition('.')[2]}.*finite|expected"):
        load_config("tiny", [f"{key}={value}"])


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_no_generator_takes_is_refused_before_a_run_has_a_folder(seed):
    with pytest.raises(ValueError, match=f"^seed: expected 0 to {2**63 - 1}, got {seed}$"):
        load_config("tiny", [f"seed={seed}"])
