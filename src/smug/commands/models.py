"""smug models."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from smug.commands.common import Command
from smug.system.table import Column, simple_table
from smug.system.terminal import show

if TYPE_CHECKING:
    from smug.model_card import ModelCard
    from smug.training.config import Config

CONVEXITY = {"ridge": "weakly convex", "convex-ridge": "convex"}


@dataclass(frozen=True)
class Models(Command):
    """List the models that have a name, or print the card of one: what it was trained on, and how it does."""

    name: Annotated[str, tyro.conf.Positional] = ""
    """A shipped model, whose card is printed."""

    def run(self) -> None:
        """Print the list or the card."""
        if self.name:
            self._print_card()
        else:
            self._print_list()

    def _print_list(self) -> None:
        from smug.zoo import models

        columns = [Column(name, align="left") for name in ("name", "what it is", "trained on", "sha256")]
        rows = [[entry.name, entry.about, entry.trained_on, entry.sha256[:8]] for entry in models()]
        show(simple_table(columns, rows))
        self.write_json({"schema": "smug-models-1", "models": [asdict(entry) for entry in models()]})

    def _print_card(self) -> None:
        from smug.model_card import SCHEMA
        from smug.zoo import card

        found = card(self.name)
        columns = [Column(name, align="left") for name in ("of the model", "what is known")]
        show(simple_table(columns, _lines(found)))
        self.write_json({"schema": SCHEMA, **asdict(found)})


def _lines(card: "ModelCard") -> Iterator[tuple[str, str]]:
    """Yield what a card says, name by name."""
    from smug.training.config_file import from_dict

    config = from_dict(card.configuration)
    yield "name", card.name
    yield "sha256", card.sha256
    yield "licence", card.licence
    yield "use", card.use
    for data in card.training_data:
        yield "trained on", f"{data.source} ({data.licence}): {data.about}"
    seen = (f"{name.replace('_', ' ')}: {_in_words(values)}" for name, values in card.training_range.items() if values)
    yield "training range", "; ".join(seen) or "any matrix, coils and sampling"
    yield from _made(config)
    yield "recipe", f"{card.recipe}, smug {card.version}"
    for result in card.results:
        over = "" if result.over_best_tv is None else f", {result.over_best_tv:+.2f} dB over the best total variation"
        yield result.data, f"{result.condition}: PSNR {result.psnr:.2f} dB{over}"
    for command in dict.fromkeys(result.command for result in card.results):
        yield "scored by", command


def _made(config: "Config") -> Iterator[tuple[str, str]]:
    """Yield what a model is made of: only what its method has."""
    from torch.nn import Identity

    from smug.training.configured import build

    network, smoothing = config.network, config.smoothing
    if config.method == "ridge":
        yield (
            "method",
            f"ridge regulariser of {network.channels} filters, {CONVEXITY[network.kind]}, seed {config.seed}",
        )
        return
    yield "network", f"{network.kind}, {network.channels} channels, depth {network.depth}"
    first = "" if config.first == "adjoint" else f" from the image of {config.first}"
    yield "method", f"{config.method}, {config.steps} unrolling steps{first}, seed {config.seed}"
    if "smoothing" in build(config, Identity()).settings():
        yield "smoothing", f"sigma {smoothing.sigma:g}, {smoothing.num_samples} {smoothing.noise} samples"


def _in_words(values: Sequence[Any]) -> str:
    """Return values of a training range: ``1 to 16`` for all numbers between, ``112 x 128`` for a matrix."""
    match values:
        case [float(low), float(high)]:
            return f"{low:g} to {high:g}"
        case [int(low), *_, int(high)] if list(values) == list(range(low, high + 1)):
            return f"{low} to {high}"
        case [[float(), float()], *_]:
            return ", ".join(map(_in_words, values))
        case [[int(), int()], *_]:
            return ", ".join(f"{height} x {width}" for height, width in values)
    return ", ".join(map(str, values))
