"""The tables of what score.py has scored: python -m recipes.tomography.table OUT.json > docs/results/tomography.md.

PSNR in dB: the mean over held-out phantoms, of a method's training seeds too, and the half-width of its 95 % interval
over the phantoms (Student's t).
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from recipes.tomography.score import CLASSICAL, SIZES, STEPS, VIEW_NUMBERS
from recipes.tomography.train import BASE

Array = NDArray[np.float64]
NAMES = {
    "fbp": "FBP",
    "cg": "CG",
    "tv": "TV",
    "modl": "MoDL",
    "smug": "SMUG",
    "weighted-smug": "Weighted SMUG",
    "rs-e2e": "RS-E2E",
    "adversarial": "adversarial training",
}
SHARE = "share of ten times the budget"


class Found:
    """The scores of a document by method: of every phantom, the mean over training seeds."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.runs: dict[str, list[dict[str, Any]]] = {}
        for run, scores in document["scores"].items():
            self.runs.setdefault(run if run in CLASSICAL else run.rpartition("-")[0], []).append(scores)

    def of(self, method: str, condition: str, measure: str = "psnr") -> Array | None:
        """Return a measure of every phantom; None where it is not there."""
        each = [scores.get(condition, {}).get(measure) for scores in self.runs.get(method, ())]
        return None if not each or None in each else np.mean(np.array(each, dtype=float), axis=0)


def interval(values: Array) -> str:
    """Return a mean and the half-width of its 95 % interval."""
    half = stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan
    return f"{values.mean():.2f} ±{half:.2f}"


def cell(found: Found, method: str, condition: str) -> str:
    """Return a PSNR, and after a comma the gain of what perturbed the sinogram."""
    values, gain = found.of(method, condition), found.of(method, condition, "gain")
    if values is None:
        return ""
    return interval(values) + ("" if gain is None else f", {gain.mean():.2f}")


def over(found: Found, method: str, condition: str, reference: str = "modl") -> str:
    """Return the difference to MoDL, paired by phantom."""
    values, other = found.of(method, condition), found.of(reference, condition)
    return "" if method == reference or values is None or other is None else interval(values - other)


def table(found: Found, title: str, conditions: Sequence[str], text: Any = cell) -> Iterator[str]:
    """Yield the lines of a table of the methods that have more of the conditions than the clean one."""
    asked = [c for c in conditions if c != "clean"]
    methods = [m for m in NAMES if m in found.runs and any(text(found, m, c) for c in asked)]
    if methods:
        yield f"**{title}**\n\n| | {' | '.join(conditions)} |\n| --- |{' ---: |' * len(conditions)}"
        yield from (f"| {NAMES[m]} | {' | '.join(text(found, m, c) for c in conditions)} |" for m in methods)
        yield ""


def least(found: Found) -> Iterator[str]:
    """Yield the sentence about the share that the fast attack finds."""
    shares = {NAMES[m]: values for m in found.runs if (values := found.of(m, SHARE, "share")) is not None}
    if shares:
        each = ", ".join(f"{name} {values.mean():.1%}" for name, values in shares.items())
        phantoms = len(next(iter(shares.values())))
        lowest = min(values.min() for values in shares.values())
        yield f"Of the squared error that ten times its budget adds at {SIZES[0]:.0%}, the fast attack adds (means over"
        yield f"{phantoms} phantoms): {each}; the least of all phantoms is {lowest:.1%}.\n"


def main(out: str) -> None:
    """Print the tables."""
    document = json.loads(Path(out).read_text())
    found = Found(document)
    worst = [f"worst {size:.0%}" for size in SIZES]
    noise = [f"noise {size:.0%}" for size in SIZES]
    own = document["views"]
    seeds = max(len(runs) for method, runs in found.runs.items())
    print(f"{document['phantoms']} held-out phantoms, {own} views, training seeds: {seeds}.\n")
    print("\n".join(table(found, "As trained; after the comma the gain", ("clean", "a tenth of the photons", *noise))))
    print("\n".join(table(found, "The worst change that was found; after the comma the gain", worst)))
    print("\n".join(least(found)))
    views = ["clean" if n == own else f"{n} views" for n in VIEW_NUMBERS]
    other = "30 views" if own == 60 else "60 views"
    print("\n".join(table(found, "Minus MoDL, paired by phantom", ("clean", *worst, other, "16 steps"), over)))
    print("\n".join(table(found, f"Other numbers of views; clean is {own}", views)))
    steps = [f"{n} steps" for n in STEPS]
    fewer = sum(n < BASE.steps for n in STEPS)
    print(
        "\n".join(
            table(found, f"Other numbers of steps; clean is {BASE.steps}", (*steps[:fewer], "clean", *steps[fewer:]))
        )
    )
    print(f"Tuned: {'; '.join(document['tuned'].values())}.")


if __name__ == "__main__":
    main(*sys.argv[1:])
