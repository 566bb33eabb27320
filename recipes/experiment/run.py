"""Which difference to the paper makes SMUG robust? python -m recipes.experiment.run RUNS [--updates N] [--seeds 0 1].

Trains all arms of the experiment, most telling first, each for one seed before the next seed, on one thread. It goes on
where it was stopped. RUNS/N holds the runs of N updates, so that experiments of several lengths are apart; SMUG_DATA
names the folder of the image sets. Prints what was trained and what it cost in processor time; --cost trains nothing.
Then: python -m recipes.experiment.score RUNS/N OUT.json

All arms share base.toml. ``theta_pre`` is the denoiser of arm ``pretrain``, trained by equation (6). The arms that are
compared at equal compute have more or fewer updates: ``share`` times N. Processor seconds an update on one core of two,
64 x 64, batch 2, measured over 8 updates; loading and validation are not in it, --cost has all:

| arm                                   | s an update | core-hours at N = 1000 | at N = 3000 |
| ------------------------------------- | ----------: | ---------------------: | ----------: |
| pretrain                              |        0.02 |                  0.004 |        0.01 |
| modl-random, modl, modl-pre, ...      |        0.15 |                   0.04 |        0.13 |
| smug-1, smug-10, smug-100, rs-e2e ... |        0.24 |                   0.07 |        0.20 |
| weighted-smug-10                      |        0.42 |                   0.12 |        0.35 |
| adversarial-*, half the updates       |        0.45 |                   0.06 |        0.19 |
| jitter-*, half as many again          |        0.16 |                   0.07 |        0.20 |
| all 23                                |             |                    1.4 |         4.2 |

The last seven arms, the label at lam_l = 1, TRADES, attacks in SMUG and other denoisers, are not in it.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

BASE = Path(__file__).with_name("base.toml")
UPDATES = 3000
PROCESSOR = "processor_seconds.csv"


@dataclass(frozen=True)
class Arm:
    """A method with what it changes in the base, the arm whose weights it starts from, and its share of updates."""

    method: str
    changes: tuple[str, ...] = ()
    init: str | None = "pretrain"
    share: float = 1.0


def _smug(weight: int, *changes: str) -> Arm:
    return Arm("smug", (f"reconstruction_weight={weight}.0", *changes))


def _jitter(noise: float) -> Arm:
    return Arm("jitter", (f"perturbation.noise={noise}",), share=1.5)


def _adversarial(epsilon: float) -> Arm:
    return Arm("adversarial", (f"perturbation.threat.value={epsilon}",), share=0.5)


SMALL_ATTACK = "perturbation.threat.value=0.01"


def _trades(weight: float) -> Arm:
    return Arm("trades", (f"reconstruction_weight={weight}", SMALL_ATTACK), share=0.4)


def _other(kind: str) -> Arm:
    """Return MoDL with another denoiser, which takes three times as long, and as much less training."""
    return Arm("modl", (f"network.kind={kind}", "network.start=identity"), init=None, share=0.3)


MANY = "data.acquisition.fixed_mask=false"

ARMS = {
    "modl-random": Arm("modl", init=None),
    "modl": Arm("modl", ("network.start=identity",), init=None),
    "pretrain": Arm("pretrain", init=None),
    "modl-pre": Arm("modl"),
    "smug-1": _smug(1),
    "smug-10": _smug(10),
    "smug-100": _smug(100),
    "smug-10-noiseless": _smug(10, "training_samples=0"),
    "smug-1-noiseless": _smug(1, "training_samples=0"),
    "adversarial-0.02": _adversarial(0.02),
    "jitter-0.02": _jitter(0.02),
    "smug-10-label": _smug(10, "stability_target=target"),
    "adversarial-0.005": _adversarial(0.005),
    "jitter-0.01": _jitter(0.01),
    "adversarial-0.01": _adversarial(0.01),
    "jitter-0.05": _jitter(0.05),
    "smug-10-many-masks": _smug(10, MANY),
    "modl-pre-many-masks": Arm("modl", (MANY,)),
    "smug-10-random-steps": _smug(10, "training_steps=[4, 12]"),
    "rs-e2e": Arm("rs-e2e"),
    "weighted-smug-10": Arm("weighted-smug", ("reconstruction_weight=10.0",)),
    "smug-10-shared-draws": _smug(10, "smoothing.shared_draws=true"),
    "modl-pre-longer": Arm("modl", share=1.5),
    "smug-1-label": _smug(1, "stability_target=target"),
    "trades-1": _trades(1.0),
    "trades-0.1": _trades(0.1),
    "adversarial-smug-10": Arm("adversarial-smug", ("reconstruction_weight=10.0", SMALL_ATTACK), share=0.4),
    "modl-nonexpansive": _other("nonexpansive"),
    "modl-ridge": _other("ridge"),
    "modl-convex-ridge": _other("convex-ridge"),
}
"""In the order of their training. The numbers are lam_l, receiver noise, and the attack's size in training."""


