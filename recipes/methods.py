"""Score the runs of recipes/methods.sh: python recipes/methods.py RUNS [val|test [SLICES]].

Prints their table and draws clean against attacked PSNR, in RUNS/SPLIT, where the rows are kept too, so that it goes on
where it was stopped. "val" is for choices. Smoothed reconstructors average one antithetic pair, which is nearer to the
expectation than ten independent samples.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, stdev

import smug

NAMES = ("clean", "noise 0.02", "PGD linf 0.02", "PGD linf 0.05")
"""The conditions of the protocol "paper" that are shown."""

REFERENCE = "modl"
SWEEP = "-weight"
"""Part of the names of runs that are for choices, and so are not scored on test slices."""

Levels = Mapping[str, Mapping[str, Mapping[str, float]]]
"""The mean PSNR by method, seed and condition."""


def levels(runs: Path, split: str, slices: int) -> Levels:
    """Score all finished runs."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for run in sorted(path.parent for path in runs.glob("*-[0-9]/run.json")):
        method, _, seed = run.name.rpartition("-")
        if split == "test" and SWEEP in method:
            continue
        model = smug.load(run)
        if "num_samples" in model.settings():
            model = model.replace(noise="antithetic", num_samples=2)
        data = {"split": split, "max_slices": slices, "store": runs / split / "rows"}
        rows = smug.evaluate({run.name: model}, "siat", "paper", **data).rows
        means = {name: fmean(row.psnr for row in rows if row.condition == name) for name in NAMES}
        found.setdefault(method, {})[seed] = means
    return found


def gains(table: Levels, method: str, condition: str) -> list[float]:
    """Return the differences to MoDL of the same seed."""
    reference = table[REFERENCE]
    return [values[condition] - reference[seed][condition] for seed, values in table[method].items()]


def spread(values: list[float]) -> float:
    """Return the standard deviation over training seeds, 0 for one."""
    return stdev(values) if len(values) > 1 else 0.0


def lines(table: Levels) -> list[str]:
    """Return the table in markdown."""
    rows = ["| method | seeds | " + " | ".join(NAMES) + " |", "| --- | ---: |" + " ---: |" * len(NAMES)]
    for method, seeds in table.items():
        cells = []
        for name in NAMES:
            level = fmean(values[name] for values in seeds.values())
            gain = gains(table, method, name)
            told = f" ({fmean(gain):+.2f} ±{spread(gain):.2f})" if len(gain) > 1 else f" ({gain[0]:+.2f})"
            cells.append(f"{level:.2f}" + (told if method != REFERENCE else ""))
        rows.append(f"| {method} | {len(seeds)} | " + " | ".join(cells) + " |")
    return rows


def draw(table: Levels, path: Path, split: str, slices: int) -> None:
    """Draw what is lost on clean data against what is gained under attack."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5.5), layout="constrained")
    axis = figure.add_subplot()
    axis.axvline(-0.1, color="0.6", linestyle="--", linewidth=1, label="0.1 dB below MoDL")
    for method in table:
        x, y = (gains(table, method, name) for name in (NAMES[0], NAMES[-1]))
        sweep = SWEEP in method
        axis.errorbar(
            fmean(x),
            fmean(y),
            spread(y),
            spread(x),
            marker="s" if sweep else "o",
            color="0.5" if sweep else "C0",
            capsize=2,
        )
        left = fmean(x) > -0.15 and not sweep
        offset, side = ((-6, 5), "right") if left else ((6, -9), "left")
        axis.annotate(method, (fmean(x), fmean(y)), offset, textcoords="offset points", fontsize=7, ha=side)
    axis.margins(x=0.12)
    axis.set_xlabel("clean PSNR minus that of MoDL (dB)")
    axis.set_ylabel(f"PSNR under {NAMES[-1]} minus that of MoDL (dB)")
    axis.set_title(f"{slices} slices of one subject (SIAT {split}); bars: SD over training seeds", fontsize=10)
    axis.legend(loc="lower left")
    axis.grid(alpha=0.3)
    figure.savefig(path, dpi=200)


def main() -> None:
    """Score, print and draw."""
    runs, split, count = Path(sys.argv[1]), *[*sys.argv[2:], *("test", "6")[len(sys.argv) - 2 :]]
    slices = int(count)
    table = levels(runs, split, slices)
    print(
        f"Mean PSNR in dB of {slices} slices of one subject (SIAT {split}); in brackets the difference to MoDL of the"
    )
    print("same seed, its mean and standard deviation over training seeds.\n")
    print("\n".join(lines(table)))
    draw(table, runs / split / "tradeoff.png", split, slices)


if __name__ == "__main__":
    main()
