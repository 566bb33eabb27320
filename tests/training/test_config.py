import json
from dataclasses import replace

import pytest

from smug.training.config import PRESETS, Config, load_config, merge, to_dict


def test_presets_load_by_name_and_survive_json():
    for name, preset in PRESETS.items():
        assert load_config(name) == preset
        assert merge(Config(), json.loads(json.dumps(to_dict(preset)))) == preset


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
        ("steps = 0", "steps: expected at least 1"),
        ("optimizer = { updates = 0 }", r"optimizer\.updates: expected a positive number"),
        ("smoothing = { sigma = -1 }", "sigma: expected a finite number"),
        ("smoothing = { chunk = 'a' }", r"smoothing\.chunk: expected int"),
        ("network = { kind = 'resnet' }", r"network\.kind: expected"),
        ("network = { channels = 6 }", "channels in multiples of 4"),
        ("data = { sources = [] }", "at least one source"),
        ("data = { zooms = [0] }", r"data\.zooms"),
        ("data = { size = 0 }", r"data\.size: expected at least 1"),
        ("data = { acquisition = { mask = 'spiral' } }", r"acquisition\.mask: expected one of random"),
        ("data = { acquisition = { noise = -1 } }", r"acquisition\.noise: expected"),
        ("optimizer = { betas = [0.9] }", r"optimizer\.betas: expected two numbers"),
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
    # the four shipped models differ in their method alone
    assert len({replace(config, method="modl") for config in shipped}) == 1
    assert {config.method for config in shipped} == {"modl", "rs-e2e", "smug", "weighted-smug"}
