"""What all commands share: common options, the checks before the start, and the JSON document of the results."""

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smug.commands.numbers import Seed, Threads, check_numbers, check_once
from smug.system.paths import Input, Output, check_paths
from smug.system.terminal import say

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Command:
    """A command: options, and what it reads and writes."""

    _: KW_ONLY
    json: Path | None = None
    """Write the results to this file, for machines."""

    def run(self) -> None:
        """Do what the command is for."""
        raise NotImplementedError

    def inputs(self) -> Iterator[Input]:
        """Yield the files that are read."""
        yield from ()

    def outputs(self) -> Iterator[Output]:
        """Yield the files that are written."""
        if self.json is not None:
            yield Output("--json", self.json)

    def without_effect(self) -> Mapping[str, str]:
        """Return the options that have no effect with these other options, and why."""
        return {}

    def check(self, given: Sequence[str] = ()) -> None:
        """Refuse what can be refused before anything starts; ``given`` are the names of the options that were typed.

        Raises ValueError for numbers out of range, options without effect, and outputs that would overwrite an input or
        each other; OSError for those that cannot be written.
        """
        check_numbers(self)
        check_once(self, given)
        for name, reason in self.without_effect().items():
            if name in given:
                raise ValueError(f"--{name.replace('_', '-')}: would change nothing: {reason}")
        check_paths(self.inputs(), list(self.outputs()))

    @property
    def command(self) -> str:
        """The command line, as it was typed; that of ``python -m smug`` as of ``smug``."""
        name = Path(sys.argv[0]).name
        return shlex.join(["smug" if name == "__main__.py" else name, *sys.argv[1:]])

    def write_json(self, results: Mapping[str, Any]) -> None:
        """Write the results, with their ``schema``, below the head of all documents, if ``--json`` asks for it."""
        if self.json is not None:
            from smug.system.documents import document
            from smug.system.files import write_json

            write_json(self.json, document(**{**self.head, **results}))

    @property
    def head(self) -> dict[str, Any]:
        """What the documents of the command begin with."""
        return {"command": self.command}


@dataclass(frozen=True)
class Common(Command):
    """Options of every command that computes."""

    _: KW_ONLY
    seed: Seed = 0
    """Seed of everything random."""
    device: str = "auto"
    """Torch device, such as cpu or cuda; auto: cuda where there is a GPU for every process, else cpu."""
    threads: Threads | None = None
    """CPU threads; by default torch decides."""

    def start(self, *, quiet: bool = False) -> "torch.device":
        """Set the number of threads and return the device, printed if it was chosen; raises ValueError if missing."""
        import torch

        if self.threads is not None:
            torch.set_num_threads(self.threads)
        try:
            torch.empty(1, device=self.chosen)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"--device {self.device}: {str(error).splitlines()[0]}") from None
        device = torch.device(self.chosen)
        if self.device == "auto":
            kind = torch.cuda.get_device_name(device) if device.type == "cuda" else "no GPU found"
            say(f"Device: {device.type} ({kind}).", quiet=quiet)
        return device

    @property
    def chosen(self) -> str:
        """The device; for ``auto`` the one that is chosen on this machine."""
        if self.device != "auto":
            return self.device
        import torch

        from smug.system.distributed import processes_here

        return "cuda" if torch.cuda.is_available() and torch.cuda.device_count() >= processes_here() else "cpu"

    @property
    def head(self) -> dict[str, Any]:
        """What the documents of the command begin with: the command line, and the device."""
        return {**super().head, "device": self.chosen}
