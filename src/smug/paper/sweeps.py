"""An exhibit of curves: methods under swept conditions, from cells to figure, tables and records."""

from collections.abc import Mapping, Sequence

from smug.evaluation.statistics import sentence
from smug.evaluation.summary import per_cent
from smug.paper.cells import Block, Found
from smug.paper.curves import Axis, Curves, Sweep, curves, records, tables
from smug.paper.exhibit import Result
from smug.paper.plot import curve_figure
from smug.paper.scale import counted
from smug.paper.style import STYLES, captioned
from smug.paper.workshop import Workshop

ALL = ("modl", "rs-e2e", "smug", "weighted-smug", "jitter", "adversarial", "cg-sense")
"""The methods of Figs. 8 to 10: the paper's, what we set beside them, and CG-SENSE for reference."""


def swept(
    workshop: Workshop,
    methods: tuple[str, ...],
    sweeps: Sequence[Sweep],
    axis: Axis,
    *,
    reference: str = "modl",
    notes: Sequence[str] = (),
) -> Result:
    """Score methods under sweeps at 4x on the knee set, as in the paper, and draw a row of panels for each sweep.

    ``reference`` is the method that the others are compared with; ``notes`` stand below the figure.
    """
    block = Block("knee", 4.0, methods, tuple(c for sweep in sweeps for c in sweep.conditions.values()))
    found = workshop.found([block])
    panels = {sweep.title: curves(found, sweep, reference) for sweep in sweeps}
    legend = _legend(panels, STYLES[reference].label)
    said = [about(workshop, block, found), legend, workshop.scale.sampling, *_sizes(found), *notes]
    figure = captioned(curve_figure(panels, axis, reference), " ".join(said))
    text = "\n".join(_headed(title, tables(drawn, axis, reference)) for title, drawn in panels.items())
    intervals = [point.psnr for drawn in panels.values() for points in drawn.values() for point in points]
    return Result(records(found, sweeps, axis), figure, text, [*said, sentence(intervals)])


def about(workshop: Workshop, block: Block, found: Sequence[Found]) -> str:
    """Return what was measured on what: the sentence that stands below every figure."""
    note = workshop.scale.anatomy(block.anatomy).note
    slices = {each.row.slice for each in found}
    subjects = {each.row.subject for each in found} - {""}
    seeds = {each.seed for each in found}
    whose = f" of {counted(len(subjects), 'subject')}" if subjects else ""
    return (
        f"Data set {block.anatomy}{f': {note}' if note else ''}. {counted(len(slices), 'test slice')}{whose}; "
        f"models trained at {block.acceleration:g}x, {counted(len(seeds), 'training seed')}"
        f"{' from one warm start' if len(seeds) > 1 else ''}."
    )


def _sizes(found: Sequence[Found]) -> list[str]:
    sizes = [each.row.relative_l2 for each in found if each.row.attack]
    return [f"Worst cases have {per_cent(sizes)} of the measurements' l2 norm."] if sizes else []


def _headed(title: str, text: str) -> str:
    return f"## {title}\n\n{text}" if title else text


def _legend(panels: Mapping[str, Curves], reference: str) -> str:
    points = [point for drawn in panels.values() for points in drawn.values() for point in points]
    seeds = ", bars the range of training seeds" if any(len(point.seeds) > 1 for point in points) else ""
    units = " and ".join(sorted({f"{point.psnr.unit}s" for point in points}))
    return (
        f"Left: means over slices; band, 95 % interval of {reference}'s{seeds}. Right: means and 95 % intervals of "
        f"differences that are paired by slice, moved apart sideways. Intervals are over {units}."
    )
