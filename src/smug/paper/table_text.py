"""The tables below Tables I and II: our numbers, the paper's in the line below, and what we add."""

import math
from collections.abc import Callable, Sequence

from smug.evaluation.statistics import Interval, SeedSpread
from smug.evaluation.summary import Summary, grid
from smug.paper.cost import SHARED, Cost
from smug.paper.printed import COLUMNS, Printed, printed
from smug.paper.runs import METHODS
from smug.paper.style import STYLES
from smug.reports.tables import LEVEL, NONE, fixed, significant
from smug.system.table import Table, simple_table

Paper = Callable[[str, str], Printed | None]
"""What the paper prints for a method under a condition."""

Number = tuple[float, float]
"""A mean and its standard deviation."""

RELATIVE = "Mean ± SD over slices; of all methods but the first, minus the first's mean."


def psnr_table(summaries: Sequence[Summary], paper: Paper) -> Table:
    """Return mean PSNR with its standard deviation; of all methods but the first minus the first's mean."""
    lines = _quality(summaries, paper, lambda s: (s.psnr.mean, s.psnr.sd), lambda p: (p.psnr, p.psnr_sd), 2)
    return simple_table(("", *_conditions(summaries)), lines, title="PSNR in dB", notes=[RELATIVE])


def ssim_table(summaries: Sequence[Summary], paper: Paper) -> Table:
    """Return SSIM as :func:`psnr_table` does PSNR."""
    lines = _quality(summaries, paper, lambda s: (s.ssim.mean, s.ssim.sd), lambda p: (p.ssim, p.ssim_sd), 3)
    return simple_table(("", *_conditions(summaries)), lines, title="SSIM", notes=[RELATIVE])


def difference_table(summaries: Sequence[Summary]) -> Table:
    """Return the differences of PSNR to the reference method with their intervals."""
    differ = significant(summaries)

    def text(s: Summary) -> str:
        return NONE if s.difference is None else signed(s.difference) + "*" * ((s.model, s.condition) in differ)

    table = by_condition(
        [s for s in summaries if s.model != s.reference], text, "PSNR minus MoDL's in dB, paired by slice"
    )
    return table.with_notes(f"* p < {LEVEL:g} after Holm's correction." if differ else "")


def edge_table(summaries: Sequence[Summary]) -> Table:
    """Return the error of edges."""
    table = by_condition(summaries, lambda s: fixed(s.hfen, 3), "Over-smoothing")
    return table.with_notes("HFEN, the error of edges relative to the target's.")


def physics_table(summaries: Sequence[Summary]) -> Table:
    """Return the identity-denoiser reference of the methods that have a denoiser."""
    trained = [s for s in summaries if s.model in METHODS]
    table = by_condition(trained, lambda s: fixed(s.identity_psnr, 2), "The physics alone")
    return table.with_notes("PSNR in dB of the same loop with the identity for a denoiser, on the same measurements.")


def seed_table(spreads: Sequence[SeedSpread]) -> Table:
    """Return the standard deviations of mean PSNR over training seeds."""
    cells = {(s.method, s.condition): s for s in spreads}
    methods, conditions = (list(dict.fromkeys(key[i] for key in cells)) for i in (0, 1))
    lines = [[_label(m), *(fixed(cells[m, c].sd, 2) for c in conditions)] for m in methods]
    return simple_table(
        ("", *conditions), lines, title="Training seeds", notes=["SD of mean PSNR in dB over training seeds."]
    )


def cost_table(costs: Sequence[Cost], summaries: Sequence[Summary]) -> Table:
    """Return what training cost, and a reconstruction."""
    calls = {s.model: s.denoiser_calls for s in summaries}
    lines = [
        [
            f"{cost.method}, of all" if cost.method in SHARED else _label(cost.method),
            f"{cost.updates:,}",
            f"{cost.calls_per_slice}",
            f"{cost.calls:,}",
            f"{cost.seconds:,.0f}",
            fixed(calls.get(cost.method, math.nan), 0),
        ]
        for cost in costs
    ]
    note = (
        "Forward calls of the denoiser, counted (a backward pass follows each); seconds on the machine that trained, "
        "mean over training seeds."
    )
    head = ("", "updates", "calls per slice", "calls", "seconds", "calls per reconstruction")
    return simple_table(head, lines, title="Cost of training", notes=[note])


def printed_table(anatomy: str, acceleration: float) -> Table:
    """Return the paper's table of an anatomy at an acceleration: PSNR and SSIM; below MoDL, minus MoDL's."""
    lines = []
    for method in METHODS:
        cells = [cell for column in COLUMNS if (cell := printed(anatomy, acceleration, method, column)) is not None]
        relative = method != "modl"
        numbers = (((cell.psnr, cell.psnr_sd), (cell.ssim, cell.ssim_sd)) for cell in cells)
        texts = [f"{_number(psnr, 2, relative)} / {_number(ssim, 3, relative)}" for psnr, ssim in numbers]
        if texts:
            lines.append([_label(method), *texts])
    return simple_table((f"{anatomy}, {acceleration:g}x: PSNR (dB) / SSIM", *COLUMNS), lines)


def by_condition(summaries: Sequence[Summary], text: Callable[[Summary], str], title: str) -> Table:
    """Return a text for each method under each condition; conditions without any are left out."""
    methods, conditions, cells = grid(summaries)
    shown = [c for c in conditions if any(text(cells[m, c]) != NONE for m in methods)]
    return simple_table(("", *shown), [[_label(m), *(text(cells[m, c]) for c in shown)] for m in methods], title=title)


def signed(difference: Interval) -> str:
    """Return a difference with its interval, if it has one.

    >>> signed(Interval(0.123, -0.001, 0.25, "slice", 9))
    '+0.12 [+0.00, +0.25]'
    """
    mean, low, high = (_signed(value, 2) for value in (difference.mean, difference.low, difference.high))
    return f"{mean} [{low}, {high}]" if math.isfinite(difference.low) else mean


def _quality(
    summaries: Sequence[Summary],
    paper: Paper,
    ours: Callable[[Summary], Number],
    theirs: Callable[[Printed], Number],
    digits: int,
) -> list[list[str]]:
    """Return lines of means with standard deviations, each with the paper's below it where there is one."""
    methods, conditions, cells = grid(summaries)
    lines = []
    for method in methods:
        here, first = ([ours(cells[m, c]) for c in conditions] for m in (method, summaries[0].reference))
        relative = method != summaries[0].reference
        values = [(mean - relative * base, sd) for (mean, sd), (base, _) in zip(here, first, strict=True)]
        lines.append([_label(method), *(_number(value, digits, relative) for value in values)])
        cells_of_paper = [paper(method, condition) for condition in conditions]
        if any(cells_of_paper):
            texts = [NONE if cell is None else _number(theirs(cell), digits, relative) for cell in cells_of_paper]
            lines.append([f"{_label(method)}, paper", *texts])
    return lines


def _conditions(summaries: Sequence[Summary]) -> Sequence[str]:
    return grid(summaries)[1]


def _number(value: Number, digits: int, relative: bool) -> str:
    mean, sd = value
    return (_signed if relative else fixed)(mean, digits) + (f" ±{sd:.{digits}f}" if math.isfinite(sd) else "")


def _signed(value: float, digits: int) -> str:
    return fixed(round(value, digits) + 0.0, digits, "+") if math.isfinite(value) else NONE  # no -0.00


def _label(method: str) -> str:
    return STYLES[method].label
