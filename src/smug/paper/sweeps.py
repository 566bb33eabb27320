"""An exhibit that is a sweep: methods under conditions along an axis, at 4x on the knee set, as in the paper."""

from collections.abc import Mapping, Sequence

from smug.evaluation.statistics import sentence
from smug.evaluation.summary import per_cent
from smug.paper.curve_figure import curve_figure
from smug.paper.curves import Axis, Curves, Sweep, curve_tables, curves, sweep_records
from smug.paper.exhibit import Content, Drawing, about
from smug.paper.measurement import Results
from smug.paper.scales import Scale
from smug.paper.scores import Score, Scores
from smug.paper.style import STYLES, captioned
from smug.system.table import Table

ALL = ("modl", "rs-e2e", "smug", "weighted-smug", "jitter", "adversarial", "cg-sense")
"""The methods of Figs. 8 to 10: the paper's, those that we compare with them, and CG-SENSE for reference."""


def sweep_content(
    scale: Scale,
    methods: tuple[str, ...],
    sweeps: Sequence[Sweep],
    axis: Axis,
    *,
    reference: str = "modl",
    notes: Sequence[str] = (),
) -> Content:
    """Return the content of an exhibit of sweeps, each a row of panels and two tables.

    ``reference`` is the method that the others are compared with; ``notes`` stand below the figure.
    """
    conditions = tuple(condition for sweep in sweeps for condition in sweep.conditions.values())
    measured = Scores("knee", 4.0, methods, conditions)

    def draw(results: Results) -> Drawing:
        scores = results.of(measured)
        panels = {sweep.title: curves(scores, sweep, reference) for sweep in sweeps}
        legend = _legend(panels, STYLES[reference].label)
        captions = [about(scale, measured, scores), legend, scale.sampling, *_attack_sizes(scores), *notes]
        figure = captioned(curve_figure(panels, axis, reference), " ".join(captions))
        body: list[str | Table] = []
        for title, drawn in panels.items():
            body += [*([f"## {title}"] if title else []), *curve_tables(drawn, axis, reference)]
        intervals = [point.psnr for drawn in panels.values() for points in drawn.values() for point in points]
        return Drawing(sweep_records(scores, sweeps, axis), figure, body, [*captions, sentence(intervals)])

    return Content([measured], draw)


def _attack_sizes(scores: Sequence[Score]) -> list[str]:
    sizes = [each.row.relative_l2 for each in scores if each.row.attack]
    return [f"Worst cases have {per_cent(sizes)} of the measurements' l2 norm."] if sizes else []


def _legend(panels: Mapping[str, Curves], reference: str) -> str:
    points = [point for drawn in panels.values() for points in drawn.values() for point in points]
    seeds = ", bars the range of training seeds" if any(len(point.seeds) > 1 for point in points) else ""
    units = " and ".join(sorted({f"{point.psnr.unit}s" for point in points}))
    return (
        f"Left: means over slices; band, 95 % interval of {reference}'s{seeds}. Right: means and 95 % intervals of "
        f"differences that are paired by slice, moved apart sideways. Intervals are over {units}."
    )
