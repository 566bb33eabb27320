"""What a command shows while it goes on."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from statistics import fmean
from time import monotonic
from typing import TYPE_CHECKING

from smug.system.terminal import console
from smug.system.words import printable

if TYPE_CHECKING:
    from rich.console import Console

    from smug.training.log import LogEntry

WINDOW = 100
"""The number of updates over which losses, speed and waiting are averaged."""

Report = Callable[["LogEntry"], None]


FIRST, BETWEEN = 10.0, 30.0
"""Where the output is no terminal: seconds until the first line, and at least so many between two lines."""


@contextmanager
def progress(description: str, total: int, *, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """Show progress on the error stream; yield a function to call with the amount of work just done.

    On a terminal it is a bar with the remaining time, elsewhere a line now and then, and nothing where ``quiet``.
    """
    screen = console(stderr=True, quiet=quiet)
    with (_bar if screen.is_interactive else _now_and_then)(screen, description, total) as advance:
        yield advance


@contextmanager
def _bar(screen: "Console", description: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen) as bar:
        task = bar.add_task(printable(description), total=total)
        yield lambda done: bar.advance(task, done)


@contextmanager
def _now_and_then(screen: "Console", description: str, total: int) -> Iterator[Callable[[int], None]]:
    """A line now and then, for files and pipes."""
    began = monotonic()
    finished, due = 0, began + FIRST

    def advance(done: int) -> None:
        nonlocal finished, due
        finished += done
        if (now := monotonic()) >= due and finished:
            due = now + BETWEEN
            elapsed = now - began
            left = elapsed * (total - finished) / finished
            times = f"{duration(elapsed)} elapsed, {duration(left)} left"
            screen.print(printable(f"{description}: {finished} of {total}, {times}"), soft_wrap=True)

    yield advance


@contextmanager
def training_progress(
    description: str, total: int, done: int, *, earlier: Sequence["LogEntry"] = (), quiet: bool = False
) -> Iterator[Report]:
    """Show the progress of training on the error stream; yield a function to call with the log entry of every update.

    On a terminal it is a bar with the losses below, elsewhere a line per validation, and nothing where ``quiet``.
    Of ``total`` updates ``done`` were made before: the time left follows from the speed of those made since.
    ``earlier`` are their entries, for the best validation.
    """
    screen = console(stderr=True, quiet=quiet)
    show = _live if screen.is_interactive else _lines
    began = monotonic()
    recent: deque[LogEntry] = deque(maxlen=WINDOW)
    validations = [entry.validation_psnr for entry in earlier if entry.validation_psnr is not None]
    with show(screen, description, total, done) as shown:

        def report(entry: "LogEntry") -> None:
            recent.append(entry)
            if entry.validation_psnr is not None:
                validations.append(entry.validation_psnr)
            elapsed = monotonic() - began
            left = elapsed * (total - entry.update) / max(1, entry.update - done)
            shown(entry, _status(list(recent), validations), duration(elapsed), duration(left))

        yield report


Show = Callable[["LogEntry", str, str, str], None]
"""Shows ``(entry, status, elapsed, left)``: the log entry, a text, and seconds."""


@contextmanager
def _live(screen: "Console", description: str, total: int, done: int) -> Iterator[Show]:
    """A bar, and the status below it."""
    from rich.console import Group
    from rich.live import Live
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.text import Text

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]} left"),
    )
    bar = Progress(*columns, console=screen)
    task = bar.add_task(description, total=total, completed=done, left="-:--:--")
    with Live(bar, console=screen, refresh_per_second=4) as live:

        def show(entry: "LogEntry", status: str, elapsed: str, left: str) -> None:
            bar.update(task, completed=entry.update, left=left)
            live.update(Group(bar, Text(status)))

        yield show


@contextmanager
def _lines(screen: "Console", description: str, total: int, done: int) -> Iterator[Show]:
    """A line per validation, for files and pipes."""

    def show(entry: "LogEntry", status: str, elapsed: str, left: str) -> None:
        if entry.validation_psnr is not None:
            line = f"{description}: update {entry.update}/{total}, {status}, {elapsed} elapsed, {left} left"
            screen.print(line, soft_wrap=True)

    yield show


def _status(recent: Sequence["LogEntry"], validations: Sequence[float]) -> str:
    from smug.training.log import mean_terms

    parts = [f"{name} {value:.2e}" for name, value in mean_terms(recent).items()]
    if validations:
        parts.append(f"validation PSNR {validations[-1]:.2f} dB (best {max(validations):.2f})")
    parts.append(f"{fmean(entry.samples_per_second for entry in recent):.3g} samples/s")
    parts.append(f"waiting for data {100 * fmean(entry.waiting for entry in recent):.0f} %")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return a time as hours, minutes and seconds."""
    return str(timedelta(seconds=round(seconds)))
