"""The card of a model: everything that is known about its robustness, in one JSON file."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from smug.evaluation.row import Row
from smug.evaluation.summary import Summary, summarise
from smug.system.documents import RESEARCH, plainly, typed
from smug.system.files import write_json

SCHEMA = "smug-card-1"


@dataclass(frozen=True)
class External:
    """Somebody else's evaluation of a model: mean PSNR (dB) under a condition, on the card's data.

    ``attack`` is what did it, ``source`` where it is described, ``data`` the hash of the data that it was scored on.
    """

    condition: str
    psnr: float
    attack: str
    source: str
    data: str


@dataclass(frozen=True)
class Card:
    """What a model is, what it was tested on, and what came out.

    ``weights`` is what tells its weights from others (a hash; "" if unknown), ``training_range`` what they have seen,
    where known. ``conditions`` are descriptions by name. ``external`` holds one evaluation per condition at most, the
    lowest.
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
    external: tuple[External, ...] = ()

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

    def lowest(self) -> dict[str, float]:
        """Return the lowest mean PSNR known under each condition, our own or somebody else's; NaN counts as lowest."""
        found = {result.condition: result.psnr.mean for result in self.results}
        for other in self.external:
            own = found[other.condition]
            found[other.condition] = own if math.isnan(own) else min(own, other.psnr)
        return found


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
            weights=(weights or {}).get(model) or _told(settings, "weights"),
            training_range=_range(settings),
            data=document["data"],
            conditions={c["name"]: c["description"] for c in document["conditions"] if c["name"] in tested},
            results=tuple(summary for summary in summaries if summary.model == model),
        )
        for model in dict.fromkeys(summary.model for summary in summaries)
    ]


def with_external(card: Card, evaluation: External) -> Card:
    """Return the card with somebody else's evaluation, if it is the lowest of its condition so far.

    Raises ValueError for a condition or data that the card does not have, and for PSNR that is not finite.
    """
    known = {result.condition for result in card.results}
    if evaluation.condition not in known:
        raise ValueError(f"condition: expected one of {', '.join(sorted(known))}, got {evaluation.condition!r}")
    if evaluation.data != card.data["sha256"]:
        raise ValueError(f"data: expected the card's, {card.data['sha256']}, got {evaluation.data!r}")
    if not math.isfinite(evaluation.psnr):
        raise ValueError(f"psnr: expected a finite number of dB, got {evaluation.psnr}")
    others = {other.condition: other for other in card.external}
    present = others.get(evaluation.condition)
    if present is None or evaluation.psnr < present.psnr:
        others[evaluation.condition] = evaluation
    return replace(card, external=tuple(others.values()))


def card_json(card: Card) -> dict[str, Any]:
    """Return a card as plain values: its fields, and what follows from them for readers without this library."""
    document = {
        "schema": SCHEMA,
        "use": RESEARCH,
        "unreliable": card.unreliable,
        "flags": card.flags,
        "denoiser_calls": card.denoiser_calls,
        "lowest_psnr": card.lowest(),
        **asdict(card),
    }
    plain: dict[str, Any] = plainly(document)
    return plain


def write_card(path: Path, card: Card) -> None:
    """Write a card as JSON, whole or not at all."""
    write_json(path, card_json(card))


def read_card(path: Path) -> Card:
    """Read what :func:`write_card` wrote, perhaps with external evaluations added by hand.

    Raises FileNotFoundError, and ValueError for anything that is no card of this schema.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: expected a card in JSON: {error}") from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise ValueError(f"{path}: expected schema {SCHEMA}, got {schema!r}")
    try:
        return _checked({field.name: document[field.name] for field in fields(Card) if field.name in document})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _checked(values: Mapping[str, Any]) -> Card:
    card: Card = typed(Card, {**values, "external": []})
    if not card.results:
        raise ValueError("results: expected at least one condition, got none")
    if strange := {result.model for result in card.results} - {card.model}:
        raise ValueError(f"results: expected those of {card.model}, got those of {', '.join(sorted(strange))}")
    if "sha256" not in card.data:
        raise ValueError("data: expected their sha256")
    external: Sequence[External] = typed(tuple[External, ...], values.get("external", []), "external")
    for evaluation in external:
        card = with_external(card, evaluation)
    return card


def _range(settings: Any) -> Any:
    """The training range, which weights keep as JSON text beside their configuration."""
    try:
        return json.loads(_told(settings, "range"))
    except json.JSONDecodeError:
        return None


def _told(settings: Any, key: str) -> str:
    value = settings.get(key, "") if isinstance(settings, Mapping) else ""
    return value if isinstance(value, str) else ""
