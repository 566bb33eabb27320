"""Figure 1: what becomes of MoDL where it is not used as it was trained."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from smug.evaluation.conditions import Condition, clean
from smug.evaluation.row import Outcome, Row
from smug.evaluation.statistics import Interval, interval, paired, sentence
from smug.evaluation.summary import per_cent
from smug.paper.cells import Block, Found, Seen, averaged, mean_psnr
from smug.paper.curves import about
from smug.paper.exhibit import Exhibit, Result, flat
from smug.paper.figures_8_to_13 import EPSILON, TRAINED, pgd, resampled, unrolled
from smug.paper.style import STYLES, captioned
from smug.paper.table_text import pipes, signed
from smug.paper.workshop import Workshop
from smug.reports.figure import comparison_figure

RATE = TRAINED / 2


def changes(steps: int) -> Mapping[str, Condition]:
    """Return the paper's four conditions by what changes, for a model that was trained with so many steps."""
    return {
        "(a) as trained": clean(),
        f"(b) PGD, ε = {EPSILON:g}": pgd(EPSILON),
        f"(c) {RATE:g}x for {TRAINED:g}x": resampled(RATE),
        f"(d) {2 * steps} steps for {steps}": unrolled(2 * steps, steps, clean()),
    }


def _fig1(workshop: Workshop) -> Result:
    scale = workshop.scale
    named = changes(scale.config.steps)
    block = Block("brain", TRAINED, ("modl",), tuple(named.values()))
    found = workshop.found([block])
    # Nobody chooses the slice that is shown: it is the only one of a test set of one.
    seen = list(workshop.few(1).seen(replace(block, images=1)))
    size = per_cent(each.found.row.relative_l2 for each in seen if each.found.row.attack)
    said = (
        f"{about(workshop, block, found)} Shown is one slice, of seed {scale.seeds[0]}; its perturbation in (b) is "
        f"{size} of the measurements' l2 norm. Mean PSNR over slices: {_means(named, found)}. The inset enlarges the "
        "square where the images differ most."
    )
    figure = comparison_figure([_column(name, each) for name, each in zip(named, seen, strict=True)])
    rows = averaged(found)
    text = _table(named, rows)
    return Result(flat(found), captioned(figure, said), text, (said, sentence(_psnr(rows, c) for c in named.values())))


def _column(name: str, seen: Seen) -> Outcome:
    """A column of the comparison is a condition here, not a model; one that perturbs nothing has no size of it."""
    row = seen.found.row
    size = row.relative_l2 or math.nan
    return Outcome(replace(row, model=name, condition=STYLES["modl"].label, relative_l2=size), seen.image, seen.target)


def _means(named: Mapping[str, Condition], found: Sequence[Found]) -> str:
    means = mean_psnr(list(found))
    return ", ".join(f"{name[:3]} {means['modl', condition.name]:.2f} dB" for name, condition in named.items())


def _psnr(rows: Sequence[Row], condition: Condition) -> Interval:
    here = [row for row in rows if row.condition == condition.name]
    return interval([row.psnr for row in here], [row.subject for row in here])


def _table(named: Mapping[str, Condition], rows: Sequence[Row]) -> str:
    head = ("MoDL", "PSNR (dB), 95 % interval", "change, 95 % interval", "same loop, identity denoiser (dB)")
    lines = []
    trained = [row for row in rows if row.condition == "clean"]
    for name, condition in named.items():
        here = [row for row in rows if row.condition == condition.name]
        mean = _psnr(rows, condition)
        bounds = f" [{mean.low:.2f}, {mean.high:.2f}]" if math.isfinite(mean.low) else ""
        change = paired(here, trained) if condition.name != "clean" else None
        identity = fmean(row.identity_psnr for row in here)
        cells = (
            name,
            f"{mean.mean:.2f}{bounds}",
            signed(change) if change else "",
            f"{identity:.2f}" if math.isfinite(identity) else "",
        )
        lines.append(cells)
    return pipes(head, lines) + "\n"


FIG1 = Exhibit("fig1", "Fig. 1: instabilities of MoDL", "brain", _fig1)
