"""The command line: parse, run, and turn errors into one line."""

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from smug.commands.certify import Certify
from smug.commands.demo import Demo
from smug.commands.evaluate import Evaluate
from smug.commands.models import Models
from smug.commands.prepare import Prepare
from smug.commands.reconstruct import Reconstruct
from smug.commands.reproduce import Reproduce
from smug.commands.train import Train

COMMANDS: dict[str, type] = {
    "demo": Demo,
    "prepare": Prepare,
    "train": Train,
    "reconstruct": Reconstruct,
    "evaluate": Evaluate,
    "certify": Certify,
    "reproduce": Reproduce,
    "models": Models,
}

DESCRIPTION = "Robust MRI reconstruction by smoothed unrolling: train, attack, and use it. For research use only."


class Terminated(KeyboardInterrupt):
    """The system asked the program to end, which is an interrupt like that of the keyboard."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return 0, or 2 after an error, 130 after an interrupt and 143 after SIGTERM, told in one line."""
    import tyro

    command = tyro.extras.subcommand_cli_from_dict({**COMMANDS}, prog="smug", description=DESCRIPTION, args=argv)
    return answered(command.run)


def answered(run: Callable[[], None]) -> int:
    """Run, and turn errors into one line and an exit status: see :func:`main`."""
    from torch import OutOfMemoryError

    from smug.system.stopping import Stopped

    try:
        with _terminable():
            run()
    except Stopped as stopped:
        return _failed(str(stopped), 128 + stopped.signal)
    except Terminated:
        return _failed("terminated; nothing half-written is left", 143)
    except KeyboardInterrupt:
        return _failed("interrupted; nothing half-written is left", 130)
    except (ValueError, OSError, MemoryError, OutOfMemoryError) as error:
        return _failed(" ".join(str(error).split()) or type(error).__name__, 2)
    return 0


@contextmanager
def _terminable() -> Iterator[None]:
    """Raise :class:`Terminated` at SIGTERM, so that what is half-written is removed."""
    if threading.current_thread() is not threading.main_thread():  # which alone may say what signals do
        yield
        return

    def terminate(*_: object) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _failed(message: str, status: int) -> int:
    sys.stderr.write(f"smug: {message}\n")
    return status
