"""Figure 11: the smoothing noise at test time, without retraining, under one perturbation."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import Tensor

from smug.data.scan import Scan
from smug.evaluation.conditions import Condition, Perturb, Perturbed
from smug.evaluation.statistics import Interval
from smug.evaluation.store import fingerprint
from smug.paper.style import STYLES
from smug.reconstructor import Reconstructor
from smug.shifts import sigma

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


import math
from collections.abc import Callable
from statistics import fmean

from smug.evaluation.conditions import clean, with_setting
from smug.evaluation.row import Row
from smug.evaluation.statistics import interval, sentence
from smug.paper.cells import Block
from smug.paper.curves import about
from smug.paper.exhibit import Exhibit, Result
from smug.paper.figures_8_to_13 import EPSILON, pgd
from smug.paper.style import captioned
from smug.paper.table_text import pipes
from smug.paper.workshop import Workshop

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


Errors = Mapping[tuple[str, str], Mapping[float, Interval]]
"""Numbers in per cent, by who and what is drawn, over sigma."""


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


CLEAN, PERTURBED, ROBUSTNESS = "clean", "perturbed", "robustness error"
"""What is drawn of a method: RMSE on the left, robustness error on the right."""


def sigma_figure(curves: Errors, methods: Sequence[str], difference: str, made_at: float) -> "Figure":
    """Return errors on the left and robustness errors on the right; below, the difference of the two methods."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 5.2))
    FigureCanvasAgg(figure)
    place = {"left": 0.095, "right": 0.985, "bottom": 0.1, "top": 0.95, "wspace": 0.24, "hspace": 0.1}
    axes = figure.subplots(2, 2, sharex=True, gridspec_kw=place | {"height_ratios": (1.5, 1)})
    for column, names in enumerate(((CLEAN, PERTURBED), (ROBUSTNESS,))):
        above, below = axes[:, column]
        for name in names:
            for method in methods:
                label = STYLES[method].label + (f", {name}" if len(names) > 1 else "")
                _draw(above, curves[method, name], STYLES[method].line, STYLES[method].colour, name, label)
            points = curves[difference, name]
            _draw(below, points, {"color": "0.25", "marker": "o", "markersize": 4.5}, "0.25", name, name)
            ends = [point.low for point in points.values()], [point.high for point in points.values()]
            below.vlines(list(points), *ends, color="0.65" if name == CLEAN else "0.25", linewidth=0.9, zorder=1)
        below.axhline(0, color="0.4", linewidth=0.8, linestyle=":", zorder=0)
        _widen(above)
        _frame((above, below), list(points), made_at)
    label = " minus ".join(STYLES[method].label for method in reversed(methods))
    axes[0, 0].set_title("error against the ground truth", fontsize=9, loc="left")
    axes[0, 1].set_title("robustness error: with δ against without", fontsize=9, loc="left")
    axes[0, 0].set_ylabel("RMSE / norm of the target (%)", fontsize=9)
    axes[0, 1].set_ylabel("difference / norm of the image (%)", fontsize=9)
    axes[1, 0].set_ylabel(f"{label} (%)", fontsize=9)
    axes[1, 1].set_ylabel(f"{label} (%)", fontsize=9)
    for legend in (axes[0, 0], axes[0, 1], axes[1, 0]):
        legend.legend(fontsize=8, framealpha=0.8, edgecolor="none", handlelength=4)
    return figure


def _draw(
    axes: "Axes", points: Mapping[float, Interval], line: Mapping[str, Any], colour: str, name: str, label: str
) -> None:
    """Draw means; what is clean has thin lines and open markers."""
    thin = {"markerfacecolor": "white", "markeredgecolor": colour, "linewidth": 0.9} if name == CLEAN else {}
    axes.plot(list(points), [point.mean for point in points.values()], label=label, **{**line, **thin})


def _widen(axes: "Axes") -> None:
    """Let the axis span a tenth of its values at least: less is nothing that would be worth a steep line."""
    low, high = axes.get_ylim()
    middle, half = (low + high) / 2, (high - low) / 2
    axes.set_ylim(middle - max(half, 0.05 * middle), middle + max(half, 0.05 * middle))


def _frame(panels: Iterable["Axes"], sigmas: Sequence[float], made_at: float) -> None:
    """Show sigma from zero on, above the smallest by its logarithm."""
    for axes in panels:
        axes.set_xscale("symlog", linthresh=sigmas[1], linscale=0.4)
        axes.set_xticks(sigmas, [f"{s:g}" for s in sigmas])
        axes.minorticks_off()
        axes.axvline(made_at, color="0.4", linewidth=0.8, linestyle=":", zorder=0)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3, linewidth=0.5)
        axes.ticklabel_format(axis="y", useOffset=False)
    axes.set_xlabel("σ of the smoothing at test", fontsize=9)
    above = axes.get_xaxis_transform()
    axes.text(made_at, 0.01, " δ made, and trained", transform=above, fontsize=6.5, color="0.3", va="bottom")


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
