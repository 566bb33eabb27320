import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from smug.training.checkpoint import Place, reached, restore_checkpoint, save_checkpoint, weights_hash
from smug.training.config_file import merge
from smug.training.configured import build
from smug.training.presets import PRESETS

CONFIG = PRESETS["tiny"]


def networks(seed=0):
    modules = build(merge(CONFIG, {"seed": seed})).networks().to(memory_format=torch.channels_last)
    return modules, torch.optim.Adam(modules.parameters(), 1e-2)


def stepped(modules, optimizer):
    generator = torch.Generator().manual_seed(1)
    for parameter in modules.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    optimizer.step()


@pytest.fixture
def saved(tmp_path):
    modules, optimizer = networks()
    stepped(modules, optimizer)
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, modules, optimizer, CONFIG, Place(3, 1.5))
    return path, modules, optimizer


def test_it_goes_on_as_if_nothing_had_happened(saved):
    path, modules, optimizer = saved
    others, their_optimizer = networks(seed=1)
    assert restore_checkpoint(path, others, their_optimizer, CONFIG) == Place(3, 1.5) == reached(path)
    for _ in range(2):
        stepped(modules, optimizer)
        stepped(others, their_optimizer)
    assert weights_hash(modules) == weights_hash(others)


def test_compute_may_change_and_nothing_else(saved):
    path, *_ = saved
    restore_checkpoint(path, *networks(), merge(CONFIG, {"compute": {"workers": 5}}))
    with pytest.raises(ValueError, match=r"another configuration \(optimizer.updates, seed\)"):
        restore_checkpoint(path, *networks(), merge(CONFIG, {"seed": 3, "optimizer": {"updates": 99}}))


def test_what_is_no_checkpoint_is_refused(saved, tmp_path):
    path, *_ = saved
    content = path.read_bytes()
    assert reached(tmp_path / "absent.safetensors") == Place()
    with safe_open(path, "pt") as handle:
        state, metadata = {name: handle.get_tensor(name) for name in handle.keys()}, handle.metadata()  # noqa: SIM118
    other = tmp_path / "other.safetensors"
    for broken in (content[:-9], content[:20], b""):
        other.write_bytes(broken)
        with pytest.raises(ValueError, match="not a safetensors file"):
            restore_checkpoint(other, *networks(), CONFIG)
    for tensors, notes, message in [
        (state, {"schema": "smug-weights-1"}, "expected a checkpoint of schema"),
        (state, metadata | {"update": "three"}, "cannot be read"),
        (state, metadata | {"config": "3"}, "cannot be read"),
        ({"a": torch.zeros(1)}, metadata, "does not fit the networks"),
        ({k: v for k, v in state.items() if not k.endswith("head.1.bias")}, metadata, "does not fit the networks"),
    ]:
        save_file(tensors, other, notes)
        with pytest.raises(ValueError, match=message):
            restore_checkpoint(other, *networks(), CONFIG)


def test_a_full_disk_keeps_the_last_checkpoint(saved, monkeypatch):
    path, modules, optimizer = saved
    content = path.read_bytes()
    monkeypatch.setattr("os.fsync", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left on device"):
        save_checkpoint(path, modules, optimizer, CONFIG, Place(4, 2.0))
    assert path.read_bytes() == content
    assert [p.name for p in path.parent.iterdir()] == [path.name]
