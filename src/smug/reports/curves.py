"""PSNR over the severity of a perturbation, with intervals."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from smug.evaluation.summary import Summary, error_bar, error_bar_label, grid
from smug.reports.axes import SIZE, legend, legend_label, limits, no_interval
from smug.reports.palette import Style, styles
from smug.shifts import SHIFTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.])")

NOISE = "noise"
"""The condition whose family is drawn beside attacks: Gaussian noise of the same norm."""

BAND = 0.15  # how dense an interval is


@dataclass(frozen=True)
class Family:
    """Conditions whose names differ in one number only: the severity of each, in the unit that ``axis`` tells.

    The severity is that number. For noise and attacks it is instead the measured norm of the perturbation, in per cent
    of that of the measurements, and the clean measurements belong to the family with a severity of 0.
    """

    name: str
    axis: str
    severities: Mapping[str, float]


def families(summaries: Sequence[Summary]) -> list[Family]:
    """Return the families of at least two conditions, in the order in which they first occur."""
    _, conditions, _ = grid(summaries)
    members: dict[str, dict[str, float]] = {}
    for condition in conditions:
        for number in NUMBER.finditer(condition):
            template = f"{condition[: number.start()]}#{condition[number.end() :]}"
            members.setdefault(template, {})[condition] = float(number[0])
    return [_family(template, found, summaries) for template, found in members.items() if len(found) > 1]


def curve_figure(family: Family, summaries: Sequence[Summary], *, title: str = "") -> "Figure":
    """Return PSNR over a family's severity, a line per model; bands are 95 % intervals.

    These are the intervals of :func:`smug.evaluation.summary.error_bar`; the axis follows the means. Where the family
    is one of attacks, dotted lines without markers are Gaussian noise of the same norm.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    models, _, cells = grid(summaries)
    looks = styles(models)
    figure = Figure(figsize=SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.add_subplot()
    noise = _noise(summaries) if _attacks(family, summaries) else None
    for model in models:
        _draw(axis, family, model, looks[model], cells)
        if noise is not None:
            _draw_noise(axis, noise, model, looks[model], cells)
    if noise is not None:
        axis.plot([], [], ":", color="0.35", linewidth=1.2, label="Gaussian noise, same norm")
    if said := error_bar_label(summaries):
        axis.fill_between([], [], color="0.35", alpha=BAND, lw=0, label=said)
    no_interval(axis, summaries)
    conditions = {*family.severities, *(noise.severities if noise else ())}
    shown = [s for s in summaries if s.condition in conditions]
    axis.set_ylim(limits([s.psnr.mean for s in shown], _ends(shown, alone=len(models) == 1)))
    axis.set_xlabel(family.axis, parse_math=False)
    axis.set_ylabel("PSNR of magnitudes (dB)")
    axis.set_title(title or family.name, fontsize=10, parse_math=False)
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    legend(figure)
    return figure


def _ends(summaries: Sequence[Summary], *, alone: bool) -> list[float]:
    return [end for s in summaries for end in error_bar(s, alone=alone)]


def _family(template: str, found: Mapping[str, float], summaries: Sequence[Summary]) -> Family:
    name = " ".join(template.replace("#", "").strip(" ,%").split()).replace(" ,", ",")
    there = [s for s in summaries if s.condition in found]
    numbers = dict(sorted(found.items(), key=lambda item: item[1]))
    sizes = {condition: _size(there, condition) for condition in numbers}
    # Where the norm does not grow with the number, that is another setting.
    grows = all(a < b for a, b in pairwise(sizes.values()))
    if not (grows and (any(s.attacks for s in there) or name.startswith(NOISE))):
        return Family(name, f"{name} ({SHIFTS[name].unit})" if name in SHIFTS else name, numbers)
    clean = {"clean": 0.0} if any(s.condition == "clean" for s in summaries) else {}
    ordered = dict(sorted((clean | sizes).items(), key=lambda item: item[1]))
    return Family(name, "norm of the perturbation, relative to the measurements' (%)", ordered)


def _size(summaries: Sequence[Summary], condition: str) -> float:
    """Mean relative l2 over models, in per cent."""
    sizes = [100 * s.relative_l2 for s in summaries if s.condition == condition]
    return sum(sizes) / len(sizes)


def _attacks(family: Family, summaries: Sequence[Summary]) -> bool:
    return any(s.attacks for s in summaries if s.condition in family.severities)


def _noise(summaries: Sequence[Summary]) -> Family | None:
    return next((family for family in families(summaries) if family.name == NOISE), None)


def _draw(axis: "Axes", family: Family, model: str, look: Style, cells: Mapping[tuple[str, str], Summary]) -> None:
    points = [(x, s) for c, x in family.severities.items() if (s := cells.get((model, c)))]
    shown = [(x, s) for x, s in points if math.isfinite(s.psnr.mean)]
    if not shown:
        return
    alone = len({name for name, _ in cells}) == 1
    x, y = [x for x, _ in shown], [s.psnr.mean for _, s in shown]
    axis.plot(
        x, y, color=look.colour, linestyle=look.dashes, marker=look.marker, markersize=4.5, label=legend_label(model)
    )
    low, high = zip(*(error_bar(s, alone=alone) for _, s in shown), strict=True)
    axis.fill_between(x, low, high, color=look.colour, alpha=BAND, lw=0)


def _draw_noise(
    axis: "Axes", family: Family, model: str, look: Style, cells: Mapping[tuple[str, str], Summary]
) -> None:
    points = [(x, s.psnr.mean) for c, x in family.severities.items() if (s := cells.get((model, c)))]
    axis.plot(*zip(*points, strict=True), ":", color=look.colour, linewidth=1.2) if points else None
