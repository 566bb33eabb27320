"""The commands by name. The module of one is imported when it is asked for, so that help comes at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from smug.commands.common import Command


@dataclass(frozen=True)
class Entry:
    """A command: the ``module:Class`` of its options, and what it does in one sentence, that of its help."""

    where: str
    about: str

    def load(self) -> type[Command]:
        """Import the class."""
        module, _, name = self.where.partition(":")
        command: type[Command] = getattr(import_module(f"smug.commands.{module}"), name)
        return command


COMMANDS: Mapping[str, Entry] = {
    "demo": Entry(
        "demo:Demo",
        "See the effect in two minutes: CG-SENSE, TV, MoDL, SMUG and ridge on a head phantom, clean, noisy and "
        "attacked.",
    ),
    "info": Entry("info:Info", "Tell what files hold, and what smug would do with them."),
    "reconstruct": Entry(
        "reconstruct:Reconstruct", "Reconstruct measured k-space, with coil maps from its own calibration lines."
    ),
    "evaluate": Entry(
        "evaluate:Evaluate",
        "Compare reconstructors on clean, noisy and attacked measurements, of a prepared set or simulated from images.",
    ),
    "certify": Entry(
        "certify:Certify",
        "Prove what no perturbation can do to a reconstruction, and show what the strongest attack found does.",
    ),
    "prepare": Entry(
        "prepare:Prepare",
        "Make a set to train on and to evaluate with from a folder of volumes; run it again to go on, or to add some.",
    ),
    "train": Entry(
        "train:Train",
        "Train a reconstructor; the run folder gets its weights, configuration, checkpoint, log and pictures.",
    ),
    "reproduce": Entry(
        "reproduce:Reproduce", "Make a table or a figure of the paper, from training to PNG, PDF, CSV and JSON."
    ),
    "models": Entry(
        "models:Models",
        "List the models that have a name, or print the card of one: what it was trained on, and how it does.",
    ),
}
