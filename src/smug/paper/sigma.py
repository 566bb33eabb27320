"""Figure 11: the smoothing noise at test time, without retraining, under one perturbation."""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from smug.evaluation.conditions import Condition, clean, with_setting
from smug.evaluation.row import Row
from smug.evaluation.statistics import Interval, interval, sentence
from smug.paper.cells import Block
from smug.paper.exhibit import Exhibit, Result
from smug.paper.made_at import made_at
from smug.paper.sigma_plot import CLEAN, PERTURBED, ROBUSTNESS, Errors, sigma_figure
from smug.paper.strength import EPSILON, pgd
from smug.paper.style import STYLES, captioned
from smug.paper.sweeps import about
from smug.paper.table_text import pipes
from smug.paper.workshop import Workshop
from smug.shifts import sigma

SIGMAS = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""The smoothing noise under test, per part of the normalised image."""

MADE_AT = 0.01
"""That at which the perturbation is made: the paper's, and that of training."""

METHODS = ("rs-e2e", "smug")
DIFFERENCE = "smug minus rs-e2e"


def sigma_conditions() -> tuple[dict[float, Condition], dict[float, Condition]]:
    """Return the conditions by sigma: clean measurements, and perturbed ones."""
    perturbed = made_at(MADE_AT, pgd(EPSILON))
    without, under = ({s: with_setting("sigma", sigma, s, base) for s in SIGMAS} for base in (clean(), perturbed))
    return without, under


def _fig11(workshop: Workshop) -> Result:
    without, under = sigma_conditions()
    block = Block("knee", 4.0, METHODS, (*without.values(), *under.values()))
    found = workshop.found([block])
    curves = sigma_curves([each.row for each in found], without, under)
    said = (
        f"{about(workshop, block, found)} The perturbation (PGD, ε = {EPSILON:g} of the image's maximum) is made once "
        f"for each model and slice, at σ = {MADE_AT:g}; nothing is trained again. RMSE: of magnitudes, over the "
        "target's norm. Robustness error: the difference of complex reconstructions with and without the perturbation, "
        "at the same smoothing noise, over the norm of the latter. "
        f"{workshop.scale.sampling} Above: means over slices; below: differences, "
        f"paired by slice. {sentence(curves[DIFFERENCE, CLEAN].values())}"
    )
    place = {condition.name: s for conditions in (without, under) for s, condition in conditions.items()}
    records = [{"sigma": place[each.row.condition], **_errors(each.row)} | each.flat() for each in found]
    notes = (said, "In the CSV, rmse is relative to the target's norm, rmse_per_pixel to the target's maximum.")
    return Result(records, captioned(sigma_figure(curves, METHODS, DIFFERENCE, MADE_AT), said), _text(curves), notes)


def _errors(row: Row) -> dict[str, float]:
    return {"rmse": math.sqrt(row.nmse), "rmse_per_pixel": 10 ** (-row.psnr / 20)}


def sigma_curves(rows: Sequence[Row], without: Mapping[float, Condition], under: Mapping[float, Condition]) -> Errors:
    """Return what is drawn, in per cent, over sigma: of each method the mean over slices, and their difference.

    A slice's number is the mean over training seeds.
    """
    cells: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in rows:
        cells.setdefault((row.model, row.condition), {}).setdefault(row.slice, []).append(row)
    drawn: dict[str, tuple[Mapping[float, Condition], Callable[[Row], float]]] = {
        CLEAN: (without, lambda row: 100 * math.sqrt(row.nmse)),
        PERTURBED: (under, lambda row: 100 * math.sqrt(row.nmse)),
        ROBUSTNESS: (under, lambda row: 100 * row.robustness_error),
    }
    curves: dict[tuple[str, str], dict[float, Interval]] = {}
    for name, (conditions, of) in drawn.items():
        for s, condition in conditions.items():
            subjects = {name: seeds[0].subject for name, seeds in cells[METHODS[0], condition.name].items()}
            first, second = (
                [fmean(map(of, cells[method, condition.name][name])) for name in subjects] for method in METHODS
            )
            differences = [b - a for a, b in zip(first, second, strict=True)]
            for who, values in zip((*METHODS, DIFFERENCE), (first, second, differences), strict=True):
                curves.setdefault((who, name), {})[s] = interval(values, list(subjects.values()))
    return curves


def _text(curves: Errors) -> str:
    labels = {method: STYLES[method].label for method in METHODS}
    labels[DIFFERENCE] = f"{labels[METHODS[1]]} minus {labels[METHODS[0]]}"
    lines = [
        [f"{labels[who]}: {name}", *(_number(point, who == DIFFERENCE) for point in points.values())]
        for (who, name), points in sorted(curves.items(), key=lambda item: list(labels).index(item[0][0]))
    ]
    table = pipes(("σ", *(f"{s:g}" for s in SIGMAS)), lines)
    return f"RMSE and robustness error in per cent of the image's norm, means over slices.\n\n{table}\n"


def _number(point: Interval, difference: bool) -> str:
    if not difference:
        return f"{point.mean:.2f}"
    bounds = f" [{point.low:+.3f}, {point.high:+.3f}]" if math.isfinite(point.low) else ""
    return f"{point.mean:+.3f}{bounds}"


FIG11 = Exhibit("fig11", "Fig. 11: error and robustness error over the smoothing noise", "knee", _fig11)
