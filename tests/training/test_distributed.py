"""Two processes learn what one learns, save once, and go on where the other number of processes stopped."""

import csv

import pytest
import torch
from safetensors.torch import load_file

from smug.training.runs import WEIGHTS

pytestmark = pytest.mark.long

METHODS = ("modl", "smug", "weighted-smug")
RUNS_OF_TWO = (("modl", 1, False), ("smug", 1, False), ("smug", 2, True), ("weighted-smug", 2, True))
"""Method, parts of a batch, and whether activations are computed again."""

RUNS = """
import os, signal, sys, time
from dataclasses import replace
from pathlib import Path

import torch

from smug.data.scan import Scan
from smug.system.distributed import joined
from smug.physics.sense import Sense
from smug.system.stopping import Stopped
from smug.training import records, trainer, validation
from smug.training.configured import build
from smug.training.batches import load_training_data
from smug.training.learner import Learner
from smug.training.presets import PRESETS
from smug.training.config_file import merge

TINY = merge(PRESETS["tiny"], {
    "data": {"size": 32, "count": 4, "validation": 3},
    "optimizer": {"updates": 4, "batch": 4, "validate_every": 4},
    "network": {"channels": 4},
})
data = load_training_data(TINY.data)

single = Scan.to

def double(scan, device):
    scan = single(scan, device)
    y, maps, target = (value.to(torch.complex128) for value in (scan.y, scan.A.maps, scan.truth))
    return replace(scan, y=y, A=Sense(scan.A.mask, maps), target=target)

def leave_empty(path, *_):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")

records.write_losses = validation.write_validation = leave_empty  # pictures take longer than these runs

Scan.to = double  # so that what is left between two runs is no rounding, which Adam makes larger

def run(out, method, accumulate=1, recompute=False, **options):
    config = merge(TINY, {"method": method, "compute": {"accumulate": accumulate, "recompute": recompute}})
    f = build(config)
    f.networks().double()
    return trainer.train(f, config, data, Path(out), group=group, **options)

def stopping(pids):
    save = Learner.save

    def slowly(*arguments):
        time.sleep(0.5)  # in which the other process would leave
        save(*arguments)

    def report(entry):
        if entry.update == 2:
            Learner.save = slowly
            for pid in pids:
                os.kill(pid, signal.SIGTERM)
    return report

try:
    with joined("cpu") as group:
        exec(sys.argv[1])
except Stopped as stopped:
    left = list(Path().glob("stopped by */checkpoint.safetensors"))
    sys.exit(str(stopped) if left else "left before the checkpoint was written")
"""

TWO = f"""
for method, accumulate, recompute in {RUNS_OF_TWO}:
    run(f"two/{{method}}/{{accumulate}}-{{recompute}}", method, accumulate, recompute)
run("stopped by two", "smug", report=stopping(group.gathered([os.getpid()])))
"""

ONE = f"""
for method in {METHODS}:
    run(f"one/{{method}}", method)
run("stopped by two", "smug", resume=True)
try:
    run("stopped by one", "smug", report=stopping([os.getpid()]))
except Stopped:
    pass
"""

AGAIN = """
run("stopped by one", "smug", accumulate=2, recompute=True, resume=True)
"""


@pytest.fixture(scope="module")
def runs(ranks, tmp_path_factory):
    """The folder of all runs, and what the two processes said when they were stopped."""
    folder = tmp_path_factory.mktemp("runs")
    two = ranks("-c", RUNS, TWO, world=2, cwd=folder)
    stopped = {path.name: path.read_bytes() for path in (folder / "stopped by two").iterdir() if path.is_file()}
    for world, code in ((1, ONE), (2, AGAIN)):
        results = ranks("-c", RUNS, code, world=world, cwd=folder)
        assert all(status == 0 for status, _, _ in results), results
    return folder, two, stopped


def assert_same_weights(run, other):
    """Compare the networks of two runs, computed in double precision and stored in single."""
    a, b = (load_file(folder / WEIGHTS) for folder in (run, other))
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("method", "accumulate", "recompute"), RUNS_OF_TWO)
def test_two_processes_learn_what_one_learns(method, accumulate, recompute, runs):
    folder, *_ = runs
    assert_same_weights(folder / "two" / method / f"{accumulate}-{recompute}", folder / "one" / method)


@pytest.mark.parametrize(("method", "accumulate", "recompute"), RUNS_OF_TWO)
def test_one_log_whose_losses_and_validations_are_those_of_one_process(method, accumulate, recompute, runs):
    folder, *_ = runs
    logs, of_two = [], folder / "two" / method / f"{accumulate}-{recompute}"
    for run in (of_two, folder / "one" / method):
        with (run / "log.csv").open() as file:
            logs.append(list(csv.DictReader(file)))
    assert [row["update"] for row in logs[0]] == ["1", "2", "3", "4"]
    for two, one in zip(*logs, strict=True):
        assert float(two["loss"]) == pytest.approx(float(one["loss"]), rel=1e-9)
        assert float(two["gradient_norm"]) == pytest.approx(float(one["gradient_norm"]), rel=1e-9)
        assert bool(two["validation_psnr_db"]) == bool(one["validation_psnr_db"]) == (one["update"] == "4")
    assert {path.name for path in run.iterdir()} == {path.name for path in of_two.iterdir()}


def test_a_signal_to_both_saves_one_checkpoint_and_is_told_once(runs):
    _, results, stopped = runs
    assert [status for status, _, _ in results] == [1, 1]
    assert sorted(errors for _, _, errors in results) == ["", "stopped after update 3 of 4; --resume goes on\n"]
    assert stopped.keys() == {"checkpoint.safetensors", "config.json", "log.csv"}
    assert stopped["log.csv"].count(b"\n") == 4


@pytest.mark.parametrize("stopped", ["stopped by two", "stopped by one"])
def test_another_number_of_processes_goes_on(stopped, runs):
    folder, *_ = runs
    assert_same_weights(folder / stopped, folder / "one" / "smug")
