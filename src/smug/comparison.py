"""Comparing reconstructors: from models and data to table and report."""

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.data.simulate import Acquisition
from smug.evaluation.chosen import Data, Models, Slices, choose
from smug.evaluation.datasets import settings_of
from smug.evaluation.evaluate import evaluate as scored
from smug.evaluation.own_attack import OwnAttack, tried, with_attacks
from smug.evaluation.protocols import Protocol
from smug.evaluation.protocols import protocol as named_protocol
from smug.evaluation.row import Outcome, Row
from smug.evaluation.store import RowStore
from smug.evaluation.summary import Kspace, Summary, summarise, to_json
from smug.evaluation.verdict import UNATTACKED, verdict
from smug.reconstructor import Reconstructor, moved
from smug.reports.card import cards, write_card
from smug.reports.tables import attack_table, markdown, table
from smug.reports.verdict import comparison_title, conclusion
from smug.system.arguments import check_integer, check_kind
from smug.system.distributed import ALONE, Group
from smug.system.documents import plainly
from smug.system.files import together, write_text
from smug.system.table import Table

if TYPE_CHECKING:
    from rich.console import RenderableType

BASELINE = "modl"
"""The model that the others are compared with, as in the paper; where it is not there, the first."""

PICTURED_SLICES = 6
"""How many slices keep their images for the report."""

PICTURED_CONDITIONS = 5
"""Of how many conditions the figure shows all."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The rows of a comparison, the images of its first slices, and the document that says how it was made.

    ``rows`` has a :class:`smug.evaluation.row.Row` per model, condition and slice; ``print`` shows the table.
    """

    rows: Sequence[Row]
    outcomes: Sequence[Outcome]
    subjects: Mapping[str, str]
    document: Mapping[str, Any]

    @cached_property
    def summaries(self) -> list[Summary]:
        """The summary of every model and condition."""
        return summarise(self.rows, self.document["reference"])

    @property
    def title(self) -> str:
        """Which models were compared, and on what."""
        return comparison_title(self.document)

    def table(self, title: str = "") -> Table:
        """Return the means over slices of every model and condition; ``print`` and notebooks show it."""
        kspace: Kspace = self.document["kspace"]
        return table(self.summaries, kspace=kspace, subjects=self.subjects, title=title or self.title)

    def attacks(self) -> Table:
        """Return what is known of the attacks: which was strongest, flags, optimism; without rows if there are none."""
        return attack_table(self.summaries)

    def conclusion(self) -> str:
        """Return a sentence that says what was found: who loses least under attack, where there was one."""
        if any(row.attack for row in self.rows):
            return verdict(self.rows)
        return f"{conclusion(self.document)} {UNATTACKED}"

    def __str__(self) -> str:
        """Return the table as plain text."""
        return str(self.table())

    def __rich__(self) -> "RenderableType":
        """Return what ``rich.print`` shows in a terminal."""
        return self.table().__rich__()

    def _repr_html_(self) -> str:
        """Show the table in a notebook."""
        return self.table().html()

    def report(self, path: str | Path, *, title: str = "", notes: Sequence[str] = ()) -> None:
        """Write the report to an ``.html`` file, or to a folder: report.html, figure.png, table.md, a card per model.

        ``notes`` are paragraphs of yours.
        """
        path, title = Path(path), title or self.title
        if path.suffix.lower() == ".html":
            self._write_html(path, title, notes)
        else:
            with together():
                self._write(path, title, notes)

    def _write_html(self, path: Path, title: str, notes: Sequence[str]) -> None:
        from smug.reports.report import write_report

        write_report(path, dict(self.document), self.outcomes, title=title, notes=notes)

    def _write(self, folder: Path, title: str, notes: Sequence[str]) -> None:
        from smug.reports.figure import comparison_figure
        from smug.system.figures import write_figure

        write_figure(folder / "figure.png", comparison_figure(self._pictured(), title=title))
        text = markdown(self.summaries, kspace=self.document["kspace"], subjects=self.subjects)
        write_text(folder / "table.md", text)
        self._write_html(folder / "report.html", title, notes)
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


def evaluate(
    models: Models,
    data: Data,
    protocol: str | Protocol = "paper",
    *,
    epsilons: Sequence[float] = (),
    attacks: Mapping[str, OwnAttack] | None = None,
    split: str = "test",
    size: int = 128,
    acquisition: Acquisition = Acquisition(),
    max_slices: int | None = None,
    kspace: Kspace = "simulated",
    seed: int = 0,
    device: torch.device | str = "cpu",
    command: str = "",
    group: Group = ALONE,
    store: RowStore | str | Path | None = None,
    advance: Callable[[int], None] | None = None,
    warn: Callable[[str], None] = warnings.warn,
) -> Evaluation:
    """Score reconstructors on clean, noisy and attacked measurements, as ``smug evaluate`` does.

    ``models`` are reconstructors or what :func:`smug.load` takes, one or several; a mapping gives them names. ``data``
    is a :class:`smug.Scan` with a target, several, or as on the command line the folder of a prepared set, the name of
    an image set or a file of images: then ``split``, ``size``, ``acquisition`` and ``max_slices`` say which slices and
    how they are measured. Of scans, ``kspace`` says whether they are "measured" or "simulated"; tables state it.

    ``protocol`` is "clean", "paper", "demo", "fast", "standard" or "shifts"; "fast" and "standard" take ``epsilons``,
    the l2 norms of the attacks relative to that of the measurements. ``attacks`` are yours, by name: functions
    ``(f, scan, threat, *, generator=None)`` or rules; they are scored beside those of the protocol. Noise and attacks
    are functions of ``seed`` and of each slice's name. A ``store``, a folder, keeps every row, and rows that it holds
    are not computed again. Every rank of the ``group`` scores its share of the slices, for which ``advance`` is called
    after each model and condition, and gets the whole. ``command`` is kept in the document as the way to repeat it.

    Your models and attacks are tried on one slice first, and ``warn`` gets what was found, a sentence each. Raises
    ValueError for those that do not keep to their contract, and for what is no model, no data or no protocol.
    """
    models, test = choose(models, data, Slices(split, size, acquisition, max_slices, kspace))
    for name, value, kind in (("protocol", protocol, str | Protocol), ("epsilons", epsilons, Sequence[float])):
        check_kind(name, value, kind)
    check_integer("seed", seed)
    if isinstance(protocol, str):
        protocol = named_protocol(protocol, epsilons)
    protocol = with_attacks(protocol, attacks or {})
    store = RowStore(Path(store)) if isinstance(store, str | Path) else store
    moved_models = {name: moved(f, device) for name, f in models.items()}
    blind = tried(moved_models, protocol, test.scans[0].to(device))
    for sentence in blind.values():
        warn(sentence)
    rows: list[list[Row]] = []
    pictures: list[Tensor] = []  # of a slice: its reconstructions, then its target (cell + 1, y, x)
    for scan in test.scans[group.rows]:
        kept: list[Outcome] = []
        rows.append(
            scored(
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
    return Evaluation(every, outcomes, test.subjects, {**document, "diagnoses": diagnoses})


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
