"""Figure 1: MoDL under other conditions than in its training."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from smug.evaluation.conditions import Condition, clean
from smug.evaluation.row import Outcome, Row
from smug.evaluation.statistics import Interval, interval, paired, sentence
from smug.evaluation.summary import per_cent
from smug.paper.conditions import EPSILON, TRAINED_RATE, at_rate, at_steps, pgd
from smug.paper.exhibit import Content, Drawing, Exhibit, about
from smug.paper.measurement import Results
from smug.paper.scales import Scale
from smug.paper.scores import Score, ScoredImage, Scores, SliceImages, mean_over_seeds, mean_psnr, records
from smug.paper.style import STYLES, captioned
from smug.paper.table_text import signed
from smug.reports.figure import comparison_figure
from smug.system.table import Table, simple_table

RATE = TRAINED_RATE / 2


def changes(steps: int) -> Mapping[str, Condition]:
    """Return the paper's four conditions by what changes, for a model that was trained with so many steps."""
    return {
        "(a) as trained": clean(),
        f"(b) PGD, ε = {EPSILON:g}": pgd(EPSILON),
        f"(c) {RATE:g}x for {TRAINED_RATE:g}x": at_rate(RATE),
        f"(d) {2 * steps} steps for {steps}": at_steps(2 * steps, steps, clean()),
    }


def _content(scale: Scale) -> Content:
    named = changes(scale.config.steps)
    conditions = tuple(named.values())
    measured = Scores("brain", TRAINED_RATE, ("modl",), conditions)
    shown = SliceImages("brain", TRAINED_RATE, ("modl",), conditions)

    def draw(results: Results) -> Drawing:
        scores, images = results.of(measured), results.of(shown)
        size = per_cent(each.score.row.relative_l2 for each in images if each.score.row.attack)
        caption = (
            f"{about(scale, measured, scores)} Shown is one slice, of seed {scale.seeds[0]}; its perturbation in (b) "
            f"is {size} of the measurements' l2 norm. Mean PSNR over slices: {_means(named, scores)}. The inset "
            "enlarges the square where the images differ most."
        )
        figure = comparison_figure([_column(name, each) for name, each in zip(named, images, strict=True)])
        rows = mean_over_seeds(scores)
        notes = (caption, sentence(_psnr(rows, condition) for condition in conditions))
        return Drawing(records(scores), captioned(figure, caption), [_table(named, rows)], notes)

    return Content([measured, shown], draw)


def _column(name: str, image: ScoredImage) -> Outcome:
    """Return an outcome whose model is the condition: the columns of this comparison are conditions."""
    row = image.score.row
    size = row.relative_l2 or math.nan  # none of a condition that perturbs nothing
    shown = replace(row, model=name, condition=STYLES["modl"].label, relative_l2=size)
    return Outcome(shown, image.image, image.target)


def _means(named: Mapping[str, Condition], scores: Sequence[Score]) -> str:
    means = mean_psnr(scores)
    return ", ".join(f"{name[:3]} {means['modl', condition.name]:.2f} dB" for name, condition in named.items())


def _psnr(rows: Sequence[Row], condition: Condition) -> Interval:
    here = [row for row in rows if row.condition == condition.name]
    return interval([row.psnr for row in here], [row.subject for row in here])


def _table(named: Mapping[str, Condition], rows: Sequence[Row]) -> Table:
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
    return simple_table(head, lines)


FIG1 = Exhibit("fig1", "Fig. 1: instabilities of MoDL", "brain", _content)
