"""One HTML file that shows an evaluation: its conclusion, warnings, tables, curves, and the images behind them."""

import base64
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from smug.diagnosis.flags import FLAGS
from smug.evaluation.row import Outcome
from smug.evaluation.statistics import SeedSpread, over_seeds
from smug.evaluation.summary import DATA_CRIME, Summary, grid, summarise
from smug.evaluation.verdict import contest, verdict
from smug.reports.card import card_json, cards
from smug.reports.curves import curve_figure, families
from smug.reports.description import comparison_title, rows_of, seen
from smug.reports.pareto import pareto_figure
from smug.reports.tables import attack_table, differences, seed_table, table
from smug.reports.viewer import viewer
from smug.system.documents import RESEARCH
from smug.system.figures import figure_bytes
from smug.system.files import write_text
from smug.system.table import Table
from smug.system.words import counted, listed


def write_report(
    path: Path,
    document: Mapping[str, Any],
    outcomes: Sequence[Outcome] = (),
    *,
    title: str = "",
    notes: Sequence[str] = (),
    methods: Mapping[str, str] | None = None,
) -> None:
    """Write a self-contained HTML report, whole or not at all.

    ``document`` is that of :func:`smug.evaluation.summary.to_json`. ``outcomes`` are the images of the viewer, each an
    8-bit PNG in the file with one of its error map: a few slices of 128 x 128 make a file of a few MB; of many
    conditions, only the first slices are taken. Without a ``title`` it says what was compared. ``notes`` are paragraphs
    of plain text; ``methods`` names the method of models that are training seeds of one. Raises ValueError for a
    document without rows, OSError where the file cannot be written.
    """
    if not document["rows"]:
        raise ValueError("got a document without rows, expected at least one slice")
    write_text(path, _render(_content(document, outcomes, title, notes, methods or {})))


def _render(content: Mapping[str, Any]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("smug.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(content)


def _content(
    document: Mapping[str, Any],
    outcomes: Sequence[Outcome],
    title: str,
    notes: Sequence[str],
    methods: Mapping[str, str],
) -> dict[str, Any]:
    """Return what the template shows."""
    rows = rows_of(document)
    summaries = summarise(rows, document["reference"])
    described = {c["name"]: c["description"] for c in document["conditions"]}
    subjects = document["subjects"]
    results = table(summaries, kspace="measured", subjects=subjects, title="Results", descriptions=described)
    return {
        "title": title or comparison_title(document),
        "notes": notes,
        "document": document,
        "research": RESEARCH,
        "crime": DATA_CRIME if document["kspace"] == "simulated" else "",
        "seen": seen(document),
        "attacked": any(summary.attacks for summary in summaries),
        "conclusion": verdict(rows, document["reference"]),
        "warnings": _warnings(summaries),
        "tables": [(name, about, made.html()) for name, about, made in _tables(summaries, over_seeds(rows, methods))],
        "results": results.html(),
        "figures": figures(summaries),
        "differences": any(math.isfinite(d.low) for d in differences(summaries).values()),
        "cards": [(card.model, json.dumps(card_json(card), indent=1, ensure_ascii=False)) for card in cards(document)],
        "configuration": json.dumps({k: v for k, v in document.items() if k not in ("rows", "summaries")}, indent=2),
        "viewer": viewer(outcomes, contest(summaries)) if outcomes else None,
    }


def _tables(summaries: Sequence[Summary], seeds: Sequence[SeedSpread]) -> list[tuple[str, str, Table]]:
    """Return the tables below the images: heading, what it is about, and the table."""
    made = [
        (
            "Perturbations",
            "What was added to the measurements, and what the models made of it.",
            attack_table(summaries),
        ),
        (
            "Training seeds",
            "What another training run of the same method is worth, apart from slices and subjects.",
            seed_table(seeds),
        ),
    ]
    return [(name, about, Table(t.columns, t.groups, name, t.notes)) for name, about, t in made if t.groups]


def figures(summaries: Sequence[Summary]) -> list[dict[str, str]]:
    """Return the curves and the Pareto plot as SVG in base64, each with what it shows."""
    models, conditions, cells = grid(summaries)
    shown = [
        (curve_figure(family, summaries), f"PSNR of {listed(models)} over {family.name}: {family.axis}")
        for family in families(summaries)
    ]
    hardest = contest(summaries)[0]
    both = [m for m in models if all(_has(cells.get((m, c))) for c in (conditions[0], hardest))]
    if hardest != conditions[0] and len(both) > 1:
        figure = pareto_figure(summaries, hardest, conditions[0])
        shown.append((figure, f"PSNR under {hardest} against that on {conditions[0]}: {listed(both)}"))
    return [
        {"svg": base64.b64encode(figure_bytes(figure, ".svg")).decode("ascii"), "text": text} for figure, text in shown
    ]


def _warnings(summaries: Sequence[Summary]) -> list[dict[str, str]]:
    """Each flag that was raised, what it means, and where."""
    where: dict[str, list[str]] = {}
    for s in summaries:
        for flag, count in s.flags.items():
            where.setdefault(flag, []).append(f"{s.model} under {s.condition} ({count} of {counted(s.n, 'slice')})")
    return [
        {"name": flag, "sentence": FLAGS[flag].sentence if flag in FLAGS else "", "where": "; ".join(places)}
        for flag, places in where.items()
    ]


def _has(summary: Summary | None) -> bool:
    return summary is not None and math.isfinite(summary.psnr.mean)
