"""Score reconstructors of sparse-view CT on phantoms that nobody trained on.

python -m recipes.tomography.score RUNS OUT.json [--views 30] [--phantoms 12]

RUNS is what recipes.tomography.train wrote for so many views. FBP, CG and TV are tuned on validation phantoms, anew
for every number of views; networks stay as they were trained, for one number and five steps. The worst case of a
sinogram's change in the l2 norm is what the fast attack finds, and of a few phantoms also what ten times its budget
finds. OUT.json keeps what is scored, so that it goes on where it was stopped; about half an hour of one core.
Then: python -m recipes.tomography.table OUT.json
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import smug
from recipes.attack_strength import compared
from recipes.tomography import train
from recipes.tomography.tomograph import PHOTONS, VIEWS, FilteredBackProjection, phantoms, scan

SCHEMA = "smug-tomography-1"
SIZES = (0.01, 0.03)
VIEW_NUMBERS, STEPS = (15, 20, 30, 45, 60), (1, 2, 3, 4, 8, 16)
FEW = 3
"""Phantoms on which the attack is compared with ten times its budget."""

CLASSICAL: Mapping[str, tuple[Callable[[float], Any], tuple[float, ...]]] = {
    "fbp": (FilteredBackProjection, (0.7, 1.0, 1.4, 2.0, 3.0, 5.0)),
    "cg": (smug.CGSense, (1e-4, 3e-4, 1e-3, 3e-3)),
    "tv": (partial(smug.TotalVariation, iterations=400), (5e-5, 1e-4, 2e-4, 4e-4, 8e-4)),
}
"""What makes a reconstructor of one number, and the numbers to try."""

Scores = dict[str, list[float]]


@cache
def held_out(count: int, views: int, photons: float = PHOTONS) -> smug.Scan:
    """Return the scan of test phantoms."""
    return scan(phantoms("test", count), views, photons, seed=2_000_000)


@cache
def classical(name: str, views: int) -> Any:
    """Return FBP, CG or TV at its best on four validation phantoms."""
    family, numbers = CLASSICAL[name]
    return smug.tuned(family, [scan(phantoms("val", 4), views, seed=1_000_000)], numbers)


def models(runs: Path, views: int) -> dict[str, Any]:
    """Return all reconstructors, of sinograms as they are, by name; those of networks end in their seed."""
    paths = [path for method in train.METHODS for path in sorted(runs.glob(f"{method}-[0-9]*.safetensors"))]
    return {name: classical(name, views) for name in CLASSICAL} | {
        p.stem: smug.normalised(train.built(p, views)) for p in paths
    }


def plain(name: str, f: Any, s: smug.Scan, y: Tensor | None = None) -> Scores:
    """Score measurements as they are, or others and how much more the image changed than they; at equal noise."""
    seeds = torch.arange(len(s.id)) + 2**40
    call = f if name in CLASSICAL else partial(f, generator=seeds)
    with torch.no_grad():
        before = call(s.y, s.A)
        if y is None:
            return {"psnr": smug.metrics.psnr(before, s.truth).tolist()}
        after = call(y, s.A)
    moved, size = ((after - before).flatten(1).norm(dim=1), (y - s.y).flatten(1).norm(dim=1))
    return {"psnr": smug.metrics.psnr(after, s.truth).tolist(), "gain": (moved / size).tolist()}


def clean(name: str, f: Any, count: int, views: int, photons: float = PHOTONS) -> Scores:
    """Score a number of views and of photons."""
    return plain(name, classical(name, views) if name in CLASSICAL else f, held_out(count, views, photons))


def noisy(name: str, f: Any, count: int, views: int, size: float) -> Scores:
    """Score under white noise of a share of the sinogram's norm."""
    s = held_out(count, views)
    return plain(name, f, s, smug.shifts.noise(s, size, torch.arange(count)).y)


def worst(name: str, f: Any, count: int, views: int, size: float) -> Scores:
    """Score under the worst change of a share of the sinogram's norm that the fast attack finds."""
    s, threat = held_out(count, views), smug.Threat(size, "l2", "kspace-l2")
    found = smug.attacks.fast(f, s, threat, score_draws=2, generator=torch.arange(count))
    return plain(name, f, s, s.y + found.delta)


def share(name: str, f: Any, count: int, views: int) -> Scores:
    """Return how much of the squared error that ten times its budget adds the fast attack adds, for each of a few.

    Nothing for CG and TV, whose hundreds of iterations would take hours.
    """
    if name in ("cg", "tv"):
        return {}
    s, threat = held_out(count, views)[:FEW], smug.Threat(SIZES[0], "l2", "kspace-l2")
    found, best = compared(f, s, threat, torch.arange(len(s.id)), steps=50)
    added = (result.objective - result.clean_objective for result in (found, best))
    return {"share": torch.div(*added).tolist()}


def stepped(name: str, f: Any, count: int, views: int, steps: int) -> Scores:
    """Score another number of unrolling steps; nothing for what has none."""
    return {} if name in CLASSICAL else plain(name, f.replace(steps=steps), held_out(count, views))


def conditions(views: int) -> dict[str, Callable[[str, Any, int], Scores]]:
    """Return all conditions of what was trained for so many views."""
    own = {
        "clean": clean,
        "a tenth of the photons": partial(clean, photons=PHOTONS / 10),
        **{f"noise {size:.0%}": partial(noisy, size=size) for size in SIZES},
        **{f"{steps} steps": partial(stepped, steps=steps) for steps in STEPS},
        **{f"worst {size:.0%}": partial(worst, size=size) for size in SIZES},
        "share of ten times the budget": share,
    }
    others = {f"{n} views": partial(clean, views=n) for n in VIEW_NUMBERS if n != views}
    return others | {name: partial(score, views=views) for name, score in own.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Score what is not scored."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--views", type=int, default=VIEWS)
    parser.add_argument("--phantoms", type=int, default=12)
    asked = parser.parse_args(arguments)
    path, found = asked.out, models(asked.runs, asked.views)
    tuned = {name: repr(found[name]) for name in CLASSICAL}
    new = {"schema": SCHEMA, "views": asked.views, "phantoms": asked.phantoms, "tuned": tuned}
    document: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {**new, "scores": {}}
    if {key: document.get(key) for key in new} != new:
        raise SystemExit(
            f"{path}: expected scores of {asked.phantoms} phantoms in {asked.views} views, got another document; "
            "name another file"
        )
    for condition, score in conditions(asked.views).items():
        for name, f in found.items():
            own = document["scores"].setdefault(name, {})
            if condition not in own:
                own[condition] = score(name, f, asked.phantoms)
                whole = path.with_name(f"{path.name}.part")
                whole.write_text(json.dumps(document))
                whole.replace(path)
                print(f"{name}, {condition}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
