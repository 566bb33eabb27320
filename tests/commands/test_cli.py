import json
import os
import pickle
import re
import warnings

import h5py
import numpy as np
import pytest
import torch

from smug.cli import answered
from smug.commands.table import COMMANDS
from smug.physics.fourier import fft2c
from smug.physics.maps.simulated import simulated_maps

from ..processes import Started
from .conftest import run

SMALL = ("--set", "data.size=32", "--set", "data.count=4", "--set", "data.validation=2")
"""Training that starts at once."""


@pytest.fixture
def kspace_file(tmp_path):
    """Two slices of four coils, fully sampled, in odd units."""
    from smug.data.phantom import head_phantom

    images = torch.stack([head_phantom(seed, 64) for seed in (1, 2)])
    kspace = 3e-7 * fft2c(simulated_maps(4, 64, 64, seed=0) * images[:, None])
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["kspace"] = kspace.numpy()
    return path


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_tells_of_research_use_or_the_options(command, capsys):
    with pytest.raises(SystemExit) as status:
        run(*command, "--help")
    assert status.value.code == 0
    text = capsys.readouterr().out
    assert "--json" in text if command else "research use only" in text


def test_models_lists_every_name(tmp_path, capsys):
    assert run("models", "--json", tmp_path / "models.json") == 0
    names = [entry["name"] for entry in json.loads((tmp_path / "models.json").read_text())["models"]]
    assert names[:5] == ["modl", "rs-e2e", "smug", "weighted-smug", "adversarial"]
    assert "128x128" in capsys.readouterr().out.replace("\n", "")


@pytest.mark.filterwarnings("default")
def test_a_warning_of_the_library_is_one_line(kspace_file, tmp_path, capsys):
    assert run("reconstruct", kspace_file, "--model", "cg-sense:0", "--undersample", 4, "--out", tmp_path / "x.h5") == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "data consistency" in line]
    assert len(told) in (1, 2)  # slices of one decade are told once
    assert all(line.startswith("Warning: data consistency: a solve stopped after 1000 iterations") for line in told)


@pytest.mark.filterwarnings("default")
def test_a_warning_of_others_stays_as_it_is(capsys):
    with pytest.warns(UserWarning, match="of theirs"):
        answered(lambda: warnings.warn("of theirs", stacklevel=1))
    assert "of theirs" not in capsys.readouterr().out


@pytest.mark.long
def test_demo(tmp_path, capsys, monkeypatch):
    shipped = ("modl", "smug")  # others have tests of their own, and attacks on ridge take longer
    monkeypatch.setattr("smug.commands.demo.MODELS", ("cg-sense", *shipped))
    monkeypatch.setattr("smug.commands.demo.SIZE", 64)
    monkeypatch.setattr("smug.evaluation.tuning.TUNING_SLICES", 2)
    assert run("demo", "--out", tmp_path / "demo", "--slices", 1, "--json", tmp_path / "demo.json") == 0
    assert {path.name for path in (tmp_path / "demo").iterdir()} == {"report.html", "figure.png", "table.md", "cards"}
    document = json.loads((tmp_path / "demo.json").read_text())
    cells = {(s["model"], s["condition"]): s["psnr"]["mean"] for s in document["summaries"]}
    clean, noise, attacked = (condition["name"] for condition in document["conditions"])
    for name in shipped:
        assert cells[name, clean] > cells["cg-sense", clean] + 1
        assert cells[name, clean] > cells[name, noise] > cells[name, attacked]
    assert "smug" in capsys.readouterr().out


@pytest.mark.parametrize("model", ["modl", "cg-sense:0.01"])
def test_reconstruct_in_the_units_of_the_input(model, kspace_file, tmp_path):
    out, report = tmp_path / "out.h5", tmp_path / "out.json"
    argv = (
        "--model",
        model,
        "--undersample",
        3,
        "--out",
        out,
        "--json",
        report,
        "--noise-sigma",
        1e-9,
        "--replicas",
        2,
    )
    assert run("reconstruct", kspace_file, *argv) == 0
    with h5py.File(out) as file:
        images, noise = file["reconstruction"][()], file["noise_std"][()]
        assert "research use only" in file.attrs["notice"]
    assert images.shape == noise.shape == (2, 64, 64)
    assert 1e-7 < images.max() < 9e-7
    assert 1e-11 < np.median(noise) < 1e-8
    document = json.loads(report.read_text())
    assert document["kspace"] == "measured"
    assert document["quality"]["psnr"] > 20


def test_same_seed_same_result(kspace_file, tmp_path):
    results = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        argv = ("--model", "cg-sense:0.01", "--undersample", 2, "--seed", seed)
        assert run("reconstruct", kspace_file, *argv, "--out", tmp_path / f"{name}.h5") == 0
        with h5py.File(tmp_path / f"{name}.h5") as file:
            results.append(file["reconstruction"][()])
    np.testing.assert_array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_the_seed_of_a_configuration_is_kept(tmp_path):
    (tmp_path / "run.toml").write_text('preset = "tiny"\nseed = 7\n')
    argv = ("--config", tmp_path / "run.toml", "--max-steps", 1, *SMALL)
    for out, extra in (("a", ()), ("b", ("--seed", 3))):
        assert run("train", *argv, "--out", tmp_path / out, "--json", tmp_path / f"{out}.json", *extra) == 0
    seeds = [json.loads((tmp_path / f"{out}.json").read_text())["configuration"]["seed"] for out in ("a", "b")]
    assert seeds == [7, 3]


