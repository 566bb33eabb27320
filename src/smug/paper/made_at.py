"""Perturbations that are made for a reconstructor at one smoothing noise, and tested at others."""

from dataclasses import replace

from torch import Tensor

from smug.data.scan import Scan
from smug.evaluation.conditions import Condition, Perturb, Perturbed
from smug.evaluation.store import fingerprint
from smug.reconstructor import Reconstructor
from smug.shifts import sigma


def made_at(value: float, base: Condition) -> Condition:
    """Return a condition whose perturbation is made for the reconstructor at one sigma, whatever it is tested at."""
    perturb = remembered(base.perturb)

    def made(f: Reconstructor, scan: Scan, seeds: Tensor) -> Perturbed:
        return perturb(sigma(f, value), scan, seeds)

    name = f"made at sigma {value:g}"
    return replace(
        base,
        name=f"{base.name}, {name}",
        description=f"{base.description}, {name}",
        recipe=f"{name}, {base.recipe}",
        perturb=made,
    )


def remembered(perturb: Perturb) -> Perturb:
    """Return what was made last for as long as reconstructor, scan and seeds are the same: made once for all sigmas."""
    last: dict[tuple[object, ...], Perturbed] = {}

    def again(f: Reconstructor, scan: Scan, seeds: Tensor) -> Perturbed:
        key = (fingerprint(f) or f, scan, tuple(seeds.tolist()))
        if key not in last:
            last.clear()
            last[key] = perturb(f, scan, seeds)
        return last[key]

    return again
