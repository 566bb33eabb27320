import json
import subprocess
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import get_args
from unittest.mock import create_autospec

import pytest
import torch

from benchmarks import run as bench
from benchmarks.run import MEASUREMENTS, Bench, Measurement, What, processor
from smug.cli import execute


def run(*argv):
    return execute(Bench, list(map(str, argv)), "python -m benchmarks")


@dataclass(frozen=True)
class Row:
    name: str
    seconds_min: float
    seconds_median: float
    seconds_max: float
    peak_ratio: float
    iterations: int | None


@pytest.fixture
def recorded(monkeypatch):
    """Measurements that record their options and return two rows."""
    calls = {}

    def measurement(what):
        def function(**options):
            calls[what] = options
            return [Row("a long name " * 6, 0.00123, 0.00234, 0.00345, 1.5, None), Row("b", 1, 2, 3, 2.5, 7)]

        return Measurement(function, MEASUREMENTS[what].options)

    monkeypatch.setattr(bench, "MEASUREMENTS", {what: measurement(what) for what in MEASUREMENTS})
    return calls


def test_everything_that_can_be_measured_has_a_name():
    assert (*MEASUREMENTS, "all") == get_args(What)


def test_only_what_is_given_is_passed_on(recorded, tmp_path):
    assert run("inference", "--size", 64, "--compile", "--json", tmp_path / "i.json") == 0
    device = torch.device("cpu")
    assert recorded == {"inference": {"size": 64, "compile": True, "seed": 0, "device": device}}
    assert run("prepare", "--workers", 1, 3) == 0
    assert recorded["prepare"] == {"workers": (1, 3)}


def test_all_passes_each_what_it_takes(recorded, tmp_path, capsys):
    assert run("--coils", 3, "--channels", 8, "--seed", 5, "--json", tmp_path / "all.json") == 0
    assert list(recorded) == list(MEASUREMENTS)
    assert recorded["maps"] == {"coils": 3, "seed": 5}
    assert recorded["denoiser"] == {"channels": 8, "device": torch.device("cpu")}
    document = json.loads((tmp_path / "all.json").read_text())
    assert [row["bench"] for row in document["rows"]] == [what for what in MEASUREMENTS for _ in range(2)]
    assert document["peak_ratio"] == 2.5
    assert document["threads"] == torch.get_num_threads()
    assert document["torch"] == torch.__version__
    assert document["processor"] == processor(torch.device("cpu")) != ""


def test_tables_fit_and_numbers_are_whole(recorded, capsys):
    assert run("memory") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 120
    assert "0.00234 (0.00123-0.00345)" in "\n".join(lines)
    assert "None" not in "\n".join(lines)


def test_results_say_what_was_measured(tmp_path):
    assert run("consistency", "--coils", 2, "--size", 16, "--repeats", 1, "--json", tmp_path / "c.json") == 0
    document = json.loads((tmp_path / "c.json").read_text())
    assert (document["schema"], document["what"]) == ("smug-bench-2", "consistency")
    assert "peak_ratio" not in document
    assert document["command"].startswith("python -m benchmarks")
    assert {"bench", "path", "speedup", "residual"} < document["rows"][0].keys()


FUNCTIONS = {
    "maps": "time_maps",
    "prepare": "prepare_throughput",
    "memory": "measure_memory",
    "consistency": "time_consistency",
    "denoiser": "time_denoiser",
    "inference": "time_inference",
    "training": "time_training",
}


@pytest.mark.parametrize("what", MEASUREMENTS)
def test_options_fit_the_functions(what, monkeypatch):
    module = import_module(f"benchmarks.{what}")
    function = create_autospec(getattr(module, FUNCTIONS[what]))  # refuses arguments that the function does not take
    monkeypatch.setattr(module, FUNCTIONS[what], function)
    MEASUREMENTS[what].run(**dict.fromkeys(MEASUREMENTS[what].options, 1))
    assert len(function.call_args.kwargs) == len(MEASUREMENTS[what].options)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("maps", "--samples", 3), "benchmarks maps: takes no --samples"),
        (("memory", "--compile"), "benchmarks memory: takes no --compile"),
        (("maps", "--size", 0), "--size: expected at least 1, got 0"),
        (("prepare", "--workers", 1, 0), "--workers: expected at least 1"),
    ],
)
def test_mistakes_end_in_one_line(argv, message, capsys):
    assert run(*argv) == 2
    assert message in capsys.readouterr().err


START = """
import runpy, sys
sys.argv = ["benchmarks", "--help"]
try:
    runpy.run_module("benchmarks", run_name="__main__")
finally:
    print("torch" in sys.modules)
"""


def test_it_is_a_program_whose_help_needs_no_torch():
    done = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "python -m benchmarks" in done.stdout and "--repeats" in done.stdout
    assert done.stdout.splitlines()[-1] == "False"
