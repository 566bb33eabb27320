"""The command line: parse, run, and turn errors into one line."""

import sys
from collections.abc import Sequence

from smug.commands.demo import Demo
from smug.commands.evaluate import Evaluate
from smug.commands.models import Models
from smug.commands.reconstruct import Reconstruct
from smug.commands.train import Train

COMMANDS: dict[str, type] = {
    "demo": Demo,
    "train": Train,
    "reconstruct": Reconstruct,
    "evaluate": Evaluate,
    "models": Models,
}

DESCRIPTION = "Robust MRI reconstruction by smoothed unrolling: train, attack, and use it. For research use only."


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return 0, or 2 after an error and 130 after an interrupt, each told in one line."""
    import tyro

    command = tyro.extras.subcommand_cli_from_dict({**COMMANDS}, prog="smug", description=DESCRIPTION, args=argv)
    from torch import OutOfMemoryError

    try:
        command.run()
    except KeyboardInterrupt:
        return _failed("interrupted; nothing half-written is left", 130)
    except (ValueError, OSError, MemoryError, OutOfMemoryError) as error:
        return _failed(" ".join(str(error).split()) or type(error).__name__, 2)
    return 0


def _failed(message: str, status: int) -> int:
    sys.stderr.write(f"smug: {message}\n")
    return status
