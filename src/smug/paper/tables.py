"""Tables I and II: clean accuracy, random noise, and worst cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from smug.attacks.presets import ONE_PERCENT, fast
from smug.evaluation.conditions import Condition, clean, noisy, worst_case
from smug.evaluation.statistics import SeedSpread, over_seeds
from smug.evaluation.summary import summarise
from smug.paper import table_text
from smug.paper.conditions import EPSILON, pgd
from smug.paper.cost import TrainingCost
from smug.paper.exhibit import Content, Drawing, Exhibit
from smug.paper.matched_noise import MatchedNoise
from smug.paper.measurement import Results
from smug.paper.printed import Column, Printed, printed, source
from smug.paper.runs import METHODS, PAPERS
from smug.paper.scales import Scale
from smug.paper.scores import Score, Scores, mean_over_seeds, records
from smug.reports.tables import caption, flagged, statistics_of
from smug.system.table import Table

OURS = ("modl-longer", "jitter", "adversarial", "cg-sense")
"""The methods beside the paper's. Total variation, whose attacks cost most, is in the figures alone."""

EPSILONS = (EPSILON, 0.05)
"""The size of the attack in the authors' code, and in the paper's text."""


@dataclass(frozen=True, eq=False)
class Block:
    """What is measured for an anatomy at an acceleration: a table of the paper."""

    noise: MatchedNoise
    scores: Scores
    cost: TrainingCost


def block(anatomy: str, acceleration: float) -> Block:
    """Return the measurements of an anatomy at an acceleration."""
    noise, methods = MatchedNoise(anatomy, acceleration), (*PAPERS, *OURS)
    trained = tuple(method for method in methods if method in METHODS)
    return Block(
        noise,
        Scores(anatomy, acceleration, methods, conditions(noise)),
        TrainingCost(anatomy, acceleration, trained),
    )


def conditions(noise: MatchedNoise) -> tuple[Condition | MatchedNoise, ...]:
    """Return the columns of a table."""
    strong = worst_case(ONE_PERCENT, "fast", partial(fast, score_draws=2))  # the rows have draws of their own
    return clean(), noisy(0.01), noisy(0.02), noise, *map(pgd, EPSILONS), strong


def printed_columns(noise: Condition) -> Mapping[str, Column]:
    """Return the columns of the paper by the names of the conditions that correspond to them."""
    return {"clean": "clean", noise.name: "noise", **{pgd(epsilon).name: "pgd" for epsilon in EPSILONS}}


def seed_spreads(scores: Sequence[Score]) -> list[SeedSpread]:
    """Return the spread of mean PSNR over training seeds, of methods that have several."""
    models = {f"{each.method} {each.seed}": each.method for each in scores}
    return over_seeds([replace(each.row, model=f"{each.method} {each.seed}") for each in scores], models)


def _content(scale: Scale, anatomy: str, accelerations: Sequence[float]) -> Content:
    blocks = [block(anatomy, acceleration) for acceleration in accelerations]

    def draw(results: Results) -> Drawing:
        lines = [record for each in blocks for record in records(results.of(each.scores))]
        return Drawing(lines, body=[part for each in blocks for part in _body(scale, each, results)])

    return Content([part for each in blocks for part in (each.noise, each.scores, each.cost)], draw)


def _body(scale: Scale, block: Block, results: Results) -> list[str | Table]:
    """Return the tables of an anatomy at an acceleration."""
    anatomy, acceleration = block.scores.anatomy, block.scores.acceleration
    scores, columns = results.of(block.scores), printed_columns(block.noise.level(results))
    rows = mean_over_seeds(scores)
    summaries, subjects = summarise(rows, PAPERS[0]), {row.slice: row.subject for row in rows if row.subject}

    def paper(method: str, condition: str) -> Printed | None:
        column = columns.get(condition)
        return None if column is None else printed(anatomy, acceleration, method, column)

    place, warnings = scale.anatomy(anatomy), "; ".join(flagged(summaries))
    explanation = (
        f"{scale.sampling} {results.of(block.noise).note} The paper does not tell for certain how strong its attack "
        f"was: its PGD stands below both sizes. The paper's lines: {source()}."
    )
    spreads = seed_spreads(scores)
    return [
        f"## {anatomy}, {acceleration:g}x" + (f": {place.note}" if place.note else ""),
        table_text.psnr_table(summaries, paper),
        table_text.ssim_table(summaries, paper),
        f"{explanation}\n\n{caption(summaries, kspace=place.kspace, subjects=subjects)}",
        table_text.difference_table(summaries),
        statistics_of(summaries),
        f"Warnings: {warnings}." if warnings else "No attack raised a warning.",
        *([table_text.seed_table(spreads)] if spreads else []),
        table_text.edge_table(summaries),
        table_text.physics_table(summaries),
        table_text.cost_table(results.of(block.cost), summaries),
    ]


TABLE1 = Exhibit("table1", "Table I: brain, 4x", "brain", lambda scale: _content(scale, "brain", (4.0,)))
TABLE2 = Exhibit("table2", "Table II: knee, 4x and 8x", "knee", lambda scale: _content(scale, "knee", (4.0, 8.0)))
