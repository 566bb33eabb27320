"""Tables I and II as text: ours, the paper's beside them, and what we add."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from smug.evaluation.conditions import Condition
from smug.evaluation.row import Row
from smug.evaluation.statistics import over_seeds
from smug.evaluation.summary import Summary, grid, summarise
from smug.evaluation.tables import LEVEL, NONE, caption, fixed, significant, statistics_of
from smug.paper.averaged import averaged
from smug.paper.cells import Found
from smug.paper.cost import SHARED, Cost
from smug.paper.reference import Column, Printed, printed, source
from smug.paper.style import STYLES

REFERENCE = "modl"
"""The method that the others are compared with, as in the paper."""


@dataclass(frozen=True)
class Columns:
    """The conditions of a table, and by their names the columns of the paper's table that they answer to."""

    conditions: tuple[Condition, ...]
    printed: Mapping[str, Column]


def block_text(found: Sequence[Found], columns: Columns, description: Mapping[str, Any]) -> str:
    """Return the tables of one anatomy at one acceleration; ``description`` is the test set's."""
    rows = averaged(found)
    summaries = summarise(rows, REFERENCE)
    subjects = {row.slice: row.subject for row in rows if row.subject}
    paper = _printed(found[0], columns)
    parts = [
        "**PSNR in dB**, mean ± SD over slices; below MoDL, minus MoDL's mean. Every second line is the paper's.",
        _beside(summaries, paper, lambda s: (s.psnr.mean, s.psnr.sd), lambda p: (p.psnr, p.psnr_sd), digits=2),
        "**SSIM**, in the same way.",
        _beside(summaries, paper, lambda s: (s.ssim.mean, s.ssim.sd), lambda p: (p.ssim, p.ssim_sd), digits=3),
        f"The paper's lines: {source()}. It does not say how strong its attack was: its PGD stands below both sizes.",
        caption(summaries, kspace=description["kspace"], subjects=subjects),
        "**PSNR minus MoDL's** in dB, paired by slice, with 95 % intervals.",
        _differences(summaries),
        statistics_of(summaries, subjects),
        "**Over-smoothing**: HFEN, the error of edges relative to the target's (lower is better).",
        _hfen(rows),
        "**The physics alone**: PSNR in dB of the same loop with the identity for a denoiser, on the same perturbed "
        "measurements; the smaller the excess of a method over it, the less its denoiser does about the perturbation.",
        _by_condition(summaries, lambda s: fixed(s.identity_psnr, 2)),
        *_seeds(found),
    ]
    return "\n\n".join(part for part in parts if part)


def cost_text(costs: Sequence[Cost]) -> str:
    """Return what training cost."""
    lines = [
        (
            f"warm start of all: {cost.method}" if cost.method in SHARED else _label(cost.method),
            f"{cost.updates}",
            f"{cost.calls_per_slice}",
            f"{cost.million_calls:.3g}",
            f"{cost.seconds:.0f}",
        )
        for cost in costs
    ]
    text = (
        "**Cost of training**: calls of the denoiser (forward, of one image; a backward pass follows each), counted; "
        "seconds on the machine that trained, mean over training seeds."
    )
    head = ("", "updates", "calls per slice", "million calls", "seconds")
    return f"{text}\n\n{pipes(head, lines)}"


def pipes(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table in markdown; all columns but the first are flushed right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines))


def _printed(one: Found, columns: Columns) -> Callable[[str, str], Printed | None]:
    def cell(method: str, condition: str) -> Printed | None:
        column = columns.printed.get(condition)
        return None if column is None else printed(one.anatomy, one.acceleration, method, column)

    return cell


def _beside(
    summaries: Sequence[Summary],
    paper: Callable[[str, str], Printed | None],
    ours: Callable[[Summary], tuple[float, float]],
    theirs: Callable[[Printed], tuple[float, float]],
    *,
    digits: int,
) -> str:
    """Return means and deviations, the paper's in a line below where it has the method; relative below the first."""
    methods, conditions, cells = grid(summaries)
    lines = []
    for method in methods:
        relative = method != REFERENCE
        found = [ours(cells[method, c]) for c in conditions]
        bases = [ours(cells[REFERENCE, c])[0] * relative for c in conditions]
        values = [_pair(mean - base, sd, digits, relative) for (mean, sd), base in zip(found, bases, strict=True)]
        lines.append([_label(method), *values])
        there = [paper(method, condition) for condition in conditions]
        if any(there):
            told = [NONE if cell is None else _pair(*theirs(cell), digits, relative) for cell in there]
            lines.append([f"{_label(method)}, paper", *told])
    return pipes(("", *conditions), lines)


def _differences(summaries: Sequence[Summary]) -> str:
    differ = significant(summaries)

    def text(s: Summary) -> str:
        if s.difference is None or s.model == REFERENCE:
            return NONE
        low, high = s.difference.low, s.difference.high
        bounds = f" [{low:+.2f}, {high:+.2f}]" if math.isfinite(low) else ""
        return f"{s.difference.mean:+.2f}{bounds}" + ("\\*" if (s.model, s.condition) in differ else "")

    table = _by_condition([s for s in summaries if s.model != REFERENCE], text)
    return f"{table}\n\n\\* p < {LEVEL:g} after Holm's correction." if differ else table


def _hfen(rows: Sequence[Row]) -> str:
    cells: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        cells.setdefault((row.model, row.condition), []).append(row.hfen)
    conditions = dict.fromkeys(condition for _, condition in cells)
    lines = [
        [_label(method), *(fixed(fmean(cells[method, condition]), 3) for condition in conditions)]
        for method in dict.fromkeys(method for method, _ in cells)
    ]
    return pipes(("", *conditions), lines)


def _by_condition(summaries: Sequence[Summary], text: Callable[[Summary], str]) -> str:
    """Return a table of what each method has under each condition that says anything."""
    methods, conditions, cells = grid(summaries)
    shown = [c for c in conditions if any(text(cells[m, c]) != NONE for m in methods)]
    return pipes(("", *shown), [[_label(m), *(text(cells[m, c]) for c in shown)] for m in methods])


def _seeds(found: Sequence[Found]) -> list[str]:
    """Return what training seeds are worth, where there are several."""
    names = {f"{each.method} {each.seed}": each.method for each in found}
    from dataclasses import replace

    rows = [replace(each.row, model=f"{each.method} {each.seed}") for each in found]
    spreads = {(s.method, s.condition): s for s in over_seeds(rows, names)}
    if not spreads:
        return []
    methods, conditions = (dict.fromkeys(names) for names in zip(*spreads, strict=True))
    lines = [[_label(m), *(fixed(spreads[m, c].sd, 2) for c in conditions)] for m in methods]
    count = next(iter(spreads.values())).seeds
    return [f"**Training seeds**: SD of mean PSNR in dB over {count} of them.", pipes(("", *conditions), lines)]


def _pair(mean: float, sd: float, digits: int, relative: bool) -> str:
    spread = f" ±{sd:.{digits}f}" if math.isfinite(sd) else ""
    return fixed(mean, digits, "+" if relative else "") + spread


def _label(method: str) -> str:
    return STYLES[method].label
