"""Tables I and II as text: our numbers, the paper's in the line below, and what we add."""

import math
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal, get_args

from smug.evaluation.statistics import Interval, SeedSpread
from smug.evaluation.summary import Summary, grid
from smug.paper.cost import SHARED, Cost
from smug.paper.runs import METHODS
from smug.paper.style import STYLES
from smug.reports.tables import LEVEL, NONE, fixed, significant


@dataclass(frozen=True)
class Printed:
    """A cell of Tables I and II: PSNR in dB and SSIM with standard deviations; but for MoDL, minus MoDL's."""

    psnr: float
    psnr_sd: float
    ssim: float
    ssim_sd: float


Paper = Callable[[str, str], Printed | None]
"""What the paper prints for a method under a condition."""

Number = tuple[float, float]
"""A mean and its standard deviation."""


def quality(
    summaries: Sequence[Summary],
    paper: Paper,
    ours: Callable[[Summary], Number],
    theirs: Callable[[Printed], Number],
    digits: int,
) -> str:
    """Return means and standard deviations; as in the paper, means of all but the reference are relative to its."""
    methods, conditions, cells = grid(summaries)
    lines = []
    for method in methods:
        here, first = ([ours(cells[m, c]) for c in conditions] for m in (method, summaries[0].reference))
        relative = method != summaries[0].reference
        values = [(mean - relative * base, sd) for (mean, sd), (base, _) in zip(here, first, strict=True)]
        lines.append([_label(method), *(_number(value, digits, relative) for value in values)])
        printed = [paper(method, condition) for condition in conditions]
        if any(printed):
            told = [NONE if cell is None else _number(theirs(cell), digits, relative) for cell in printed]
            lines.append([f"{_label(method)}, paper", *told])
    return pipes(("", *conditions), lines)


def differences(summaries: Sequence[Summary]) -> str:
    """Return the differences of PSNR to the reference method with their intervals."""
    differ = significant(summaries)

    def text(s: Summary) -> str:
        if s.difference is None:
            return NONE
        return signed(s.difference) + ("\\*" if (s.model, s.condition) in differ else "")

    table = by_condition([s for s in summaries if s.model != s.reference], text)
    return f"{table}\n\n\\* p < {LEVEL:g} after Holm's correction." if differ else table


def over_smoothing(summaries: Sequence[Summary]) -> str:
    """Return the error of edges."""
    return by_condition(summaries, lambda s: fixed(s.hfen, 3))


def physics(summaries: Sequence[Summary]) -> str:
    """Return the identity-denoiser reference of the methods that have a denoiser."""
    return by_condition([s for s in summaries if s.model in METHODS], lambda s: fixed(s.identity_psnr, 2))


def seeds(spreads: Sequence[SeedSpread]) -> str:
    """Return the standard deviations over training seeds; nothing where there are none."""
    if not spreads:
        return ""
    cells = {(s.method, s.condition): s for s in spreads}
    methods, conditions = (dict.fromkeys(names) for names in zip(*cells, strict=True))
    return pipes(("", *conditions), [[_label(m), *(fixed(cells[m, c].sd, 2) for c in conditions)] for m in methods])


def cost(costs: Sequence[Cost], summaries: Sequence[Summary]) -> str:
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
    return pipes(("", "updates", "calls per slice", "calls", "seconds", "calls per reconstruction"), lines)


def printed_table(anatomy: str, acceleration: float) -> str:
    """Return the paper's table of an anatomy at an acceleration: PSNR and SSIM; below MoDL, minus MoDL's."""
    lines = []
    for method in METHODS:
        cells = [cell for column in COLUMNS if (cell := printed(anatomy, acceleration, method, column)) is not None]
        relative = method != "modl"
        numbers = (((cell.psnr, cell.psnr_sd), (cell.ssim, cell.ssim_sd)) for cell in cells)
        texts = [f"{_number(psnr, 2, relative)} / {_number(ssim, 3, relative)}" for psnr, ssim in numbers]
        if texts:
            lines.append([_label(method), *texts])
    return pipes((f"{anatomy}, {acceleration:g}x: PSNR (dB) / SSIM", *COLUMNS), lines)


def by_condition(summaries: Sequence[Summary], text: Callable[[Summary], str]) -> str:
    """Return what each method has under each condition that says anything."""
    methods, conditions, cells = grid(summaries)
    shown = [c for c in conditions if any(text(cells[m, c]) != NONE for m in methods)]
    return pipes(("", *shown), [[_label(m), *(text(cells[m, c]) for c in shown)] for m in methods])


def pipes(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table in markdown; all columns but the first are flushed right.

    >>> print(pipes(("", "clean"), [["MoDL", "32.7"]]))
    |  | clean |
    | --- | ---: |
    | MoDL | 32.7 |
    """
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines))


def signed(difference: Interval) -> str:
    """Return a difference with its interval; a mean of no units has none.

    >>> signed(Interval(0.123, -0.001, 0.25, "slice", 9))
    '+0.12 [+0.00, +0.25]'
    """
    mean, low, high = (_signed(value, 2) for value in (difference.mean, difference.low, difference.high))
    return f"{mean} [{low}, {high}]" if math.isfinite(difference.low) else mean


def _number(value: Number, digits: int, relative: bool) -> str:
    mean, sd = value
    return (_signed if relative else fixed)(mean, digits) + (f" ±{sd:.{digits}f}" if math.isfinite(sd) else "")


def _signed(value: float, digits: int) -> str:
    return fixed(round(value, digits) + 0.0, digits, "+") if math.isfinite(value) else NONE  # no -0.00


def _label(method: str) -> str:
    return STYLES[method].label


Column = Literal["clean", "noise", "pgd"]
"""The columns of Tables I and II."""

COLUMNS: tuple[Column, ...] = get_args(Column)


def printed(anatomy: str, acceleration: float, method: str, column: Column) -> Printed | None:
    """Return what the paper prints in a cell; None where it prints nothing.

    >>> printed("brain", 4, "smug", "pgd")
    Printed(psnr=3.98, psnr_sd=2.28, ssim=0.014, ssim_sd=0.11)
    """
    values = _paper().get(f"{anatomy}-{acceleration:g}x", {}).get(method, {}).get(column)
    return None if values is None else Printed(*values)


def printed_loss(anatomy: str, acceleration: float) -> float:
    """Return by how many dB the paper's random noise lowers the PSNR of MoDL: all that it says of the noise's level."""
    clean, noisy = (printed(anatomy, acceleration, "modl", column) for column in ("clean", "noise"))
    if clean is None or noisy is None:
        raise ValueError(f"{anatomy} {acceleration:g}x: the paper has no such table")
    return round(clean.psnr - noisy.psnr, 2)


def source() -> str:
    """Return where the numbers stand, and what they are of."""
    paper = _paper()
    return f"{paper['source']}: {paper['setting']}"


@cache
def _paper() -> dict[str, Any]:
    return tomllib.loads((resources.files("smug.paper") / "reference.toml").read_text(encoding="utf-8"))
