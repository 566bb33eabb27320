"""What all commands share: options, and where their results go."""

import shlex
import sys
from collections.abc import Mapping
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
        """The command line, as it was typed; that of ``python -m smug`` as of ``smug``."""
        name = Path(sys.argv[0]).name
        return shlex.join(["smug" if name == "__main__.py" else name, *sys.argv[1:]])

    def write_json(self, document: Mapping[str, Any]) -> None:
        """Write the document if ``--json`` asks for it."""
        if self.json is not None:
            from smug.system.documents import plainly
            from smug.system.files import write_json

            write_json(self.json, plainly(document))


def console(*, quiet: bool = False) -> "Console":
    """Return the terminal, or one that shows nothing; where there is none, lines may be 120 characters long."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120, quiet=quiet)
