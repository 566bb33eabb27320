"""The document of a run: everything needed to repeat it, and its results."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, median
from typing import Any

from smug.system.documents import document
from smug.training.log import LogEntry, mean_terms

SCHEMA = "smug-run-2"


def run_document(
    configuration: Mapping[str, Any],
    entries: Sequence[LogEntry],
    *,
    seeds: Sequence[int],
    data: Mapping[str, Any] | None = None,
    command: str = "",
) -> dict[str, Any]:
    """Return the document of a run: plain values only, null for NaN, infinity and what is not known.

    ``data`` describes the data, with their ``sha256`` where it is known; ``configuration``, ``seeds`` and ``command``
    tell how to repeat the run. The loss at a validation is the mean over the updates since the one before it.
    """
    return document(
        SCHEMA,
        command=command,
        configuration=configuration,
        seeds=seeds,
        data=data,
        updates=entries[-1].update if entries else 0,
        validations=list(_validations(entries)),
        timing=_timing(entries) if entries else None,
    )


def _validations(entries: Sequence[LogEntry]) -> Iterator[dict[str, Any]]:
    start = 0
    for end, entry in enumerate(entries, 1):
        if entry.validation_psnr is not None:
            terms = mean_terms(entries[start:end])
            quality = {"update": entry.update, "psnr_db": entry.validation_psnr}
            yield quality | {"loss": sum(terms.values()), "terms": terms, "seconds": entry.seconds}
            start = end


def _timing(entries: Sequence[LogEntry]) -> dict[str, float]:
    return {
        "seconds": entries[-1].seconds,
        "samples_per_second": median(entry.samples_per_second for entry in entries),
        "waiting": fmean(entry.waiting for entry in entries),
    }
