"""The command line: parse, check, run, and turn errors into one line."""

import io
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import make_dataclass
from difflib import get_close_matches

from smug.commands.common import Command
from smug.commands.table import COMMANDS
from smug.system.stopping import Stopped
from smug.system.terminal import forgiving_streams, plain_warnings
from smug.system.words import printable
from smug.version import __version__

DESCRIPTION = """Robust MRI reconstruction by smoothed unrolling: train, attack, and use it. For research use only.

smug COMMAND --help tells of the options of a command, smug --version of the version."""

MOVED = "smug bench is now python -m benchmarks, in a clone of the repository: "

TRACEBACK = "SMUG_TRACEBACK"
"""The variable of the environment that asks for the traceback of an unexpected error."""


class Terminated(KeyboardInterrupt):
    """SIGTERM was received; handled like an interrupt from the keyboard."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return 0, or 2 after an error, 130 after an interrupt and 143 after SIGTERM, told in one line.

    Only the module of the command that is asked for is imported, and none for help, the version and mistyped commands.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    with forgiving_streams():
        match words:
            case []:
                return _failed(f"expected a command: {', '.join(COMMANDS)}; smug --help tells what they do", 2)
            case ["--version", *_]:
                sys.stdout.write(f"smug {__version__}\n")
                return 0
            case ["--help" | "-h", *_]:
                return _overview()
            case ["bench", *options]:
                return _failed(MOVED + shlex.join(["python", "-m", "benchmarks", *options]), 2)
            case [name, *options] if name in COMMANDS:
                return execute(COMMANDS[name].load(), options, f"smug {name}")
            case [name, *_]:
                near = get_close_matches(name, COMMANDS, n=1)
                hint = f"did you mean smug {near[0]}?" if near else f"expected one of {', '.join(COMMANDS)}"
                return _failed(f"{name}: no such command; {hint}", 2)
    raise AssertionError(words)


def execute(options: type[Command], words: Sequence[str], program: str) -> int:
    """Parse the words that follow ``program`` as a command's options, check them, and run it."""
    command = _parsed(options, words, program)
    if command is None:
        return 2
    typed = [word[2:].partition("=")[0].replace("-", "_") for word in words if word.startswith("--")]

    def run() -> None:
        command.check([name.removeprefix("no_") for name in typed])
        command.run()

    return answered(run)


def answered(run: Callable[[], None]) -> int:
    """Run a function; its warnings become lines, its errors one line and an exit status: see :func:`main`."""
    try:
        with _terminable(), plain_warnings():
            run()
    except Stopped as stopped:
        return _failed(str(stopped), 128 + stopped.signal)
    except Terminated:
        return _failed("terminated; nothing half-written is left", 143)
    except KeyboardInterrupt:
        return _failed("interrupted; nothing half-written is left", 130)
    except (ValueError, OSError, MemoryError) as error:
        return _failed(" ".join(_message(error).split()) or type(error).__name__, 2)
    except Exception as error:
        if TRACEBACK in os.environ:
            raise
        message = " ".join(str(error).split())
        if type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in message:
            return _failed(message, 2)
        return _failed(f"unexpected {type(error).__name__}: {message}; {TRACEBACK}=1 shows where", 2)
    return 0


def _message(error: Exception) -> str:
    """Return what an error says, without the system's number of it."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    return str(error)


def _overview() -> int:
    """Print what the commands do, in the form of the help of each, without importing them."""
    import tyro

    named: dict[str, Callable[..., object]] = {
        name: make_dataclass("Options", (), namespace={"__doc__": each.about}) for name, each in COMMANDS.items()
    }
    tyro.extras.subcommand_cli_from_dict(named, prog="smug", description=DESCRIPTION, args=["--help"])
    return 0


def _parsed(options: type[Command], words: Sequence[str], program: str) -> Command | None:
    """Return the options; where they are wrong print why and return None."""
    import tyro

    told = io.StringIO()
    try:
        with redirect_stderr(told):
            return tyro.cli(options, prog=program, args=words)
    except SystemExit as ended:
        if not ended.code:
            raise
    _failed(f"{_first_of_box(told.getvalue())}; {program} --help tells of the options", 2)
    return None


def _first_of_box(text: str) -> str:
    """Return the error message from a box that tyro draws, and its suggestion if there is one."""
    parts: list[list[str]] = [[]]
    for line in (line.strip("│╭╮╰╯ ") for line in text.splitlines()):
        if line and not line.strip("─-"):
            parts.append([])
        elif line and not line.startswith("─ "):  # the title, where boxes are drawn with lines
            parts[-1].append(line)
    told = [" ".join(part) for part in parts if part][not text.startswith("╭") :]
    meant = [part.split()[3] for part in told if part.startswith("Perhaps you meant: --")]
    return told[0].rstrip(".") + (f" (did you mean {meant[0]}?)" if meant else "")


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
    sys.stderr.write(f"smug: {printable(message)}\n")
    return status
