"""What all commands share: options, progress, and where their results go."""

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from rich.console import Console


@dataclass(frozen=True)
class Common:
    """Options of every command."""

    _: KW_ONLY
    json: Path | None = None
    """Write the results to this file, for machines."""
    seed: int = 0
    """Seed of everything random."""
    device: str = "cpu"
    """Torch device, such as cpu or cuda."""
    threads: int | None = None
    """CPU threads; by default torch decides."""

    def start(self) -> "torch.device":
        """Apply threads and return the device; raises ValueError for one that is not there."""
        import torch

        if self.threads is not None:
            if self.threads < 1:
                raise ValueError(f"--threads: expected at least 1, got {self.threads}")
            torch.set_num_threads(self.threads)
        try:
            torch.empty(1, device=self.device)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"--device {self.device}: {str(error).splitlines()[0]}") from None
        return torch.device(self.device)

    @property
    def command(self) -> str:
        """The command line, as it was typed."""
        return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])

    def write_json(self, document: Mapping[str, Any]) -> None:
        """Write the document if ``--json`` asks for it."""
        if self.json is not None:
            from smug.evaluation.summary import plainly
            from smug.files import write_json

            write_json(self.json, plainly(document))


def console() -> "Console":
    """Return the terminal; where there is none, lines may be 120 characters long."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120)


@contextmanager
def progress(description: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar with the remaining time on the error stream; yield the function that advances it."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(description, total=total)
        yield lambda done: bar.advance(task, done)
