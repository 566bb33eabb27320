"""What is said to people on the terminal. Names come from anywhere: no text is ever read as markup."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING, TextIO

from smug.system.table import PLAIN_WIDTH
from smug.system.words import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

HERE = Path(__file__).parents[1]
"""The folder of the library."""


@cache
def _patient() -> type["Console"]:
    """Return a terminal that goes on without its reader, such as ``head``: the work is not lost."""
    from rich.console import Console

    class Patient(Console):
        def on_broken_pipe(self) -> None:
            self.quiet = True
            _abandon(self.file)

    return Patient


def _abandon(stream: IO[str]) -> None:
    """Let a stream that nobody reads any more take everything."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def console(*, stderr: bool = False, quiet: bool = False) -> "Console":
    """Return the terminal, or one that shows nothing; square brackets and colons stay what they are."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PLAIN_WIDTH
    return _patient()(stderr=stderr, quiet=quiet, width=width, markup=False, emoji=False, highlight=False)


def say(text: str, *, style: str | None = None, quiet: bool = False) -> None:
    """Print a line, in a style such as "bold"; it is not broken where the output is no terminal."""
    screen = console(quiet=quiet)
    screen.print("\n".join(map(printable, text.splitlines())), style=style, soft_wrap=not screen.is_terminal)


def show(table: "RenderableType", *, quiet: bool = False) -> None:
    """Print a table."""
    console(quiet=quiet).print(table)


def warn(text: str, *, quiet: bool = False) -> None:
    """Print one line that begins with ``Warning:``."""
    from rich.text import Text

    screen = console(quiet=quiet)
    line = Text.assemble(("Warning:", "yellow"), " ", printable(" ".join(text.split())))
    screen.print(line, soft_wrap=not screen.is_terminal)


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Print what this library warns of by :mod:`warnings` as :func:`warn` does; that of others as Python does."""
    shown = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if Path(filename).is_relative_to(HERE):
            warn(str(message))
        else:
            shown(message, category, filename, lineno, file, line)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


@contextmanager
def forgiving_streams() -> Iterator[None]:
    """Let the streams of this process print any name, also one that their encoding does not have.

    Without it, a message about a file called ``σ.h5`` ends in an error where the language of the system is C. A stream
    that was closed takes everything; where the reader of a help text leaves, such as ``head``, it ends in good order;
    where the disk is full, in one line and with exit status 2.
    """
    with ExitStack() as stack:
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:
                setattr(sys, name, stack.enter_context(Path(os.devnull).open("w")))
                stack.callback(setattr, sys, name, None)
            stream = getattr(sys, name)
            if isinstance(stream, TextIOWrapper):
                stack.callback(stream.reconfigure, errors=stream.errors)
                stream.reconfigure(errors="backslashreplace")
        try:
            try:
                yield
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            _abandon(sys.stdout)
            sys.exit(0)
        except OSError as error:
            _abandon(sys.stdout)
            sys.stderr.write(f"smug: what is printed could not be written: {error.strerror}\n")
            sys.exit(2)
