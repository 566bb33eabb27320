"""smug models."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import tyro

from smug.commands.common import Command
from smug.system.table import Column, simple_table
from smug.system.terminal import show

if TYPE_CHECKING:
    from smug.model_card import ModelCard


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
    seen = (f"{name}: {', '.join(map(str, values))}" for name, values in card.training_range.items() if values)
    yield "training range", "; ".join(seen)
    network, smoothing = config.network, config.smoothing
    yield "network", f"{network.kind}, {network.channels} channels, depth {network.depth}"
    yield "method", f"{config.method}, {config.steps} unrolling steps, seed {config.seed}"
    yield "smoothing", f"sigma {smoothing.sigma:g}, {smoothing.num_samples} {smoothing.noise} samples"
    yield "recipe", f"{card.recipe}, smug {card.version}"
    if card.result is None:
        yield "results", "none yet"
        return
    data = card.result["data"]
    tested = f"{data['source']} {data['split']}, {data['slices']} slices, {data['kspace']} k-space"
    yield "tested on", ", ".join([tested, *data.get("set", ())])
    for result in card.result["results"]:
        psnr = result["psnr"]["mean"]
        yield (
            result["condition"],
            "diverged" if psnr is None else f"PSNR {psnr:.2f} dB, SSIM {result['ssim']['mean']:.3f}",
        )
