import json
import re

import h5py
import numpy as np
import pytest

from benchmarks.prepare import write_volume
from smug.data.phantom import head_phantom
from smug.data.simulate import Acquisition, simulate


@pytest.fixture
def kinds(tmp_path, write_kspace):
    """A file of every kind, with what is to be said of it."""
    write_kspace(slices=2)
    np.save(tmp_path / "image.npy", np.eye(16))
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["volume"] = np.ones((3, 16, 20), np.float32)
    write_volume(tmp_path / "source" / "volume.h5", 2, 2, (32, 40), seed=0)
    return {
        "scan.h5": ("measured k-space", "32 x 32 samples (readout x phase)"),
        "image.npy": ("images", "1 slice of 16 x 16"),
        "images.h5": ("images", "3 slices of 16 x 20"),
        "source": ("folder", "1 that may be k-space, 0 of images"),
    }


def test_what_files_hold(kinds, smug, tmp_path, capsys):
    assert smug("info", *kinds, "--json", "info.json") == 0
    told = capsys.readouterr().out
    for name, (kind, fact) in kinds.items():
        assert f"{name}: {kind}\n" in told and fact in told
    document = json.loads((tmp_path / "info.json").read_text())
    assert document["schema"] == "smug-info-1" and document["version"] and document["command"]
    assert {each["file"]: each["kind"] for each in document["files"]} == {
        name: kind for name, (kind, _) in kinds.items()
    }
    assert all(each["use"].startswith("smug ") for each in document["files"])


def test_sets_runs_and_weights(smug, tmp_path, capsys):
    from smug.zoo import shipped

    write_volume(tmp_path / "source" / "volume.h5", 2, 2, (32, 40), seed=0)
    assert smug("prepare", "source", "set", "--workers", 1) == 0
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.safetensors").write_bytes(shipped("smug").read_bytes())
    (tmp_path / "images").mkdir()
    for split in ("train", "val", "test"):
        with h5py.File(tmp_path / "images" / f"{split}.h5", "w") as file:
            file["volume"] = np.ones((3, 16, 20), np.float32)
    capsys.readouterr()
    assert smug("info", "set", "run", shipped("smug"), "images", "modl") == 0
    told = capsys.readouterr().out
    assert "set: prepared set" in told and "1 volume of 1 subject, 2 slices" in told
    assert "run: run folder" in told and "smug.safetensors: weights" in told
    assert "images: image set\n  train: 3 slices of 16 x 20\n" in told and "modl: weights\n  method: modl" in told
    assert told.count("method: smug, 5 unrolling steps, seed 0") == 2 and "acceleration" in told


def test_what_cannot_be_read_does_not_hide_the_rest(smug, write_kspace, tmp_path, capsys):
    write_kspace()
    (tmp_path / "bad.h5").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    assert smug("info", "bad.h5", "nowhere.h5", "empty", "scan.h5", "--json", "i.json") == 2
    out, err = capsys.readouterr()
    assert "scan.h5: measured k-space" in out and out.count("Warning: ") == 3
    assert err == "smug: 3 of 4 cannot be used: bad.h5, nowhere.h5, empty\n"
    assert list(json.loads((tmp_path / "i.json").read_text())["failed"]) == ["bad.h5", "nowhere.h5", "empty"]
    assert smug("info") == 2
    assert "expected" in capsys.readouterr().err


def test_the_noise_is_told(smug, tmp_path, capsys):
    for name, noise in (("noisy", 0.02), ("clean", 0.0)):
        acquisition = Acquisition(coils=8, acceleration=1, noise=noise)
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["kspace"] = simulate(head_phantom(1, 96)[None], acquisition).y.numpy()
    assert smug("info", "noisy.h5", "clean.h5") == 0
    told = capsys.readouterr().out
    assert re.search(r"  noise: 0\.0(19|20|21)\d* \(background of k-space\)\n", told)
    assert "  noise: unknown (the background holds no noise)\n" in told
