"""Score the runs of recipes/methods.sh and print their tables: python recipes/methods.py RUNS [SPLIT [SLICES]].

Rows are kept in RUNS/SPLIT, so that it goes on where it was stopped. SPLIT is "val" (for choices) or "test".
Smoothed reconstructors average one antithetic pair, which is nearer to the expectation than ten independent samples.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import smug
from smug.attacks.pgd import PAPER
from smug.data.simulate import Acquisition
from smug.evaluation.conditions import attacked, clean, noisy
from smug.evaluation.datasets import simulated_set
from smug.evaluation.protocol import evaluate
from smug.files import write_json

CONDITIONS = (
    clean(),
    noisy(0.02),
    attacked(smug.Threat(0.02), PAPER, "PGD"),
    attacked(smug.Threat(0.05), PAPER, "PGD"),
)


def scored(run: Path, kept: Path, split: str, slices: int) -> list[dict[str, Any]]:
    """Return the rows of a run, from its file or anew."""
    if not kept.exists():
        model = smug.load(run)
        if hasattr(model.reconstructor, "smoothing"):
            model = model.replace(noise="antithetic", num_samples=2)
        scans = simulated_set("siat", split, 128, Acquisition(), count=slices).scans
        rows = [asdict(row) for row in evaluate({run.name: model}, CONDITIONS, scans)]
        write_json(kept, {"schema": "smug-rows-1", "seconds": seconds(run), "rows": rows})
    rows: list[dict[str, Any]] = json.loads(kept.read_text())["rows"]
    return rows


def seconds(run: Path) -> float:
    """Return what a run's training took."""
    return float(json.loads((run / "run.json").read_text())["timing"]["seconds"])


def means(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return the mean PSNR under every condition."""
    rows = list(rows)
    return {c.name: fmean(row["psnr"] for row in rows if row["condition"] == c.name) for c in CONDITIONS}


def main() -> None:
    """Print, for every method, the PSNR and its difference to MoDL of the same seed."""
    runs, split, slices = Path(sys.argv[1]), *(sys.argv[2:] + ["test", "6"][len(sys.argv) - 2 :])
    finished = sorted(path.parent for path in runs.glob("*/run.json") if path.parent.name not in ("start", "warm"))
    table: dict[str, dict[str, dict[str, float]]] = {}
    for run in finished:
        method, _, seed = run.name.rpartition("-")
        table.setdefault(method, {})[seed] = means(scored(run, runs / split / f"{run.name}.json", split, int(slices)))
    print(f"Mean PSNR in dB of {slices} slices of one subject (SIAT {split}); difference to MoDL of the same seed,")
    print("mean over training seeds, and its standard deviation over them.\n")
    print("| method | seeds | " + " | ".join(c.name for c in CONDITIONS) + " |")
    print("| --- | ---: |" + " ---: |" * len(CONDITIONS))
    for method, seeds in table.items():
        cells = []
        for condition in (c.name for c in CONDITIONS):
            level = fmean(values[condition] for values in seeds.values())
            paired = [values[condition] - table["modl"][seed][condition] for seed, values in seeds.items()]
            spread = f" ±{stdev(paired):.2f}" if len(paired) > 1 else ""
            cells.append(f"{level:.2f}" if method == "modl" else f"{level:.2f} ({fmean(paired):+.2f}{spread})")
        print(f"| {method} | {len(seeds)} | " + " | ".join(cells) + " |")


main()
