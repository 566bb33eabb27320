"""What a comparison was of, in plain sentences."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from smug.evaluation.row import Row
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
