"""The log of a run: one row of numbers per update, in a CSV file that a killed process leaves readable."""

import errno
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from os import SEEK_END
from pathlib import Path
from statistics import fmean
from types import TracebackType
from typing import BinaryIO, Self

from smug.system.files import write_atomically

LOG = "log.csv"

LEADING = ("update", "loss")
TRAILING = ("learning_rate", "gradient_norm", "samples_per_second", "seconds", "waiting", "validation_psnr_db")
"""The columns before and after those of the loss terms."""

LONGEST = 4096
"""Lines of a log are shorter than this many bytes: another huge file is refused before it fills the memory."""


@dataclass(frozen=True)
class LogEntry:
    """What one update was like.

    ``terms`` are those that the loss is the sum of, ``gradient_norm`` is the gradient's l2 norm before clipping,
    ``seconds`` is the time since the run began, summed over its sessions, and ``waiting`` the share of the update's
    time, 0 to 1, in which its batch was waited for. ``validation_psnr`` is in dB, None where nothing was validated.
    """

    update: int
    terms: Mapping[str, float]
    learning_rate: float
    gradient_norm: float
    samples_per_second: float
    seconds: float
    waiting: float
    validation_psnr: float | None = None

    @property
    def loss(self) -> float:
        """The sum of the terms."""
        return float(sum(self.terms.values()))


def mean_terms(entries: Sequence[LogEntry]) -> dict[str, float]:
    """Return the mean of every loss term over at least one update."""
    return {name: fmean(entry.terms[name] for entry in entries) for name in entries[0].terms}


class RunLog:
    """A log that is being written. Every row is in the file when :meth:`write` returns."""

    def __init__(self, path: Path, terms: Sequence[str], file: BinaryIO) -> None:
        self.path, self.terms, self._file = path, tuple(terms), file

    @classmethod
    def open(cls, path: Path, terms: Sequence[str], after: int = 0) -> Self:
        """Keep the rows of ``path`` up to the update ``after`` and append to them; where there is no file, make one.

        Raises ValueError where ``path`` holds anything else than a log with these terms, and OSError.
        """
        entries = _read(path, terms) if path.is_file() else ()
        rows = [_row(entry, terms) for entry in entries if entry.update <= after]
        content = b"".join([_header(terms), *rows])
        write_atomically(path, lambda temporary: temporary.write_bytes(content))
        return cls(path, terms, path.open("ab", buffering=0))

    def write(self, entry: LogEntry) -> None:
        """Append a row. Raises OSError, with the path, where the disk is full; the file then stays as it was."""
        row = memoryview(_row(entry, self.terms))
        end = self._file.seek(0, SEEK_END)
        try:
            while row:  # a disk that is nearly full takes part of it
                row = row[self._file.write(row) :]
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(end)
            reason = f"could not write {self.path}: {error.strerror or error}"
            raise OSError(error.errno or errno.EIO, reason) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_log(path: Path) -> list[LogEntry]:
    """Read a log; a last row that was cut off while it was written is left out.

    Raises FileNotFoundError, and ValueError for what is no log, or a damaged one.
    """
    return list(_read(path))


def _header(terms: Sequence[str]) -> bytes:
    for name in terms:
        if not (name.isascii() and name.isidentifier()) or name in (*LEADING, *TRAILING):
            raise ValueError(f"log: expected loss terms named by words that are no other column, got {name!r}")
    return (",".join([*LEADING, *terms, *TRAILING]) + "\n").encode()


def _row(entry: LogEntry, terms: Sequence[str]) -> bytes:
    if entry.terms.keys() != set(terms):
        raise ValueError(f"log: expected the loss terms {', '.join(terms)}, got {', '.join(entry.terms)}")
    numbers = (
        entry.loss,
        *(entry.terms[name] for name in terms),
        entry.learning_rate,
        entry.gradient_norm,
        entry.samples_per_second,
        entry.seconds,
        entry.waiting,
    )
    quality = "" if entry.validation_psnr is None else repr(float(entry.validation_psnr))
    # repr is the shortest text that reads as the same number.
    return (",".join([str(entry.update), *(repr(float(n)) for n in numbers), quality]) + "\n").encode()


def _read(path: Path, expected: Sequence[str] | None = None) -> Iterator[LogEntry]:
    """Yield the entries of a log; of one that has the ``expected`` terms, where they are given."""
    start = ",".join(LEADING).encode()
    terms: tuple[str, ...] = ()
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(LONGEST), b""), 1):
            if not line.endswith(b"\n"):  # it was being written when the process ended
                if len(line) == LONGEST or (number == 1 and not start.startswith(line[: len(start)])):
                    raise _not_the_log(path, number, line)
                return
            try:
                if number > 1:
                    yield _entry(line, terms)
                else:
                    terms = _terms(line, expected)
            except ValueError:
                raise _not_the_log(path, number, line) from None


def _terms(header: bytes, expected: Sequence[str] | None) -> tuple[str, ...]:
    """Return the terms that a header names; raises ValueError where it is none, or has others than expected."""
    terms = tuple(header.decode("ascii").rstrip("\n").split(",")[len(LEADING) : -len(TRAILING)])
    if header != _header(terms if expected is None else expected):
        raise ValueError
    return terms


def _entry(row: bytes, terms: Sequence[str]) -> LogEntry:
    """Return the entry of a row; raises ValueError where it is none."""
    update, _, *cells, quality = row.decode("ascii").rstrip("\n").split(",")
    numbers = [float(cell) for cell in cells]
    learning_rate, gradient_norm, samples_per_second, seconds, waiting = numbers[len(terms) :]
    return LogEntry(
        int(update),
        dict(zip(terms, numbers, strict=False)),
        learning_rate,
        gradient_norm,
        samples_per_second,
        seconds,
        waiting,
        float(quality) if quality else None,
    )


def _not_the_log(path: Path, number: int, line: bytes) -> ValueError:
    text = line[:60].decode("ascii", errors="replace").rstrip("\n")
    return ValueError(
        f"{path}: not the log of this run, or a damaged one: its line {number} is {text!r}"
        f"{'…' if len(line) > len(text) + 1 else ''}; move it away to start a new one"
    )
