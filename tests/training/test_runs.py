import json
import pickle
import warnings

import pytest
import torch
from safetensors.torch import save_file

from smug.models.unet import UNet
from smug.physics.operator import operator
from smug.training import runs
from smug.training.config_file import to_dict
from smug.training.configured import build
from smug.training.presets import PRESETS

from ..properties import assert_refused
from ..scans import phantom_scan

CONFIG = PRESETS["tiny"]


@pytest.fixture
def stored(tmp_path):
    f = build(CONFIG)
    for parameter in f.networks().parameters():
        torch.nn.init.normal_(parameter, std=0.05, generator=torch.Generator().manual_seed(0))
    path = tmp_path / "run" / runs.WEIGHTS
    runs.save_weights(path, f, CONFIG, {"note": "kept"})
    return f, path


def test_round_trip(stored):
    f, path = stored
    for place in (path, path.parent):
        model = runs.load_weights(place)
        assert model.config == CONFIG
        assert model.metadata["note"] == "kept"
        for name, value in f.networks().state_dict().items():
            assert torch.equal(model.reconstructor.networks().state_dict()[name], value)
    assert [p.name for p in path.parent.iterdir()] == [runs.WEIGHTS]


def test_an_operator_of_another_norm_is_told_where_a_network_sees_it(stored):
    model, scan = runs.load_weights(stored[1]), phantom_scan(32)
    A = operator(lambda x: 3 * scan.A(x), lambda y: 3 * scan.A.H(y))
    with pytest.warns(UserWarning, match="norm of the operator: got about 3, .* Divide the operator") as told:
        model(3 * scan.y, A)
    assert [warning for warning in told if "norm of the operator" in str(warning.message)] == [told[0]]
    assert told[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model(scan.y, scan.A)


def test_half_precision_is_half_the_size(stored, tmp_path):
    f, path = stored
    runs.save_weights(tmp_path / "half.safetensors", f, CONFIG, half=True)
    assert (tmp_path / "half.safetensors").stat().st_size < 0.6 * path.stat().st_size
    model = runs.load_weights(tmp_path / "half.safetensors")
    assert all(p.dtype == torch.float32 for p in model.reconstructor.networks().parameters())


def test_anybodys_network_is_filled(stored):
    _, path = stored
    network = UNet(CONFIG.network.channels, CONFIG.network.depth)
    model = runs.load_weights(path, network)
    assert model.reconstructor.denoiser is network
    assert_refused(lambda: runs.load_weights(path, UNet(channels=16, levels=2)), "the weights do not fit the network")


class Complex(torch.nn.Module):
    """A network of complex weights, and an integer beside them."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(1, 1, 3, padding=1, dtype=torch.complex64)
        self.register_buffer("count", torch.tensor(2**53 + 1))

    def forward(self, x):
        return self.layer(x[:, None])[:, 0]


@pytest.mark.parametrize("half", [False, True])
def test_complex_weights_keep_both_parts(tmp_path, half):
    f = build(CONFIG, Complex())
    runs.save_weights(tmp_path / "complex.safetensors", f, CONFIG, half=half)
    read = runs.load_weights(tmp_path / "complex.safetensors", Complex()).reconstructor
    for name, value in f.networks().state_dict().items():
        assert torch.equal(read.networks().state_dict()[name], value)


class Evil:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was executed",))


def test_what_is_no_weights_file_is_refused(tmp_path, stored):
    evil = tmp_path / "evil.safetensors"
    evil.write_bytes(pickle.dumps(Evil()))
    torch.save({"a": torch.zeros(1)}, tmp_path / "torch.safetensors")
    (tmp_path / "empty.safetensors").write_bytes(b"")
    (tmp_path / "cut.safetensors").write_bytes(stored[1].read_bytes()[:-100])
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    for name, message in {
        "evil": "not a safetensors file",
        "torch": "not a safetensors file",
        "empty": "not a safetensors file",
        "cut": "not a safetensors file",
        "other": "expected weights of schema",
    }.items():
        with pytest.raises(ValueError, match=message):
            runs.load_weights(tmp_path / f"{name}.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "bad.safetensors", {"schema": runs.SCHEMA, "config": "{"})
    assert_refused(lambda: runs.load_weights(tmp_path / "bad.safetensors"), "configuration")
    assert_refused(lambda: runs.load_weights(tmp_path / "absent"), "no such file", error=FileNotFoundError)


@pytest.mark.parametrize("channels", [2**20, 2**62], ids=["terabytes", "overflow"])
def test_an_absurd_network_is_refused_before_it_has_memory(tmp_path, stored, channels):
    config = to_dict(CONFIG)
    config["network"]["channels"] = channels
    save_file(
        {"a": torch.zeros(1)}, tmp_path / "bad.safetensors", {"schema": runs.SCHEMA, "config": json.dumps(config)}
    )
    with pytest.raises(ValueError, match=r"do not fit the network|cannot be built"):
        runs.load_weights(tmp_path / "bad.safetensors")


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch, stored):
    f, path = stored
    kept = path.read_bytes()
    monkeypatch.setattr(
        "pathlib.Path.write_bytes", lambda *_: (_ for _ in ()).throw(OSError("No space left on device"))
    )
    assert_refused(lambda: runs.save_weights(path, f, CONFIG), "No space left", error=OSError)
    assert path.read_bytes() == kept
    assert [p.name for p in path.parent.iterdir()] == [runs.WEIGHTS]
