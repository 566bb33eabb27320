"""One comparison from test set to report."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.evaluation.datasets import TestSet, settings_of
from smug.evaluation.evaluate import evaluate
from smug.evaluation.own_attack import tried
from smug.evaluation.protocols import Protocol
from smug.evaluation.row import Outcome, Row
from smug.evaluation.store import RowStore
from smug.evaluation.summary import Summary, summarise, to_json
from smug.reconstructor import Reconstructor, moved
from smug.reports.card import cards, write_card
from smug.reports.tables import attack_table, markdown, table
from smug.system.distributed import ALONE, Group
from smug.system.documents import plainly
from smug.system.files import write_text
from smug.system.table import Table

BASELINE = "modl"
"""The model that the others are compared with, as in the paper; where it is not there, the first."""

PICTURED_SLICES = 6
"""How many slices keep their images for the report."""

PICTURED_CONDITIONS = 5
"""Of how many conditions the figure shows all."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """The rows of a comparison, the images of its first slices, and the document that says how it was made."""

    rows: Sequence[Row]
    outcomes: Sequence[Outcome]
    subjects: Mapping[str, str]
    document: Mapping[str, Any]

    @cached_property
    def summaries(self) -> list[Summary]:
        """The summary of every model and condition."""
        return summarise(self.rows, self.document["reference"])

    def tables(self, title: str) -> list[Table]:
        """Return the headline, and what is known of attacks, where there are any."""
        attacks = attack_table(self.summaries)
        headline = table(self.summaries, kspace=self.document["kspace"], subjects=self.subjects, title=title)
        return [headline, *([attacks] if attacks.groups else [])]

    def write(self, folder: Path, *, title: str, notes: Sequence[str] = ()) -> None:
        """Write ``report.html``, ``figure.png``, ``table.md`` and a card per model to a folder."""
        from smug.reports.figure import comparison_figure
        from smug.reports.report import write_report
        from smug.system.figures import write_figure

        write_figure(folder / "figure.png", comparison_figure(self._pictured(), title=title))
        text = markdown(self.summaries, kspace=self.document["kspace"], subjects=self.subjects)
        write_text(folder / "table.md", text)
        write_report(folder / "report.html", dict(self.document), self.outcomes, title=title, notes=notes)
        for card in cards(self.document):
            write_card(folder / "cards" / f"{card.model.replace('/', '-')}.json", card)

    def _pictured(self) -> list[Outcome]:
        """The outcomes of the first slice; of many conditions those of the first and of the hardest."""
        first = [outcome for outcome in self.outcomes if outcome.row.slice == self.outcomes[0].row.slice]
        conditions = list(dict.fromkeys(outcome.row.condition for outcome in first))
        if len(conditions) > PICTURED_CONDITIONS:
            hardest = min(self.summaries, key=lambda summary: summary.psnr.mean).condition
            conditions = [conditions[0], hardest]
        return [outcome for outcome in first if outcome.row.condition in conditions]


def compare(
    models: Mapping[str, Reconstructor],
    protocol: Protocol,
    test: TestSet,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    command: str = "",
    group: Group = ALONE,
    store: RowStore | None = None,
    advance: Callable[[int], None] | None = None,
    warn: Callable[[str], None] | None = None,
) -> Comparison:
    """Score models x conditions x slices on a device; see :func:`smug.evaluation.evaluate.evaluate`.

    Every rank of the ``group`` scores its share of the slices, for which ``advance`` is called, and gets the whole
    comparison. Cells that the ``store`` holds are read from it. ``command`` is kept as the way to repeat it. Users'
    models and attacks are tried on one slice first, and ``warn`` gets what was found, a sentence each; raises
    ValueError for those that do not keep to their contract.
    """
    moved_models = {name: moved(f, device) for name, f in models.items()}
    blind = tried(moved_models, protocol, test.scans[0].to(device))
    for sentence in blind.values():
        (warn or (lambda _: None))(sentence)
    rows: list[list[Row]] = []
    pictures: list[Tensor] = []  # of a slice: its reconstructions, then its target (cell + 1, y, x)
    for scan in test.scans[group.rows]:
        kept: list[Outcome] = []
        rows.append(
            evaluate(
                moved_models,
                protocol.conditions,
                [scan.to(device)],
                seed=seed,
                draws=protocol.draws,
                subjects=test.subjects,
                store=store,
                keep=kept.append if len(pictures) < len(range(PICTURED_SLICES)[group.rows]) else None,
                advance=advance,
            )
        )
        if kept:
            pictures.append(torch.stack([*(outcome.image for outcome in kept), *(outcome.target for outcome in kept)]))
    rows = [
        [Row.from_json(row) for row in cells] for cells in group.gathered([[row.to_json() for row in r] for r in rows])
    ]
    diagnoses = _diagnoses(moved_models, protocol, test.scans[0].to(device), group)
    rows = [[_warned(row, diagnoses, blind) for row in cells] for cells in rows]
    outcomes = [
        Outcome(row, image, target)
        for cells, images in zip(rows, group.gathered_tensors(pictures), strict=False)
        for row, image, target in zip(cells, images[: len(cells)], images[len(cells) :], strict=True)
    ]
    every = [row for cells in rows for row in cells]
    document = to_json(
        every,
        protocol.conditions,
        configuration=settings_of(models),
        seeds=[seed],
        data=test.description,
        subjects=test.subjects,
        command=command,
        reference=BASELINE if BASELINE in models else None,
    )
    return Comparison(every, outcomes, test.subjects, {**document, "diagnoses": diagnoses})


Diagnoses = Mapping[str, Mapping[str, Any]]
"""By model: the names of its ``flags``, and the numbers that were decided on, ``evidence``."""


def _diagnoses(models: Mapping[str, Reconstructor], protocol: Protocol, scan: Scan, group: Group) -> Diagnoses:
    """Diagnose every model on one scan, if the protocol asks for it; the ranks share the models."""
    if protocol.diagnose is None:
        return {}
    shares = [protocol.diagnose(f, scan) for f in list(models.values())[group.rows]]
    told = [plainly({"flags": [flag.name for flag in d.flags], "evidence": d.evidence}) for d in shares]
    return dict(zip(models, group.gathered(told), strict=True))


def _warned(row: Row, diagnoses: Diagnoses, blind: Collection[str]) -> Row:
    """Return an attacked row with the flags of its model too; ``blind`` are the models without a gradient."""
    if not row.attack:
        return row
    found = [*row.flags, *(diagnoses[row.model]["flags"] if diagnoses else ())]
    return replace(row, flags=tuple(dict.fromkeys([*found, *(["zero-gradient"] if row.model in blind else [])])))
