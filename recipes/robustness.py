"""All models on people whom none has seen, clean and under the strongest attack that was found for any of them.

python -m recipes.robustness RUNS [MODEL ...] [--changes 0.01 ...] [--more STEPS] [--source siat] [--split all]
                             [--slices 6] [--size 128]

One slice of 128 x 128 of each of the six SIAT subjects, 4 simulated coils, 4x random lines, noise of 0.01; SMUG_DATA
names the folder of the image sets. Every model is attacked by ``fast`` at every size, or those of ``--changes``; the
perturbations made for some are tried on all: what counts is the strongest for that slice, its own or another's. RUNS
keeps perturbations and scores, so that it goes on where it was stopped, also with more models and sizes. With
``--more`` every model named is attacked in so many more steps of APGD from what ``fast`` found for it: where these find
much, ``fast`` was too short. Prints a table and draws ``RUNS/front.png``.

A ridge regulariser, also where a network starts from its image, is attacked with the noise level of the clean scan
held, less exactly solved, which takes a quarter of the time; it is scored as it is, with the level of the perturbed
scan. Smoothing averages an antithetic pair.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import fmean

import matplotlib.pyplot as plt
import torch
from safetensors.torch import load_file, save_file
from scipy import stats
from torch import Tensor

import smug

MODELS = (
    "zero-filled",
    "cg-sense",
    "tv",
    "modl",
    "smug",
    "adversarial",
    "ridge",
    "ridge lam 1",
    "ridge tau 0.0025",
    "modl-ridge",
    "smug-ridge",
)
TRANSFERRED = ("cg-sense", "tv", "modl", "adversarial", "ridge")
"""Whose perturbations are tried on all."""
SIZES = (0.0025, 0.01, 0.025, 0.05)
"""l2 norms, in parts of that of the measurements."""
BASELINE = "modl"
"""What all are compared with; it is always among them."""
QUICK = {"tolerance": 3e-4, "solve_tolerance": 1e-2}


def load(name: str) -> smug.Described:
    """Return a shipped model for normalised scans, with other settings where they follow: ``ridge lam 2 tau 0.01``."""
    model, *changes = name.split(" ")
    f = smug.load(model)
    settings = f.settings()
    if "num_samples" in settings:
        f = f.replace(num_samples=2, noise="antithetic")
    return f.replace(**{key: float(value) for key, value in zip(changes[::2], changes[1::2], strict=True)})


def stand_in(f: smug.Described, scan: smug.Scan) -> smug.Described:
    """Return what stands for a model while it is attacked."""
    alone = "regulariser" in f.settings()
    ridge = f.unscaled() if alone else f.settings().get("first")
    if not isinstance(ridge, smug.Ridge):
        return f
    held = {"sigma": ridge.level(scan.normalised().y, scan.A), **QUICK}
    return f.replace(**held) if alone else f.replace(first=ridge.replace(**held))


def perturbation(scan: smug.Scan, runs: Path, name: str, size: float, more: int = 0) -> Tensor:
    """Return the perturbation that was made for a model, with so many more steps; make it where it is not kept."""
    path = runs / f"{name} {size:g}{f' +{more}' if more else ''}.safetensors"
    if not path.exists():
        threat, seeds = smug.Threat(size, norm="l2", unit="kspace-l2"), torch.arange(len(scan.y))
        f = stand_in(load(name), scan)
        if more:
            rule = smug.attacks.APGD(more, start=smug.attacks.warm_start(perturbation(scan, runs, name, size)))
            delta = smug.attacks.attack(f, scan, threat, rule=rule, generator=seeds).delta
        else:
            delta = smug.attacks.fast(f, scan, threat, score_draws=1, generator=seeds).delta  # all are scored below
        save_file({"delta": torch.view_as_real(delta).contiguous()}, path)
        print(
            f"{name}: attacked at {100 * size:g} %{f' in {more} more steps' if more else ''}",
            file=sys.stderr,
            flush=True,
        )
    return torch.view_as_complex(load_file(path)["delta"])


@torch.no_grad()
def psnr(f: smug.Described, scan: smug.Scan, delta: Tensor | float = 0.0) -> list[float]:
    """Return the PSNR of every slice, with noise of the reconstructor that no attack has seen."""
    image = f(scan.y + delta, scan.A, generator=torch.arange(len(scan.y)) + 2**40)
    return [float(value) for value in smug.metrics.psnr(image, scan.truth)]


def scores(
    scan: smug.Scan, runs: Path, names: tuple[str, ...], sizes: Sequence[float] = SIZES, more: int = 0
) -> dict[str, dict[str, list[float]]]:
    """Return the PSNR of every slice: of every model, clean and under every perturbation."""
    path = runs / "scores.json"
    found: dict[str, dict[str, list[float]]] = json.loads(path.read_text()) if path.exists() else {}
    for name in names:
        f, own = load(name), found.setdefault(name, {})
        own["clean"] = own.get("clean") or psnr(f, scan)
        for size, source in product(sizes, dict.fromkeys((name, *TRANSFERRED))):
            if (condition := f"{size:g} {source}") not in own:
                own[condition] = psnr(f, scan, perturbation(scan, runs, source, size))
                path.write_text(json.dumps(found, indent=1))
        for size in sizes if more else ():
            if (condition := f"{size:g} {name} +{more}") not in own:
                own[condition] = psnr(f, scan, perturbation(scan, runs, name, size, more))
                path.write_text(json.dumps(found, indent=1))
    return {name: found[name] for name in names}


def strongest(own: Mapping[str, list[float]], size: float) -> list[float]:
    """Return the lowest PSNR of every slice at a size."""
    return [min(values) for values in zip(*(v for c, v in own.items() if c.startswith(f"{size:g} ")), strict=True)]


def difference(values: list[float], baseline: list[float]) -> str:
    """Return the mean of a paired difference with half its 95 % interval over subjects."""
    differences = torch.tensor(values, dtype=torch.float64) - torch.tensor(baseline, dtype=torch.float64)
    n = len(differences)
    half = float(stats.t.ppf(0.975, n - 1)) * float(differences.std()) / math.sqrt(n)
    return f"{float(differences.mean()):+.2f} ±{half:.2f}"


def table(found: Mapping[str, Mapping[str, list[float]]], sizes: Sequence[float] = SIZES) -> Iterator[str]:
    """Yield the lines of the table: means over subjects, differences to MoDL, and how often another's attack won."""
    yield "| model | clean | " + " | ".join(f"worst {100 * size:g} %" for size in sizes) + " | transferred |"
    yield "| --- | ---: |" + " ---: |" * (len(sizes) + 1)
    baseline = columns(found[BASELINE], sizes)
    for name, own in found.items():
        cells = [fmean(values) for values in columns(own, sizes)]
        minus = [difference(*pair) for pair in zip(columns(own, sizes), baseline, strict=True)]
        words = (f"{a:.2f}" if name == BASELINE else f"{a:.2f} ({b})" for a, b in zip(cells, minus, strict=True))
        made_for_it = {c: values for c, values in own.items() if c.partition(" +")[0].partition(" ")[2] == name}
        mine = [value for column in columns({"clean": [], **made_for_it}, sizes)[1:] for value in column]
        lowest = [value for column in columns(own, sizes)[1:] for value in column]
        won = sum(a < b for a, b in zip(lowest, mine, strict=True))
        yield f"| {name} | {' | '.join(words)} | {won} of {len(mine)} |"


