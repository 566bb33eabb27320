"""Tables I and II: clean accuracy, random noise, and worst cases."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean

from smug.attacks.presets import ONE_PERCENT, fast
from smug.evaluation.conditions import Condition, clean, noisy, worst_case
from smug.evaluation.datasets import TUNING_SLICES
from smug.evaluation.evaluate import evaluate
from smug.evaluation.statistics import SeedSpread, over_seeds
from smug.evaluation.summary import summarise
from smug.paper import table_text
from smug.paper.cells import Block, Found, averaged
from smug.paper.cost import costs
from smug.paper.exhibit import Exhibit, Result, flat
from smug.paper.figures_8_to_13 import EPSILON, pgd
from smug.paper.runs import METHODS, PAPERS, Run
from smug.paper.table_text import Column, Printed, printed, printed_loss, source
from smug.paper.workshop import Workshop
from smug.reconstructor import moved
from smug.reports.tables import caption, flagged, statistics_of

OURS = ("modl-longer", "jitter", "adversarial", "cg-sense")
"""What we set beside them; total variation, whose attacks cost more than any other's, stands in the figures."""

EPSILONS = (EPSILON, 0.05)
"""The authors' code and the paper's text differ in the size of the attack: both."""


@dataclass(frozen=True)
class Columns:
    """The conditions of a table, and by their names the columns of the paper's that they answer to."""

    conditions: tuple[Condition, ...]
    printed: Mapping[str, Column]


def columns(matched: float) -> Columns:
    """Return the columns of a table whose noise that answers to the paper's has a level ``matched``."""
    noise, attacks = noisy(matched), tuple(map(pgd, EPSILONS))
    strong = worst_case(ONE_PERCENT, "fast", partial(fast, score_draws=2))  # the rows have draws of their own
    ours = (clean(), noisy(0.01), noisy(0.02), noise, *attacks, strong)
    different = {condition.name: condition for condition in ours}  # the level may be one of ours
    return Columns(
        tuple(different.values()), {"clean": "clean", noise.name: "noise", **{c.name: "pgd" for c in attacks}}
    )


def _table(workshop: Workshop, anatomy: str, accelerations: Sequence[float]) -> Result:
    blocks = [_block(workshop, anatomy, acceleration) for acceleration in accelerations]
    records = [record for found, _ in blocks for record in flat(found)]
    return Result(records, text="\n\n".join(text for _, text in blocks) + "\n")


def _block(workshop: Workshop, anatomy: str, acceleration: float) -> tuple[list[Found], str]:
    """Return the scored cells of an anatomy at an acceleration, and their tables."""
    noise = matched_noise(workshop, anatomy, acceleration)
    shown, methods = columns(noise.level), (*PAPERS, *OURS)
    found = workshop.found([Block(anatomy, acceleration, methods, shown.conditions)])
    spent = costs(workshop, anatomy, acceleration, [method for method in methods if method in METHODS])
    rows = averaged(found)
    summaries = summarise(rows, PAPERS[0])
    subjects = {row.slice: row.subject for row in rows if row.subject}
    kspace = workshop.test(anatomy, acceleration).description["kspace"]

    def paper(method: str, condition: str) -> Printed | None:
        column = shown.printed.get(condition)
        return None if column is None else printed(anatomy, acceleration, method, column)

    note, warnings = workshop.scale.anatomy(anatomy).note, "; ".join(flagged(summaries))
    psnr = table_text.quality(summaries, paper, lambda s: (s.psnr.mean, s.psnr.sd), lambda p: (p.psnr, p.psnr_sd), 2)
    ssim = table_text.quality(summaries, paper, lambda s: (s.ssim.mean, s.ssim.sd), lambda p: (p.ssim, p.ssim_sd), 3)
    beside = (
        f"## {anatomy}, {acceleration:g}x" + (f": {note}" if note else ""),
        "**PSNR in dB**, mean ± SD over slices; of all methods but the first, minus the first's mean.",
        psnr,
        "**SSIM**, in the same way.",
        ssim,
        f"{workshop.scale.sampling} {noise.note} The paper does not tell for certain how strong its attack was: its "
        f"PGD stands below both sizes. The paper's lines: {source()}.",
        caption(summaries, kspace=kspace, subjects=subjects),
    )
    additions = {
        "**PSNR minus MoDL's** in dB, paired by slice.": table_text.differences(summaries),
        statistics_of(summaries): f"Warnings: {warnings}." if warnings else "No attack raised a warning.",
        "**Training seeds**: SD of mean PSNR in dB over them.": table_text.seeds(seed_spreads(found)),
        "**Over-smoothing**: HFEN, the error of edges relative to the target's.": table_text.over_smoothing(summaries),
        "**The physics alone**: PSNR in dB of the same loop with the identity for a denoiser, on the same "
        "measurements.": table_text.physics(summaries),
        "**Cost of training**: forward calls of the denoiser, counted (a backward pass follows each); seconds on the "
        "machine that trained, mean over training seeds.": table_text.cost(spent, summaries),
    }
    return found, "\n\n".join((*beside, *(f"{about}\n\n{table}" for about, table in additions.items() if table)))


