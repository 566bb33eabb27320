import json
from dataclasses import replace

import pytest

from smug.training.config import Config
from smug.training.config_file import differences, digest, from_dict, load_config, merge, to_dict
from smug.training.presets import PRESETS


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stepz = 3", "unknown key 'stepz'; did you mean 'steps'"),
        ("data = { acquisition = { coil = 3 } }", "unknown key 'data.acquisition.coil'; did you mean 'coils'"),
        ("steps = 'many'", "steps: expected int, got 'many'"),
        ("data = 3", "data: expected a table, got 3"),
        ("preset = 'huge'", "preset: expected one of tiny, small, paper"),
        ("steps = ", "not a TOML file"),
        ("method = 'smugg'", "method: expected one of"),
        ("steps = 0", "expected steps >= 1"),
        ("optimizer = { updates = 0 }", r"optimizer\.updates: expected a positive number"),
        ("smoothing = { sigma = -1 }", "sigma: expected a finite number"),
        ("smoothing = { chunk = 'a' }", r"smoothing\.chunk: expected a number"),
        ("network = { kind = 'resnet' }", r"network\.kind: expected"),
        ("network = { channels = 6 }", "channels in multiples of 4"),
        ("data = { sources = [] }", "at least one source"),
        ("data = { zooms = [0] }", r"data\.zooms"),
        ("data = { size = 0 }", r"data\.size: expected at least 1"),
        ("data = { acquisition = { mask = 'spiral' } }", r"acquisition\.mask: expected one of random"),
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
    with pytest.raises(FileNotFoundError, match="expected one of tiny, small, paper or a TOML file"):
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
