"""Tables I and II: clean accuracy, random noise, and the paper's attack."""

from collections.abc import Sequence
from statistics import fmean, stdev

from smug.attacks import Threat
from smug.attacks.pgd import PAPER
from smug.evaluation.conditions import Condition, attacked, clean, noisy
from smug.paper.cells import Block, Found
from smug.paper.exhibit import Exhibit, Result, flat
from smug.paper.workshop import Workshop

PAPERS = ("modl", "rs-e2e", "smug", "weighted-smug")
"""The paper's methods."""

OURS = ("cg-sense", "tv", "jitter", "adversarial", "modl-longer")
"""What we set beside them."""

CONDITIONS: tuple[Condition, ...] = (
    clean(),
    noisy(0.01),
    noisy(0.02),
    attacked(Threat(0.02, "linf", "image-max"), PAPER, "PGD"),
    attacked(Threat(0.05, "linf", "image-max"), PAPER, "PGD"),
)
"""The paper gives no level of the noise, and its text and code differ in the size of the attack: both of each."""


def _table1(workshop: Workshop) -> Result:
    return _table(workshop, (Block("brain", 4.0, (*PAPERS, *OURS), CONDITIONS),))


def _table2(workshop: Workshop) -> Result:
    return _table(workshop, tuple(Block("knee", rate, (*PAPERS, *OURS), CONDITIONS) for rate in (4.0, 8.0)))


def _table(workshop: Workshop, blocks: Sequence[Block]) -> Result:
    found = workshop.found(blocks)
    notes = [part.note for part in (workshop.scale.anatomy(block.anatomy) for block in blocks[:1]) if part.note]
    return Result(flat(found), text="\n".join(_markdown(block, found) for block in blocks), notes=notes)


def _markdown(block: Block, found: Sequence[Found]) -> str:
    names = [condition.name for condition in block.conditions]
    lines = [f"| {block.acceleration:g}x | " + " | ".join(names) + " |", "| --- |" + " ---: |" * len(names)]
    for method in block.methods:
        cells = []
        for name in names:
            here = [f.row for f in found if (f.acceleration, f.method, f.row.condition) == (block.acceleration, method, name)]
            values = [row.psnr for row in here]
            spread = f" ±{stdev(values):.2f}" if len(values) > 1 else ""
            cells.append(f"{fmean(values):.2f}{spread} / {fmean(row.ssim for row in here):.3f}")
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


TABLE1 = Exhibit("table1", "Table I: brain, 4x", _table1)
TABLE2 = Exhibit("table2", "Table II: knee, 4x and 8x", _table2)
