"""Figure 11: the smoothing noise at test time, without retraining, under one perturbation."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from torch import Tensor

from smug.data.scan import Scan
from smug.evaluation.conditions import Condition, Perturb, Perturbed, clean, with_setting
from smug.evaluation.row import Row
from smug.evaluation.statistics import Interval, interval, sentence
from smug.evaluation.store import fingerprint
from smug.paper.conditions import EPSILON, pgd
from smug.paper.exhibit import Content, Drawing, Exhibit, about
from smug.paper.measurement import Results
from smug.paper.scales import Scale
from smug.paper.scores import Scores
from smug.paper.sigma_figure import CLEAN, PERTURBED, ROBUSTNESS, Errors, sigma_figure
from smug.paper.style import STYLES, captioned
from smug.reconstructor import Reconstructor
from smug.shifts import sigma
from smug.system.table import Table, simple_table

SIGMAS = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""The smoothing noise under test, per part of the normalised image."""

TRAINED_SIGMA = 0.01
"""The smoothing noise in training, and of the reconstructor that the perturbation is made for: as in the paper."""

METHODS = ("rs-e2e", "smug")
DIFFERENCE = "smug minus rs-e2e"


def sigma_conditions() -> tuple[dict[float, Condition], dict[float, Condition]]:
    """Return the conditions by sigma: clean measurements, and perturbed ones."""
    perturbed = attacked_at_sigma(TRAINED_SIGMA, pgd(EPSILON))
    without, under = ({s: with_setting("sigma", sigma, s, base) for s in SIGMAS} for base in (clean(), perturbed))
    return without, under


def attacked_at_sigma(value: float, base: Condition) -> Condition:
    """Return a condition whose perturbation is made for the reconstructor at one sigma, whichever it is tested at."""
    perturb = with_memory(base.perturb)

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


def with_memory(perturb: Perturb) -> Perturb:
    """Return the same perturbation, which is made once for all sigmas: the last one is kept for equal arguments."""
    last: dict[tuple[object, ...], Perturbed] = {}

    def again(f: Reconstructor, scan: Scan, seeds: Tensor) -> Perturbed:
        key = (fingerprint(f) or f, scan, tuple(seeds.tolist()))
        if key not in last:
            last.clear()
            last[key] = perturb(f, scan, seeds)
        return last[key]

    return again


def sigma_curves(rows: Sequence[Row], without: Mapping[float, Condition], under: Mapping[float, Condition]) -> Errors:
    """Return errors in per cent over sigma: of each method the mean over slices, and the difference of the methods.

    ``without`` and ``under`` are the conditions by sigma without and with a perturbation. A slice's error is the mean
    over training seeds.
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


def _content(scale: Scale) -> Content:
    without, under = sigma_conditions()
    measured = Scores("knee", 4.0, METHODS, (*without.values(), *under.values()))
    sigmas = {condition.name: s for conditions in (without, under) for s, condition in conditions.items()}

    def draw(results: Results) -> Drawing:
        scores = results.of(measured)
        curves = sigma_curves([each.row for each in scores], without, under)
        caption = (
            f"{about(scale, measured, scores)} The perturbation (PGD, ε = {EPSILON:g} of the image's maximum) is made "
            f"once for each model and slice, at σ = {TRAINED_SIGMA:g}; nothing is trained again. RMSE: of magnitudes, "
            "over the target's norm. Robustness error: the difference of complex reconstructions with and without the "
            "perturbation, at the same smoothing noise, over the norm of the latter. "
            f"{scale.sampling} Above: means over slices; below: differences, "
            f"paired by slice. {sentence(curves[DIFFERENCE, CLEAN].values())}"
        )
        lines = [{"sigma": sigmas[each.row.condition], **_errors(each.row)} | each.record() for each in scores]
        notes = (caption, "In the CSV, rmse is relative to the target's norm, rmse_per_pixel to the target's maximum.")
        figure = sigma_figure(curves, METHODS, DIFFERENCE, TRAINED_SIGMA)
        return Drawing(lines, captioned(figure, caption), [_table(curves)], notes)

    return Content([measured], draw)


def _errors(row: Row) -> dict[str, float]:
    return {"rmse": math.sqrt(row.nmse), "rmse_per_pixel": 10 ** (-row.psnr / 20)}


def _table(curves: Errors) -> Table:
    labels = {method: STYLES[method].label for method in METHODS}
    labels[DIFFERENCE] = f"{labels[METHODS[1]]} minus {labels[METHODS[0]]}"
    lines = [
        [f"{labels[who]}: {name}", *(_number(point, who == DIFFERENCE) for point in points.values())]
        for (who, name), points in sorted(curves.items(), key=lambda item: list(labels).index(item[0][0]))
    ]
    title = "RMSE and robustness error in per cent of the image's norm, means over slices"
    return simple_table(("σ", *(f"{s:g}" for s in SIGMAS)), lines, title=title)


def _number(point: Interval, difference: bool) -> str:
    if not difference:
        return f"{point.mean:.2f}"
    bounds = f" [{point.low:+.3f}, {point.high:+.3f}]" if math.isfinite(point.low) else ""
    return f"{point.mean:+.3f}{bounds}"


FIG11 = Exhibit("fig11", "Fig. 11: error and robustness error over the smoothing noise", "knee", _content)
