import json
import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks.measured import oracle
from benchmarks.measured.command import Measured
from benchmarks.measured.oracle import FAMILIES, cg_sense
from smug.cli import execute


def run(*argv):
    return execute(Measured, list(map(str, argv)), "python -m benchmarks measured")


@pytest.fixture
def folder(write, tmp_path, monkeypatch):
    """Two fully sampled files and one that is not; TV in a few iterations."""
    place = tmp_path / "scans"
    write(place / "a.h5", size=48)
    write(place / "b.h5", size=48, coils=1)
    write(place / "half.h5", size=48, keep=slice(None, None, 2))
    monkeypatch.setitem(oracle.FAMILIES, "tv", replace(FAMILIES["cg-sense"], make=cg_sense, start=0.04))
    monkeypatch.chdir(tmp_path)
    return place


QUICK = ("--seeds", 0, "--kinds", "random", "--models", "zero-filled", "cg-sense:0.1")


def test_all_that_is_asked_for_is_measured(folder, tmp_path, capsys):
    words = ("--folder", folder, *QUICK, "--store", "rows", "--json", "m.json")
    assert run(*words, "--pictures", "pictures") == 0
    told = capsys.readouterr()
    out = " ".join(told.out.split())
    assert "Warning: half is left out: expected all lines, which make a reference, got 2.00x" in out
    assert "a, 2 cases" in out and "all files, 4 cases" in out and "4x random" in out and "16 of 16 rows" in out
    document = json.loads((tmp_path / "m.json").read_text())
    assert list(document)[:4] == ["schema", "version", "use", "command"] and document["schema"] == "smug-measured-1"
    assert document["command"].startswith("python -m benchmarks") and list(document["left_out"]) == ["half"]
    assert document["files"]["a"] == {"role": None, "slices": 1, "shape": [4, 48, 48]}
    rows, summaries = document["rows"], document["summaries"]
    assert len(rows) == 16 and list(summaries) == ["a", "b", "all"]
    models = ["best tv", "best cg-sense", "zero-filled", "cg-sense:0.1"]
    assert [part["model"] for part in summaries["all"]] == models and summaries["all"][0]["over"] == 0
    for row in rows:
        assert (row["best"] is not None) == row["model"].startswith("best ")
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["a.png", "b.png"]
    # again: nothing is made anew, and the numbers are the same
    assert run(*words) == 0
    again = json.loads((tmp_path / "m.json").read_text())
    assert "0 of 16 rows" in capsys.readouterr().out and again["rows"] == rows and again["fresh_rows"] == 0


def test_a_part(folder, tmp_path, capsys):
    words = ("--files", "a.h5", "--accelerations", 3, "--kinds", "random", "--seeds", 7, "--models", "zero-filled")
    assert run("--folder", folder, *words, "--store", "none", "--json", "m.json") == 0
    rows = json.loads((tmp_path / "m.json").read_text())["rows"]
    found = {(row["file"], row["acceleration"], row["kind"], row["seed"]) for row in rows}
    assert found == {("a", 3, "random", 7)} and len(rows) == 3
    assert "left out" not in capsys.readouterr().out


def test_a_model_of_ones_own(folder, tmp_path):
    (tmp_path / "mine.py").write_text("def f(y, A, generator=None):\n    return A.H(y)\n")
    words = ("--files", "a", "--accelerations", 3, "--kinds", "random", "--seeds", 0)
    assert run("--folder", folder, *words, "--models", "mine.py:f", "zero-filled", "--json", "m.json") == 0
    *_, mine, same = json.loads((tmp_path / "m.json").read_text())["rows"]
    assert mine["model"] == "mine.py:f" and mine["scores"]["psnr"] == same["scores"]["psnr"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--files", "half"), "half.h5: expected all lines, which make a reference, got 2.00x"),
        (("--files", "c"), "--files: expected names of a, b, half, got c"),
        (("--models",), "--models"),
        (("--models", "nothing"), "model: expected one of"),
        (("--seeds", 1, 1), "--seeds: expected at least one, each once, got 1 1"),
        (("--accelerations", 0.5), "--accelerations: expected at least 1, got 0.5"),
        (("--kinds", "fastmri"), "fastmri"),
        (("--seed", 1), "--seed: would change nothing: --seeds says the seeds of the lines"),
        (("--json", "scans/a.h5"), "--json scans/a.h5: is the input"),
    ],
)
def test_mistakes_end_in_one_line(folder, words, message, capsys):
    assert run("--folder", folder, *words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_folder_is_needed(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("SMUG_DATA", raising=False)
    assert run() == 2 and "--folder: expected a folder" in capsys.readouterr().err
    assert run("--folder", tmp_path / "none") == 2
    assert "expected a folder of fully sampled k-space, got" in capsys.readouterr().err
    monkeypatch.setenv("SMUG_DATA", str(tmp_path))
    assert run() == 2 and f"got {tmp_path / 'multicoil_kspace'}" in capsys.readouterr().err


START = """
import runpy, sys
sys.argv = ["benchmarks", "measured", "--help"]
try:
    runpy.run_module("benchmarks", run_name="__main__")
finally:
    print("torch" in sys.modules)
"""


def test_it_is_a_program_whose_help_needs_no_torch():
    done = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "python -m benchmarks measured" in done.stdout and "--accelerations" in done.stdout
    assert done.stdout.splitlines()[-1] == "False"
