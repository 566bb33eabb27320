"""The card of a model: everything that is known about its robustness, in one JSON file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from smug.evaluation.row import Row
from smug.evaluation.summary import Summary, summarise
from smug.system.documents import document as json_document
from smug.system.files import write_json

SCHEMA = "smug-card-1"


@dataclass(frozen=True)
class Card:
    """What a model is, what it was tested on, and what came out.

    ``weights`` is what tells its weights from others (a hash; "" if unknown), ``training_range`` what they have seen,
    where known. ``conditions`` are descriptions by name.
    """

    model: str
    version: str
    command: str
    seeds: tuple[int, ...]
    configuration: Any
    weights: str
    training_range: Any
    data: Mapping[str, Any]
    conditions: Mapping[str, str]
    results: tuple[Summary, ...]

    @property
    def denoiser_calls(self) -> float:
        """Calls of the denoiser for one image; where settings were varied, those of the first condition."""
        return self.results[0].denoiser_calls

    @property
    def flags(self) -> tuple[str, ...]:
        """The warnings that were raised under any condition."""
        return tuple(dict.fromkeys(flag for result in self.results for flag in result.flags))

    @property
    def unreliable(self) -> bool:
        """Whether there is a warning: then the numbers may flatter the model."""
        return bool(self.flags)


def cards(document: Mapping[str, Any], weights: Mapping[str, str] | None = None) -> list[Card]:
    """Return the cards of an evaluation: one per model of the document of :func:`smug.evaluation.summary.to_json`.

    ``weights`` holds the hash of each model's weights, by default those that its configuration names.
    """
    summaries = summarise(map(Row.from_json, document["rows"]), document["reference"])
    tested = {summary.condition for summary in summaries}
    return [
        Card(
            model=model,
            version=document["version"],
            command=document["command"],
            seeds=tuple(document["seeds"]),
            configuration=(settings := document["configuration"].get(model)),
            weights=(weights or {}).get(model) or _setting(settings, "weights"),
            training_range=_range(settings),
            data=document["data"],
            conditions={c["name"]: c["description"] for c in document["conditions"] if c["name"] in tested},
            results=tuple(summary for summary in summaries if summary.model == model),
        )
        for model in dict.fromkeys(summary.model for summary in summaries)
    ]


def card_json(card: Card) -> dict[str, Any]:
    """Return a card as plain values: its fields, and what follows from them for readers without this library."""
    values = {
        "unreliable": card.unreliable,
        "flags": card.flags,
        "denoiser_calls": card.denoiser_calls,
        "lowest_psnr": {result.condition: result.psnr.mean for result in card.results},
        **asdict(card),
        "external": [],  # evaluations by others, which a reader may add
    }
    return json_document(SCHEMA, **values)


def write_card(path: Path, card: Card) -> None:
    """Write a card as JSON, whole or not at all."""
    write_json(path, card_json(card))


def _range(settings: Any) -> Any:
    """Return the training range, which weights keep as JSON text beside their configuration."""
    try:
        return json.loads(_setting(settings, "range"))
    except json.JSONDecodeError:
        return None


def _setting(settings: Any, key: str) -> str:
    value = settings.get(key, "") if isinstance(settings, Mapping) else ""
    return value if isinstance(value, str) else ""
