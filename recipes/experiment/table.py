"""The tables of what score.py has scored: python -m recipes.experiment.table OUT.json [OTHER.json ...].

Of several files, such as 100.json 300.json 1000.json for as many updates, one table with a column for each.

Means over the slices and over the training seeds that are there. In brackets the difference to the best of the MoDL
arms (``modl-random``, ``modl``, ``modl-pre``), chosen for every column, which favours MoDL, and the half-width of its
95 % interval over subjects: Student's t of the differences' means of subjects, paired by slice. The front is that of
these, of MoDL with as much compute as SMUG, of jitter and of adversarial training: what the line between two of its
arms has at the clean PSNR of an arm, never extrapolated.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from recipes.experiment.score import RATES, STEPS

Array = NDArray[np.float64]
MODL = ("modl-random", "modl", "modl-pre")
RIVALS = ("modl-pre-longer", "jitter", "adversarial")
UNDER = ("PGD 0.02", "fast 1 %", "fast 5 %")
IMAGE = ("image, blind", "image, adaptive", "PGD 0.005", "PGD 0.05")
PAIRS = {
    "SMUG instead of MoDL, as the authors start them": ("smug-1", "modl-random"),
    "the same SMUG trained without noise instead of MoDL": ("smug-1-noiseless", "modl-random"),
    "noise in training, lam_l = 1": ("smug-1", "smug-1-noiseless"),
    "noise in training, lam_l = 10": ("smug-10", "smug-10-noiseless"),
    "the label as target instead of D(t), lam_l = 10": ("smug-10-label", "smug-10"),
    "the label as target instead of D(t), lam_l = 1": ("smug-1-label", "smug-1"),
    "many masks instead of one, MoDL": ("modl-pre-many-masks", "modl-pre"),
    "many masks instead of one, SMUG, lam_l = 10": ("smug-10-many-masks", "smug-10"),
    "4 to 12 steps in training instead of 8, lam_l = 10": ("smug-10-random-steps", "smug-10"),
    "the same draws of noise in all steps, lam_l = 10": ("smug-10-shared-draws", "smug-10"),
    "Weighted SMUG instead of SMUG, lam_l = 10": ("weighted-smug-10", "smug-10"),
    "RS-E2E instead of MoDL from the denoiser": ("rs-e2e", "modl-pre"),
    "MoDL from the identity instead of random weights": ("modl", "modl-random"),
    "MoDL from the denoiser instead of random weights": ("modl-pre", "modl-random"),
    "adversarial training instead of MoDL": ("adversarial-0.02", "modl-random"),
}
"""What each difference is worth: an arm and the one that it is compared with."""


class Found:
    """The scores of a document: by arm and condition, of every slice, means over training seeds, or of one seed."""

    def __init__(self, document: Mapping[str, Any], only: str = "") -> None:
        self.subjects = np.asarray(document["subjects"])
        runs = {run: arm for run, arm in document["arms"].items() if only in ("", run.rpartition("-")[2])}
        self.seeds: dict[str, list[str]] = {}
        for run in runs:
            name, _, seed = run.rpartition("-")
            self.seeds.setdefault(name, []).append(seed)
        self.runs = {run: arm["scores"] for run, arm in runs.items()}

    def of(self, arm: str, condition: str, measure: str = "psnr", seeds: Sequence[str] | None = None) -> Array | None:
        """Return a measure of every slice, the mean of all seeds or of some; None where a seed lacks it."""
        chosen = self.seeds.get(arm, ()) if seeds is None else seeds
        each = [self.runs[f"{arm}-{seed}"].get(condition, {}).get(measure) for seed in chosen]
        return np.mean(each, axis=0) if each and None not in each else None

    def best(self, condition: str) -> str:
        """Return the best of the MoDL arms."""
        known = {arm: found.mean() for arm in MODL if (found := self.of(arm, condition)) is not None}
        return max(known, key=known.__getitem__, default="")

    def half_width(self, difference: Array) -> float:
        """Return that of the interval of a mean over slices; NaN for fewer than five subjects."""
        names = np.unique(self.subjects)
        if len(names) < 5:
            return float("nan")
        means = [difference[self.subjects == name].mean() for name in names]
        return float(stdtrit(len(names) - 1, 0.975) * np.std(means, ddof=1) / len(names) ** 0.5)

    def front(self, arm: str, condition: str) -> Array | None:
        """Return what the front has at the clean PSNR of an arm, of every slice; None above its cleanest point."""
        clean, names = self.of(arm, "clean"), [n for n in self.seeds if n in MODL or n.startswith(RIVALS)]
        points = [(x, y) for n in names if n != arm and (x := self.of(n, "clean")) is not None
                  and (y := self.of(n, condition)) is not None]  # fmt: skip
        if clean is None:
            return None
        at, reached = clean.mean(), [y for x, y in points if x.mean() >= clean.mean()]
        for (x0, y0), (x1, y1) in product(points, points):
            if x0.mean() < at < x1.mean():
                share = (at - x0.mean()) / (x1.mean() - x0.mean())
                reached.append((1 - share) * y0 + share * y1)
        return max(reached, key=np.mean, default=None)


def cell(found: Found, arm: str, condition: str, reference: Array | None = None) -> str:
    """Return the mean PSNR, the gain of an attack, and the difference to a reference, by default the best MoDL."""
    values = found.of(arm, condition)
    if values is None:
        return ""
    gain = found.of(arm, condition, "gain")
    best = found.best(condition)
    text = f"{values.mean():.2f}"
    if reference is None and best and best != arm:
        reference = found.of(best, condition)
    if reference is not None:
        difference = values - reference
        text += f" ({difference.mean():+.2f} ±{found.half_width(difference):.2f})"
    return text if gain is None else f"{text}, {gain.mean():.2f}"


def over_front(found: Found, arm: str, condition: str) -> str:
    """Return by how much an arm is above the front, with the half-width of its interval."""
    values, front = found.of(arm, condition), found.front(arm, condition)
    if values is None or front is None:
        return "" if values is None else "beyond"
    difference = values - front
    return f"{difference.mean():+.2f} ±{found.half_width(difference):.2f}"


def table(found: Found, title: str, conditions: Sequence[str], *, front: bool = False) -> Iterator[str]:
    """Yield the lines of a table of all arms."""
    fronts = [f"over the front, {condition}" for condition in UNDER] if front else []
    columns = [*conditions, *fronts]
    yield f"{title}\n\n| arm | seeds | {' | '.join(columns)} |\n| --- | --- |{' ---: |' * len(columns)}"
    for arm, seeds in found.seeds.items():
        cells = [cell(found, arm, condition) for condition in conditions]
        cells += [over_front(found, arm, condition) for condition in UNDER] if front else []
        yield f"| {' | '.join((arm, ', '.join(seeds), *cells))} |"


def shares(found: Found) -> Iterator[str]:
    """Yield the lines of the table of what each difference is worth, over the seeds that both of its arms have."""
    conditions = ("clean", *UNDER, *IMAGE[:2])
    yield "What each difference is worth, of the seeds that both have\n"
    yield f"| difference | seeds | {' | '.join(conditions)} |\n| --- | --- |{' ---: |' * len(conditions)}"
    for title, (arm, other) in PAIRS.items():
        seeds = [seed for seed in found.seeds.get(arm, ()) if seed in found.seeds.get(other, ())]
        pairs = [[found.of(name, condition, seeds=seeds) for name in (arm, other)] for condition in conditions]
        cells = (
            "" if a is None or b is None else f"{(a - b).mean():+.2f} ±{found.half_width(a - b):.2f}" for a, b in pairs
        )
        yield f"| {title} | {', '.join(seeds)} | {' | '.join(cells)} |"


def curve(lengths: Mapping[str, Found]) -> Iterator[str]:
    """Yield the lines of a table whose columns are documents: how differences to MoDL grow with updates."""
    yield f"| arm | | {' | '.join(lengths)} |\n| --- | --- |{' ---: |' * len(lengths)}"
    arms = dict.fromkeys(arm for found in lengths.values() for arm in found.seeds)
    for arm, condition in product(arms, ("clean", *UNDER)):
        yield f"| {arm} | {condition} | {' | '.join(cell(found, arm, condition) for found in lengths.values())} |"


def growth(lengths: Mapping[str, Found]) -> Iterator[str]:
    """Yield the lines of a table of the first of the PAIRS: a column for every length, of the seeds that all have.

    A cell has the PSNR of MoDL, and by how much SMUG is above it.
    """
    arm, other = next(iter(PAIRS.values()))
    seeds = sorted(set.intersection(*(set(f.seeds.get(n, ())) for f in lengths.values() for n in (arm, other))))
    yield f"{other}; {arm} minus {other}, seeds {', '.join(seeds)}\n"
    yield f"| condition | {' | '.join(lengths)} |\n| --- |{' ---: |' * len(lengths)}"
    for condition in ("clean", *UNDER, *IMAGE[2:], *IMAGE[:2], f"steps {STEPS[-1]}"):
        cells = []
        for found in lengths.values():
            a, b = (found.of(name, condition, seeds=seeds) for name in (arm, other))
            known = a is not None and b is not None
            cells.append(f"{b.mean():.2f}; {(a - b).mean():+.2f} ±{found.half_width(a - b):.2f}" if known else "")
        yield f"| {condition} | {' | '.join(cells)} |"


def main(out: str, *others: str) -> None:
    """Print the tables."""
    if others:
        lengths = {Path(each).stem: Found(json.loads(Path(each).read_text())) for each in (out, *others)}
        print("\n".join(curve(lengths)), end="\n\n")
        print("\n".join(growth(lengths)))
        return
    document = json.loads(Path(out).read_text())
    found = Found(document)
    people = len(np.unique(found.subjects))
    print(f"{len(found.subjects)} slices of {people} subjects, simulated k-space; PSNR in dB.\n")
    titles = {
        "Clean and under attacks on the measurements; after the comma the gain": (("clean", *UNDER), True),
        "Under the attacks on the aliased image, and PGD of other sizes": (IMAGE, False),
        "Unrolling steps; clean is 8": (("clean", *(f"steps {n}" for n in STEPS)), False),
        "Accelerations; training has 4": (tuple(f"rate {rate:g}" for rate in RATES), False),
    }
    for title, (conditions, front) in titles.items():
        print("\n".join(table(found, title, conditions, front=front)), end="\n\n")
    print("\n".join(shares(found)), end="\n\n")
    seeds = sorted(set().union(*found.seeds.values()))
    for seed in seeds if len(seeds) > 1 else ():
        print("\n".join(table(Found(document, seed), f"Seed {seed} alone", ("clean", *UNDER))), end="\n\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
