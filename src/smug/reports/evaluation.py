"""What a comparison found: rows, their table and conclusion, and the report of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from smug.evaluation.row import Outcome, Row
from smug.evaluation.summary import SCHEMA, KspaceSource, Summary, distinct, summarise
from smug.evaluation.verdict import verdict
from smug.reports.card import cards, write_card
from smug.reports.shown import Shown
from smug.reports.tables import attack_table, markdown, table
from smug.system.documents import plainly, read_document
from smug.system.files import together, write_text
from smug.system.table import Table

PICTURED_CONDITIONS = 5
"""Of how many conditions the figure shows all."""


@dataclass(frozen=True, eq=False)
class Evaluation(Shown):
    """The rows of a comparison, the images of its first slices, and the document that says how it was made.

    ``rows`` has a :class:`smug.evaluation.row.Row` per model, condition and slice; ``print`` shows the table.
    """

    rows: Sequence[Row]
    outcomes: Sequence[Outcome]
    subjects: Mapping[str, str]
    document: Mapping[str, Any]

    @classmethod
    def read(cls, path: str | Path, *others: str | Path) -> "Evaluation":
        """Read what ``smug evaluate --json`` wrote; of several files, such as folds of one data set, the rows of all.

        Images are not in it. Raises FileNotFoundError, and ValueError for other files, for rows that are there twice,
        and for files that differ in whether k-space was measured.
        """
        documents = [read_document(Path(each), SCHEMA) for each in (path, *others)]
        return cls(*_joined(documents, [str(each) for each in (path, *others)]))

    @cached_property
    def summaries(self) -> list[Summary]:
        """The summary of every model and condition."""
        return summarise(self.rows, self.document["reference"])

    def table(self, title: str = "") -> Table:
        """Return the means over slices of every model and condition; ``print`` and notebooks show it."""
        kspace: KspaceSource = self.document["kspace"]
        return table(self.summaries, kspace=kspace, subjects=self.subjects, title=title or self.title)

    def attacks(self) -> Table:
        """Return what is known of the attacks: which was strongest, flags, optimism; without rows if there are none."""
        return attack_table(self.summaries)

    def conclusion(self) -> str:
        """Return a sentence that says what was found: which model loses least under attack, if any was run."""
        return verdict(self.rows, self.document["reference"])

    def report(self, path: str | Path, *, title: str = "", notes: Sequence[str] = ()) -> None:
        """Write the report to an ``.html`` file, or to a folder: report.html, figure.png, table.md, a card per model.

        ``notes`` are paragraphs of yours. What was read from a file has no images, and no figure.png.
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

        if self.outcomes:
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


def _joined(
    documents: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> tuple[list[Row], list[Outcome], dict[str, str], dict[str, Any]]:
    """Return the rows of documents, no images, the subjects of slices, and one document of them all."""
    first = documents[0]
    try:
        rows = [Row.from_json(values) for each in documents for values in each["rows"]]
        kspace = {each["kspace"] for each in documents}
        conditions = {c["name"]: c for each in documents for c in each["conditions"]}
        reference = first["reference"]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{', '.join(names)}: not the document of an evaluation, or not all of it: {error}") from None
    if not rows:
        raise ValueError(f"{', '.join(names)}: expected at least one slice, got no rows")
    if len({(row.model, row.condition, row.subject, row.slice) for row in rows}) < len(rows):
        raise ValueError(f"{', '.join(names)}: expected every slice once for a model and condition, got some twice")
    if len(kspace) > 1:
        raise ValueError(f"{', '.join(names)}: expected k-space that is all measured or all simulated, got both")
    subjects = {row.slice: row.subject for row in rows if row.subject}
    values = {
        "conditions": list(conditions.values()),
        "subjects": distinct(subjects),
        "rows": plainly([row.to_json() for row in rows]),
        "summaries": plainly([asdict(summary) for summary in summarise(rows, reference)]),
    }
    return rows, [], subjects, {**first, **values}
