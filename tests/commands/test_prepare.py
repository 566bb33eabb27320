import json
import signal
import time

import h5py
import numpy as np
import pytest

from benchmarks.prepare import write_volume

from ..processes import Started
from .conftest import run


@pytest.fixture
def source(tmp_path):
    for seed in range(3):
        write_volume(tmp_path / "source" / f"volume{seed}.h5", 2, 2, (32, 40), seed=seed)
    (tmp_path / "source" / "broken.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    return tmp_path / "source"


def test_prepare_evaluate_and_train(source, tmp_path, capsys):
    out, report = tmp_path / "set", tmp_path / "set.json"
    assert run("prepare", source, out, "--workers", 2, "--json", report) == 0
    told = capsys.readouterr().out
    document = json.loads(report.read_text())
    assert document["made"] == 3 and document["settings"]["kspace"] == "measured"
    assert "broken.h5" in told and "2 x 32 x 40" in told and document["sha256"][:16] in told

    rows = tmp_path / "rows.json"
    options = ("--acceleration", 2, "--protocol", "clean", "--json", rows)
    assert run("evaluate", "--data", out, "--model", "cg-sense:0.01", *options) == 0
    evaluated = json.loads(rows.read_text())
    assert evaluated["kspace"] == "measured" and evaluated["data"]["sha256"] == document["sha256"]
    told = " ".join(capsys.readouterr().out.split())
    assert "measured k-space" in told and "data crime" not in told

    (tmp_path / "run.toml").write_text(
        f'preset = "tiny"\n[data]\nsources = [{str(out)!r}]\n[data.acquisition]\nacceleration = 2.0\n'
    )
    assert run("train", "--config", tmp_path / "run.toml", "--max-steps", 2, "--out", tmp_path / "run") == 0


def test_a_doubtful_file_is_told(tmp_path, capsys):
    write_volume(tmp_path / "source" / "shifted.h5", 2, 2, (32, 32), seed=0)
    with h5py.File(tmp_path / "source" / "shifted.h5", "r+") as file:
        file["kspace"][...] *= (-1.0) ** np.arange(32)
    report = tmp_path / "set.json"
    assert run("prepare", tmp_path / "source", tmp_path / "set", "--workers", 1, "--json", report) == 0
    (warning,) = json.loads(report.read_text())["warnings"]
    assert "the image lies at the edges" in warning and warning in " ".join(capsys.readouterr().out.split())


def test_images_need_simulate(tmp_path, capsys):
    source = tmp_path / "source"
    source.mkdir()
    for i in range(3):
        np.save(source / f"image{i}.npy", np.random.default_rng(i).uniform(size=(20, 24)))
    assert run("prepare", source, tmp_path / "out", "--workers", 1) == 2
    told = capsys.readouterr()
    assert "smug prepare --simulate" in " ".join(told.out.split())
    assert "no volume could be prepared: 3 files skipped" in told.err and not (tmp_path / "out").exists()
    argv = ("--simulate", "--size", 16, "--coils", 3, "--noise", 0.02, "--workers", 1)
    assert run("prepare", source, tmp_path / "out", *argv) == 0
    with h5py.File(tmp_path / "out" / "volumes" / "image0.h5") as file:
        assert file["kspace"].shape == (1, 3, 16, 16) and file.attrs["noise_sigma"] == 0.02
    assert "simulated k-space" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--workers", 0), "--workers: expected at least 1"),
        (("--simulate", "--size", 2), "size: expected at least 8"),
        (("--split", 0.5, 0.5, 0.5), "add up to 1"),
    ],
)
def test_mistakes_end_in_one_line(argv, message, source, tmp_path, mistaken):
    mistaken("prepare", source, tmp_path / "out", *argv, message=message)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("number", "status", "word"), [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")]
)
def test_signals_leave_nothing_half_written(number, status, word, tmp_path):
    for seed in range(3):
        write_volume(tmp_path / "source" / f"volume{seed}.h5", 64, 2, (32, 40), seed=seed)
    out = tmp_path / "out"
    process = Started("-m", "smug", "prepare", tmp_path / "source", out, "--workers", "1")
    while not list(out.glob("volumes/.*.h5")) and not process.ended():
        time.sleep(0.005)
    process.send(number)
    ended, _, error = process.wait()
    assert ended == status
    assert error.strip().splitlines()[-1] == f"smug: {word}; nothing half-written is left" and "Traceback" not in error
    assert not list(out.glob("volumes/.*")) and not (out / "manifest.json").exists()
