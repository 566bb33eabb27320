"""Stop training runs at random moments and resume them: python tests/training/survival.py --count 20.

A run is killed (SIGKILL), or every third time asked to stop (SIGTERM), at a random moment after an update was logged,
and resumed by the same command with --resume, again and again until it ends. Its weights must be those of a run that
was never stopped, bit by bit.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from safetensors.torch import load_file

UPDATES = 24
METHODS = ("modl", "weighted-smug", "adversarial")


def command(out: Path, method: str) -> list[str]:
    """Return the command of a short run that often writes."""
    settings = (
        "data.size=32",
        "data.count=8",
        "data.validation=2",
        f"optimizer.updates={UPDATES}",
        "optimizer.validate_every=7",
        "compute.checkpoint_seconds=0.2",
    )
    options = [part for setting in settings for part in ("--set", setting)]
    train = [sys.executable, "-m", "smug", "train", "--config", "tiny", "--method", method, "--threads", "1"]
    return [*train, "--out", str(out), *options]


def finished(out: Path, method: str) -> bytes:
    """Run to the end and return the weights."""
    subprocess.run([*command(out, method), "--resume"], check=True, capture_output=True)
    tensors = load_file(out / "model.safetensors")  # the order of a file's metadata is random
    return b"".join(tensors[name].numpy().tobytes() for name in sorted(tensors))


def stopped(out: Path, method: str, rng: random.Random, signum: signal.Signals) -> None:
    """Go on with a run, wait until it logs an update, and send it a signal up to half a second later."""
    before = rows(out)
    argv = [*command(out, method), "--resume"]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while rows(out) == before and process.poll() is None:
        time.sleep(0.01)
    time.sleep(rng.random() / 2)
    process.send_signal(signum)
    _, told = process.communicate()
    if process.returncode not in (0, -signal.SIGKILL):
        assert process.returncode == 128 + signal.SIGTERM and "smug: stopped after update" in told, told


def rows(out: Path) -> bytes:
    """Return the log as it is."""
    log = out / "log.csv"
    return log.read_bytes() if log.exists() else b""


def survives(folder: Path, seed: int) -> tuple[bool, int]:
    """Return whether a run that is stopped ends with the weights of one that is not, and how often it was stopped."""
    rng = random.Random(seed)
    method = METHODS[seed % len(METHODS)]
    whole = folder / f"whole-{method}"
    expected = finished(whole, method)
    out = folder / f"killed-{seed}"
    kills = rng.randint(1, 3)
    for _ in range(kills):
        stopped(out, method, rng, rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
    same = finished(out, method) == expected and len(rows(out).splitlines()) == UPDATES + 1
    return same, kills


def main() -> None:
    """Count the runs that survive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--start", type=int, default=0)
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    good = total = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(arguments.start, arguments.start + arguments.count):
            same, kills = survives(Path(folder), seed)
            good, total = good + same, total + kills
            print(f"seed {seed}: stopped {kills} times, {'the same bits' if same else 'OTHER WEIGHTS'}", flush=True)
    print(f"{good} of {arguments.count} runs ended with the same bits, after {total} stops")
    sys.exit(good < arguments.count)


if __name__ == "__main__":
    main()