@dataclass(frozen=True)
class Place:
    """What all arms share, a configuration, and where they are trained."""

    base: Path = BASE
    device: str = "cpu"


def command(runs: Path, name: str, seed: int, updates: int, place: Place = Place()) -> list[str]:
    """Return the command that trains an arm, or goes on with it."""
    arm = ARMS[name]
    own = max(1, round(arm.share * updates))
    changes = (*arm.changes, f"optimizer.updates={own}", f"optimizer.validate_every={max(1, own // 2)}")
    init = ("--init", str(runs / f"{arm.init}-{seed}")) if arm.init else ()
    where = ("--threads", "1", "--device", place.device)
    options = ("--config", str(place.base), "--method", arm.method, "--seed", str(seed), *where, *init)
    chosen = (part for change in changes for part in ("--set", change))
    return ["train", *options, *chosen, "--resume", "--out", str(runs / f"{name}-{seed}")]


def train(arguments: Sequence[str]) -> int:
    """Train in a process of its own, which is stopped in good order when this one is; return its exit status."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen([sys.executable, "-m", "smug", *arguments], stdout=2, env=environment) as child:  # noqa: S603
        before = signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        try:
            return child.wait()
        finally:
            signal.signal(signal.SIGTERM, before)


def train_arm(runs: Path, name: str, seed: int, updates: int, place: Place = Place()) -> None:
    """Train an arm or go on with it, and note the processor time; end the script where that fails or is stopped."""
    before = os.times()
    code = train(command(runs, name, seed, updates, place))
    after = os.times()
    seconds = after.children_user - before.children_user + after.children_system - before.children_system
    runs.mkdir(parents=True, exist_ok=True)
    with (runs / PROCESSOR).open("a") as file:
        file.write(f"{name}-{seed},{seconds:.1f}\n")
    if code:
        sys.exit(code)


def processor_seconds(runs: Path) -> dict[str, float]:
    """Return the processor time of every run, with all its parts."""
    lines = (runs / PROCESSOR).read_text().split() if (runs / PROCESSOR).exists() else []
    spent: dict[str, float] = {}
    for name, seconds in (line.split(",") for line in lines):
        spent[name] = spent.get(name, 0.0) + float(seconds)
    return spent


def costs(runs: Path) -> Iterator[str]:
    """Yield the lines of the table of what finished runs cost, in processor time with loading and validation."""
    total, spent = 0.0, processor_seconds(runs)
    yield "| run | updates | s an update | core-hours | validation PSNR (dB) |\n| --- | ---: | ---: | ---: | ---: |"
    for path in sorted(runs.glob("*/run.json"), key=lambda path: path.stat().st_mtime):
        document = json.loads(path.read_text())
        seconds, updates = spent.get(path.parent.name, document["timing"]["seconds"]), document["updates"]
        total += seconds
        quality = document["validations"][-1]["psnr_db"]
        yield f"| {path.parent.name} | {updates} | {seconds / updates:.2f} | {seconds / 3600:.2f} | {quality:.2f} |"
    yield f"| all | | | {total / 3600:.2f} | |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is not trained, and print the costs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("--updates", type=int, default=UPDATES, help="of every arm, times its share")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS), help="in this order")
    parser.add_argument("--base", type=Path, default=BASE, help="the configuration that all arms share")
    parser.add_argument("--device", default="cpu", help="such as cuda")
    parser.add_argument("--cost", action="store_true", help="train nothing")
    chosen = parser.parse_args(arguments)
    runs = chosen.runs / str(chosen.updates)
    wanted = [(name, seed) for seed in chosen.seeds for name in chosen.arms]
    for name, seed in [] if chosen.cost else wanted:
        start = ARMS[name].init
        for each in (start, name) if start else (name,):
            if not (runs / f"{each}-{seed}" / "run.json").exists():
                train_arm(runs, each, seed, chosen.updates, Place(chosen.base, chosen.device))
    print("\n".join(costs(runs)))


if __name__ == "__main__":
    main()