def seed_spreads(found: Sequence[Found]) -> list[SeedSpread]:
    """Return the spread of mean PSNR over training seeds, of methods that have several."""
    models = {f"{each.method} {each.seed}": each.method for each in found}
    return over_seeds([replace(each.row, model=f"{each.method} {each.seed}") for each in found], models)


TABLE1 = Exhibit("table1", "Table I: brain, 4x", "brain", lambda workshop: _table(workshop, "brain", (4.0,)))
TABLE2 = Exhibit("table2", "Table II: knee, 4x and 8x", "knee", lambda workshop: _table(workshop, "knee", (4.0, 8.0)))


LOWEST, HIGHEST = 1e-3, 0.5
"""Levels between which it is searched, per real and imaginary part where the image's maximum is 1."""

HALVINGS = 10
"""Of the logarithm of their ratio: the level is known to 1 %."""


@dataclass(frozen=True)
class Matched:
    """A level of noise, and how many dB it costs on the slices that it was searched on: ``found``, to be ``loss``."""

    level: float
    found: float
    loss: float
    slices: int

    @property
    def note(self) -> str:
        """What a table says of it."""
        if abs(self.found - self.loss) > 0.1 * self.loss:
            return (
                f"The paper's noise, whose level it does not give, costs MoDL {self.loss:.2f} dB; no level from "
                f"{LOWEST:g} to {HIGHEST:g} does so here: {self.level:g} costs {self.found:.2f} dB on {self.slices} "
                "validation slices."
            )
        return (
            f"Noise {self.level:g} costs MoDL {self.loss:.2f} dB, as the paper's did, whose level it does not give: by "
            f"bisection on {self.slices} validation slices, where it costs {self.found:.2f} dB."
        )


def matched_noise(workshop: Workshop, anatomy: str, acceleration: float) -> Matched:
    """Return the level of noise that costs MoDL, of the first training seed, as much as in the paper."""
    scans = [
        scan.to(workshop.device)
        for scan in workshop.test(anatomy, acceleration, split="val", count=TUNING_SLICES).scans
    ]
    f = moved(workshop.model(Run(anatomy, acceleration, "modl", workshop.scale.seeds[0])), workshop.device)
    loss = printed_loss(anatomy, acceleration)

    def lost(level: float) -> float:
        rows = evaluate({"modl": f}, (clean(), noisy(level)), scans, seed=workshop.seed, store=workshop.store)
        without, under = ([row.psnr for row in rows if (row.condition == "clean") is way] for way in (True, False))
        return fmean(without) - fmean(under)

    workshop.told(f"searching for the noise that costs MoDL {loss:.2f} dB on {anatomy} {acceleration:g}x")
    level = bisected(lost, loss)
    return Matched(level, lost(level), loss, len(scans))


def bisected(rising: Callable[[float], float], value: float) -> float:
    """Return, to three digits, where a rising function of a level has a value; the nearest end where it has not.

    >>> bisected(lambda level: 100 * level, 2.0)
    0.02
    """
    low, high = math.log(LOWEST), math.log(HIGHEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(math.exp(middle)) > value else (middle, high)
    return float(f"{math.exp((low + high) / 2):.3g}")
