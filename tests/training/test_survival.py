"""Training runs that are killed or stopped at random moments, and resumed, end with the weights of one that never was.

More of them: SMUG_SURVIVAL_RUNS=20 pytest tests/training/test_survival.py
"""

import os
import random
import signal
import time

import pytest
from safetensors.torch import load_file

from ..processes import Started

pytestmark = pytest.mark.long

UPDATES = 12
METHODS = ("modl", "weighted-smug", "adversarial")
RUNS = int(os.environ.get("SMUG_SURVIVAL_RUNS", "3"))
SETTINGS = (
    "data.size=24",
    "data.count=4",
    "data.validation=2",
    f"optimizer.updates={UPDATES}",
    "optimizer.validate_every=6",
    "network.channels=4",
    "compute.checkpoint_seconds=0.2",
)


def started(out, method):
    """A short run that writes often, from the start or from where it was."""
    options = [part for setting in SETTINGS for part in ("--set", setting)]
    train = ("-m", "smug", "train", "--config", "tiny", "--method", method, "--threads", "1", "--resume")
    return Started(*train, "--out", out, *options)


def finished(out, method):
    """Its weights at the end; the order of a file's metadata is random."""
    status, _, errors = started(out, method).wait()
    assert status == 0, errors
    tensors = load_file(out / "model.safetensors")
    return b"".join(tensors[name].numpy().tobytes() for name in sorted(tensors))


def log_of(out):
    log = out / "log.csv"
    return log.read_bytes() if log.exists() else b""


def stopped(out, method, rng):
    """Go on with a run until it has logged an update, and send it a signal up to a quarter of a second later."""
    before, process = log_of(out), started(out, method)
    while log_of(out) == before and not process.ended():
        time.sleep(0.01)
    time.sleep(rng.random() / 4)
    process.send(rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
    status, _, errors = process.wait()
    assert status in (0, -signal.SIGKILL, 128 + signal.SIGTERM), errors
    assert status != 128 + signal.SIGTERM or "smug: stopped after update" in errors


@pytest.mark.parametrize("seed", range(RUNS))
def test_a_stopped_run_ends_with_the_bits_of_one_that_was_not(seed, tmp_path):
    rng, method = random.Random(seed), METHODS[seed % len(METHODS)]
    for _ in range(rng.randint(1, 3)):
        stopped(tmp_path / "stopped", method, rng)
    assert finished(tmp_path / "stopped", method) == finished(tmp_path / "whole", method)
    assert len(log_of(tmp_path / "stopped").splitlines()) == UPDATES + 1
