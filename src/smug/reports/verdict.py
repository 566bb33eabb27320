"""What a comparison was of, and what it found, in plain sentences."""

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from smug.evaluation.row import Row
from smug.evaluation.statistics import Interval, no_interval, paired
from smug.evaluation.summary import Summary, grid, summarise
from smug.reports.tables import of_subjects
from smug.system.words import counted, listed, printable

LISTED = 6
"""So many conditions are listed in a sentence; of more, their number is told."""

NAMED = 4
"""So many models are named in a title; of more, their number is told."""

SOURCES = {
    "phantom": "simulated heads",
    "siat": "brain images (siat)",
    "openms": "brain images (openms)",
    "knee": "knee images",
}
"""What the image sets that have a name show."""


def comparison_title(document: Mapping[str, Any]) -> str:
    """Return a title: which models were compared, and on what."""
    models, slices = (list(dict.fromkeys(row[name] for row in document["rows"])) for name in ("model", "slice"))
    who = listed(models) if len(models) <= NAMED else counted(len(models), "model")
    return printable(f"{who} on {counted(len(slices), 'slice')} of {_source(document)}{_undersampled(document)}")


def seen(document: Mapping[str, Any]) -> str:
    """Return a sentence that says what was compared."""
    models, conditions, slices = (
        list(dict.fromkeys(row[name] for row in document["rows"])) for name in ("model", "condition", "slice")
    )
    data = document["data"]
    split = f"{data['split']} split, " if data.get("split") else ""
    tested = f"conditions: {listed(conditions)}" if len(conditions) <= LISTED else f"{len(conditions)} conditions"
    return (
        f"{counted(len(slices), 'slice')}{of_subjects(document['subjects'])} ({_source(document)}; {split}"
        f"{document['kspace']} k-space{_undersampled(document)}), reconstructed by {listed(models)}; {tested}."
    )


def conclusion(document: Mapping[str, Any]) -> str:
    """Return a sentence of numbers: who is best under the hardest condition, by how much, and what it cost.

    That is the hardest attack, where there is one. The best model is set against the reference, or, where it is the
    reference, against the next best.
    """
    rows = rows_of(document)
    summaries = summarise(rows, document["reference"])
    _, conditions, cells = grid(summaries)
    if not all(math.isfinite(summary.psnr.mean) for summary in summaries):
        return "Not every PSNR is finite, so that means cannot be compared: see the table."
    hardest, best, other = contest(summaries)
    first = conditions[0]

    def cost(model: str) -> str:
        change = cells[model, hardest].psnr.mean - cells[model, first].psnr.mean
        return f"{model} {'loses' if change < 0 else 'gains'} {abs(change):.2f} dB"

    if other is None:
        text = f"Under {hardest} the mean PSNR of {best} is {cells[best, hardest].psnr.mean:.2f} dB"
        return f"{text}; from {first} to there, {cost(best)}." if hardest != first else f"{text}."
    a, b = ([row for row in rows if (row.model, row.condition) == (model, hardest)] for model in (best, other))
    theirs = {row.slice: row.psnr for row in b}
    shared = [row for row in a if row.slice in theirs]
    higher = sum(row.psnr > theirs[row.slice] for row in shared)
    gap = cells[best, hardest].psnr.mean - cells[other, hardest].psnr.mean
    attacks = any(summary.attacks for summary in summaries)
    which = ", the attack with the lowest PSNR," if attacks else ", where PSNR is lowest,"
    where = f"Under {hardest}{which if len(conditions) > 1 else ''}"
    text = (
        f"{where} {best} has the highest mean PSNR, {cells[best, hardest].psnr.mean:.2f} dB: "
        f"{gap:.2f} dB above {other}{_bounds(paired(a, b))}, and higher on {higher} of {counted(len(shared), 'slice')}"
    )
    return f"{text}; from {first} to there, {cost(best)} and {cost(other)}." if hardest != first else f"{text}."


def contest(summaries: Sequence[Summary]) -> tuple[str, str, str | None]:
    """Return the hardest condition, its best model, and whom that is compared with; None if it is alone.

    The hardest is the attack, or else the condition, with the lowest mean PSNR. The best model is compared with the
    reference, or, where it is the reference, with the next best.
    """
    candidates = [s for s in summaries if s.attacks] or summaries
    hardest = min(candidates, key=lambda s: _finite(s.psnr.mean, math.inf)).condition
    there = [s for s in summaries if s.condition == hardest]
    best = _best(there)
    others = [s for s in there if s is not best]
    if not others:
        return hardest, best.model, None
    rival = next((s for s in others if s.model == s.reference), _best(others))
    return hardest, best.model, rival.model


def rows_of(document: Mapping[str, Any]) -> list[Row]:
    """Return the rows of an evaluation's document."""
    return [Row.from_json(values) for values in document["rows"]]


def _source(document: Mapping[str, Any]) -> str:
    source = str(document["data"]["source"])
    return SOURCES.get(source, PurePath(source).name or source)


def _undersampled(document: Mapping[str, Any]) -> str:
    """Return how much less was measured than a full scan, where the data's description tells."""
    data = document["data"]
    settings = data.get("acquisition") or data.get("masks") or {}
    rate = settings.get("acceleration")
    return f", {rate:g}x undersampled" if isinstance(rate, int | float) and rate > 1 else ""


def _bounds(difference: Interval | None) -> str:
    if difference is None:
        return ""
    if not math.isfinite(difference.low):
        return f" (n = {difference.units}: no interval)" if no_interval([difference]) else ""
    whose = counted(difference.units, difference.unit)
    return f" (95 % interval over {whose}: {difference.low:.2f} to {difference.high:.2f})"


def _best(summaries: Sequence[Summary]) -> Summary:
    return max(summaries, key=lambda s: _finite(s.psnr.mean, -math.inf))


def _finite(value: float, otherwise: float) -> float:
    return value if math.isfinite(value) else otherwise
