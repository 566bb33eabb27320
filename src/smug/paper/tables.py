"""Tables I and II: clean accuracy, random noise, and worst cases."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from smug.attacks import Threat
from smug.attacks.pgd import PAPER
from smug.attacks.presets import ONE_PERCENT, PRESETS
from smug.data.scan import Scan
from smug.evaluation.conditions import Condition, Perturbed, attacked, clean, noisy
from smug.paper.cells import Block
from smug.paper.cost import costs
from smug.paper.exhibit import Exhibit, Result, flat
from smug.paper.matched import Matched, matched_noise
from smug.paper.runs import METHODS
from smug.paper.table_text import Columns, block_text, cost_text
from smug.paper.workshop import Workshop
from smug.reconstructor import Reconstructor

PAPERS = ("modl", "rs-e2e", "smug", "weighted-smug")
"""The paper's methods."""

OURS = ("modl-longer", "jitter", "adversarial", "cg-sense", "tv")
"""What we set beside them."""


def _fast() -> Condition:
    """Return the attack of every day, at 1 % relative l2, where the literature looks."""

    def perturb(f: Reconstructor, scan: Scan, seeds: Tensor) -> Perturbed:
        result = PRESETS["fast"](f, scan.y, scan.A, scan.truth, ONE_PERCENT, generator=seeds)
        return Perturbed(replace(scan, y=scan.y + result.delta), ("fast",) * len(scan.id))

    return Condition("fast l2 1%", "fast, l2 of 1 % of the measurements'", perturb, f"fast({ONE_PERCENT!r})")


PGD = tuple(attacked(Threat(size, "linf", "image-max"), PAPER, "PGD") for size in (0.02, 0.05))
"""The authors' attack. The paper's text and code differ in its size: both."""


def _columns(matched: Matched) -> Columns:
    """Return the conditions of a table, and which of them answer to a column of the paper's."""
    noise = noisy(matched.level)
    conditions = (clean(), noisy(0.01), noisy(0.02), noise, *PGD, _fast())
    by_name = {condition.name: condition for condition in conditions}  # the level may be one of ours
    return Columns(tuple(by_name.values()), {"clean": "clean", noise.name: "noise", **{c.name: "pgd" for c in PGD}})


def _table(workshop: Workshop, anatomy: str, accelerations: Sequence[float]) -> Result:
    records, texts, note = [], [], workshop.scale.anatomy(anatomy).note
    for acceleration in accelerations:
        matched = matched_noise(workshop, anatomy, acceleration)
        columns = _columns(matched)
        found = workshop.found([Block(anatomy, acceleration, (*PAPERS, *OURS), columns.conditions)])
        description = workshop.test(anatomy, acceleration).description
        title = f"## {anatomy}, {acceleration:g}x" + (f": {note}" if note else "")
        texts += [title, block_text(found, columns, description), matched.note]
        spent = costs(workshop, anatomy, acceleration, [m for m in (*PAPERS, *OURS) if m in METHODS])
        texts.append(cost_text(spent))
        records += flat(found)
    return Result(records, text="\n\n".join(texts) + "\n")


TABLE1 = Exhibit("table1", "Table I: brain, 4x", lambda workshop: _table(workshop, "brain", (4.0,)))
TABLE2 = Exhibit("table2", "Table II: knee, 4x and 8x", lambda workshop: _table(workshop, "knee", (4.0, 8.0)))