@pytest.mark.parametrize(("precision", "supported", "warned"), [("bf16", 0, 1), ("bf16", 1, 0), ("fp32", 0, 0)])
def test_training_in_bfloat16_warns_where_the_processor_emulates_it(
    precision, supported, warned, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: bool(supported))
    small = ("--max-steps", "1", "--set", "data.size=16", "--set", "data.count=1", "--set", "data.validation=1")
    run("train", "--config", "tiny", *small, "--set", f"compute.precision={precision}", "--out", tmp_path / "run")
    assert capsys.readouterr().out.count("no instructions for bf16") == warned


def test_train_then_use_the_run(tmp_path, kspace_file, capsys):
    out = tmp_path / "run"
    argv = ("--config", "tiny", "--method", "smug", "--max-steps", 3, *SMALL, "--out", out)
    argv = (*argv, "--json", tmp_path / "t.json")
    assert run("train", *argv) == 0
    assert json.loads((tmp_path / "t.json").read_text())["updates"] == 3
    assert run("train", *argv) == 2
    assert "holds a run already" in capsys.readouterr().err
    assert run("reconstruct", kspace_file, "--model", out, "--undersample", 2, "--out", tmp_path / "x.h5") == 0
    warm = ("--config", "tiny", "--method", "weighted-smug", "--max-steps", 1, *SMALL, "--init", out)
    assert run("train", *warm, "--out", tmp_path / "w") == 0


def test_evaluate_any_function(tmp_path, capsys):
    (tmp_path / "mine.py").write_text("def adjoint(y, A, generator=None):\n    return A.H(y)\n")
    argv = ("--model", f"{tmp_path}/mine.py:adjoint", "--model", "cg-sense:0.01", "--protocol", "demo", "--size", 32)
    report = tmp_path / "rows.json"
    assert run("evaluate", *argv, "--max-slices", 2, "--out", tmp_path / "out", "--json", report) == 0
    assert "lost least under the worst attack found" in capsys.readouterr().out.splitlines()[-1]
    document = json.loads(report.read_text())
    assert len(document["rows"]) == 2 * 3 * 2
    assert document["kspace"] == "simulated"
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("reconstruct", "/nothing.h5"), "no such file"),
        (("evaluate",), "--model: expected at least one"),
        (("evaluate", "--model", "nobody"), "expected one of modl"),
        (("evaluate", "--model", "cg-sense:-1"), "expected a finite number >= 0"),
        (("evaluate", "--model", "nowhere/nobody.py:f"), "no such file"),
        (("evaluate", "--model", "cg-sense", "--data", "/nothing.h5"), "no such image file"),
        (("reproduce", "all", "--data-root", "/nothing"), "expected one in --data-root or SMUG_DATA"),
        (("evaluate", "--model", "cg-sense", "--max-slices", "0"), "--max-slices: expected at least 1"),
        (("evaluate", "--model", "cg-sense", "--device", "nowhere"), "--device nowhere"),
        (("train", "--config", "nothing.toml", "--out", "nowhere/run"), "expected one of tiny"),
        (("reproduce",), "exhibit: expected all, or at least one of table1"),
    ],
)
def test_mistakes_end_in_one_line_and_status_2(argv, message, mistaken):
    mistaken(*argv, message=message)


class Evil:
    def __reduce__(self):
        return (os._exit, (77,))


@pytest.mark.parametrize("kind", ["pickle", "empty", "text", "truncated", "nan", "zero", "no mask"])
def test_hostile_files_are_refused_and_nothing_is_written(kind, kspace_file, tmp_path, capsys):
    content = {"pickle": pickle.dumps(Evil()), "empty": b"", "text": b"hello"}
    if kind in content:
        kspace_file.write_bytes(content[kind])
    elif kind == "truncated":
        kspace_file.write_bytes(kspace_file.read_bytes()[:-5000])
    else:
        with h5py.File(kspace_file, "r+") as file:
            if kind == "no mask":
                file["mask"] = np.zeros(64, dtype=bool)
            else:
                file["kspace"][...] = np.nan if kind == "nan" else 0
    before = set(tmp_path.iterdir())
    assert run("reconstruct", kspace_file, "--model", "cg-sense", "--out", tmp_path / "out.h5") == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert set(tmp_path.iterdir()) == before


def test_the_input_is_never_overwritten(kspace_file, capsys):
    before = kspace_file.read_bytes()
    assert run("reconstruct", kspace_file, "--model", "cg-sense", "--out", kspace_file) == 2
    assert "is the input FILE" in capsys.readouterr().err
    assert kspace_file.read_bytes() == before


def test_interrupt_leaves_nothing(kspace_file, tmp_path, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("smug.reconstruction.reconstruct", interrupted)
    before = set(tmp_path.iterdir())
    assert run("reconstruct", kspace_file, "--model", "cg-sense", "--out", tmp_path / "out.h5") == 130
    assert set(tmp_path.iterdir()) == before


def test_as_a_program():
    status, _, errors = Started("-m", "smug", "evaluate").wait()
    assert status == 2
    assert errors.startswith("smug: --model")
    assert "Traceback" not in errors


def test_a_full_scan_is_compared_with_itself_and_says_so(kspace_file, tmp_path, capsys):
    for rate, told in (((), " to the plain combination of the same scan"), (("--undersample", 2), "")):
        argv = ("--model", "cg-sense:0.01", *rate, "--out", tmp_path / "out.h5")
        assert run("reconstruct", kspace_file, *argv) == 0
        assert re.search(rf"PSNR \d+\.\d\d dB, SSIM \d\.\d\d\d{told}$", capsys.readouterr().out, re.MULTILINE)


def test_a_folder_that_is_a_file_is_told_without_the_systems_number(kspace_file, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert run("reconstruct", kspace_file, "--model", "tv", "--out", tmp_path / "file" / "out.h5") == 2
    error = capsys.readouterr().err
    assert error.startswith("smug: --out") and "is a file, not a folder" in error and "Errno" not in error
