"""Figure 11: the smoothing noise at test time, without retraining, under one perturbation."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from smug.data.scan import Scan
from smug.evaluation.conditions import Condition, Perturb, Perturbed, clean, with_setting
from smug.evaluation.row import Row
from smug.evaluation.statistics import Interval, interval, sentence
from smug.evaluation.store import fingerprint
from smug.paper.averaged import averaged
from smug.paper.cells import Block
from smug.paper.exhibit import Exhibit, Result
from smug.paper.sigma_plot import CLEAN, PERTURBED, ROBUSTNESS, Curves, sigma_figure
from smug.paper.strength import pgd
from smug.paper.style import STYLES, captioned
from smug.paper.sweeps import about
from smug.paper.table_text import pipes
from smug.paper.workshop import Workshop
from smug.reconstructor import Reconstructor
from smug.shifts import sigma

SIGMAS = (0.0, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1)
"""The smoothing noise under test, per part of the normalised image."""

MADE_AT = 0.01
"""That at which the perturbation is made: the paper's, and that of training."""

EPSILON = 0.02
METHODS = ("rs-e2e", "smug")


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


def sigma_conditions() -> tuple[dict[float, Condition], dict[float, Condition]]:
    """Return the conditions by sigma: clean measurements, and perturbed ones."""
    perturbed = made_at(MADE_AT, pgd(EPSILON))
    without, under = ({s: with_setting("sigma", sigma, s, base) for s in SIGMAS} for base in (clean(), perturbed))
    return without, under


def _fig11(workshop: Workshop) -> Result:
    without, under = sigma_conditions()
    block = Block("knee", 4.0, METHODS, (*without.values(), *under.values()))
    found = workshop.found([block])
    place = {condition.name: s for conditions in (without, under) for s, condition in conditions.items()}
    curves = _curves(averaged(found), without, under)
    intervals = [point for points in curves.values() for point in points.values()]
    said = (
        f"{about(workshop, block, found)} The perturbation (PGD, ε = {EPSILON:g} of the image's maximum) is made once "
        f"for each model and slice, at σ = {MADE_AT:g}; nothing is trained again. RMSE: of magnitudes, over the "
        "target's norm. Robustness error: the difference of complex reconstructions with and without the perturbation, "
        "at the same smoothing noise, over the norm of the latter. Smoothing averages "
        f"{workshop.scale.num_samples} {workshop.scale.noise} samples. {sentence(intervals)}"
    )
    records = [
        {
            "sigma": place[each.row.condition],
            "rmse": math.sqrt(each.row.nmse),
            "rmse_per_pixel": 10 ** (-each.row.psnr / 20),
        }
        | each.flat()
        for each in found
    ]
    notes = (said, "In the CSV, rmse is relative to the target's norm, rmse_per_pixel to the target's maximum.")
    return Result(records, captioned(sigma_figure(curves, MADE_AT), said), _text(curves), notes)


def _curves(rows: Sequence[Row], without: Mapping[float, Condition], under: Mapping[float, Condition]) -> Curves:
    """Return means over slices in per cent, by method and what is drawn, over sigma."""
    cells: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        cells.setdefault((row.model, row.condition), []).append(row)

    def mean(method: str, condition: Condition, of: Callable[[Row], float]) -> Interval:
        here = cells[method, condition.name]
        return interval([100 * of(row) for row in here], [row.subject for row in here])

    drawn = {CLEAN: (without, _rmse), PERTURBED: (under, _rmse), ROBUSTNESS: (under, _robustness)}
    return {
        (method, name): {s: mean(method, condition, of) for s, condition in conditions.items()}
        for method in METHODS
        for name, (conditions, of) in drawn.items()
    }


def _rmse(row: Row) -> float:
    return math.sqrt(row.nmse)


def _robustness(row: Row) -> float:
    return row.robustness_error


def _text(curves: Curves) -> str:
    lines = [
        [
            f"{STYLES[method].label}, {'RMSE, ' if name != ROBUSTNESS else ''}{name}",
            *(f"{point.mean:.2f}" for point in points.values()),
        ]
        for (method, name), points in curves.items()
    ]
    return (
        f"Per cent of the norm of the image, means over slices:\n\n{pipes(('σ', *(f'{s:g}' for s in SIGMAS)), lines)}\n"
    )


FIG11 = Exhibit("fig11", "Fig. 11: error and robustness error over the smoothing noise", _fig11)