def columns(own: Mapping[str, list[float]], sizes: Sequence[float]) -> list[list[float]]:
    """Return the PSNR of every slice, clean and under the strongest attack of every size."""
    return [own["clean"], *(strongest(own, size) for size in sizes)]


def draw(found: Mapping[str, Mapping[str, list[float]]], sizes: Sequence[float], path: Path) -> None:
    """Draw clean accuracy against that under the strongest attacks, a panel for every size."""
    rows = math.ceil(len(sizes) / 2)
    figure, axes = plt.subplots(rows, 2, figsize=(9, 3.4 * rows + 0.6), sharex=True, squeeze=False)
    for axis, size in zip(axes.flat, sizes, strict=False):
        for number, (name, own) in enumerate(found.items()):
            marker = "os^vDP*X<>hp"[number % 12]
            place = fmean(own["clean"]), fmean(strongest(own, size))
            axis.plot(*place, marker, color=f"C{number % 10}", label=name, ms=9, mfc="none", mew=1.8)
        axis.set(title=f"worst {100 * size:g} % of the measurements")
        axis.grid(alpha=0.3)
    figure.supxlabel("clean PSNR (dB)", fontsize="medium", y=0.55 / figure.get_figheight())
    figure.supylabel("PSNR under attack (dB)", fontsize="medium")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="lower center", ncols=6, frameon=False)
    figure.tight_layout(rect=(0, 0.6 / figure.get_figheight(), 1, 1))
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Attack, score, print and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("models", nargs="*", default=MODELS)
    parser.add_argument("--changes", type=float, nargs="+", default=SIZES, metavar="SIZE")
    parser.add_argument("--more", type=int, default=0, metavar="STEPS")
    parser.add_argument("--source", default="siat")
    parser.add_argument("--split", default="all")
    parser.add_argument("--slices", type=int, default=6)
    parser.add_argument("--size", type=int, default=128)
    asked = parser.parse_args(arguments)
    asked.runs.mkdir(parents=True, exist_ok=True)
    images = smug.load_images(asked.source, asked.split, asked.size, count=asked.slices)
    scan = smug.simulate(images.images, smug.Acquisition(), list(range(len(images.images))), images.names)
    found = scores(scan, asked.runs, tuple(dict.fromkeys((BASELINE, *asked.models))), asked.changes, asked.more)
    print("\n".join(table(found, asked.changes)))
    draw(found, asked.changes, asked.runs / "front.png")


if __name__ == "__main__":
    main()
