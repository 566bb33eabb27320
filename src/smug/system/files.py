"""Files that are whole or not there, alone and several together."""

import errno
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

LOCK = ".lock"
"""The file by which a process says that it works in a folder."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Have ``write`` fill a temporary file beside ``path`` (same suffix), then put it in the place of ``path``.

    Missing folders are made. On failure the temporary file and new folders are removed, and an older ``path`` stays as
    it was. A link stays a link: the file that it leads to is replaced. What is no ordinary file (``/dev/stdout``) is
    written to at the end. Inside :func:`together` the file takes its place when all others can. Raises OSError, with
    the path and the reason, where the system refuses: a full disk, no permission.
    """
    with together() as staged, _named(path):
        write(staged.temporary(path))


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, whole or not at all: see :func:`write_atomically`."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write strict JSON, whole or not at all; raises ValueError for NaN and infinity, which JSON does not have.

    What of names of files is no text is escaped.
    """
    content = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_text(path, content.encode(errors="backslashreplace").decode())


@contextmanager
def together() -> Iterator["Staged"]:
    """Let all files that are written inside appear at the end, together, or none of them after an error.

    Where one cannot be put in its place, those before it are taken back. One ``together`` inside another belongs to
    the outer one; another thread is not part of it.
    """
    if (outer := _STAGED.get()) is not None:
        yield outer
        return
    staged = Staged()
    token = _STAGED.set(staged)
    try:
        yield staged
        staged.take_places()
    except BaseException:
        staged.remove_temporary()
        for folder in staged.new_folders:
            with suppress(OSError):  # somebody else has put something there
                folder.rmdir()
        raise
    finally:
        _STAGED.reset(token)
        staged.remove_temporary()


@dataclass(frozen=True)
class Staged:
    """Files that wait to take their places, by place; those for devices and pipes apart, as these cannot be replaced.

    ``new_folders`` are those that were made for them, the innermost first.
    """

    files: dict[Path, Path] = field(default_factory=dict)
    streams: dict[Path, Path] = field(default_factory=dict)
    new_folders: list[Path] = field(default_factory=list)

    def temporary(self, path: Path) -> Path:
        """Return the temporary file that waits for the place of ``path``; raises OSError where there can be none."""
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if is_stream(path):
            folder = Path(tempfile.mkdtemp())
            self.streams[path] = folder / path.name
            return self.streams[path]
        place = Path(os.path.realpath(path)) if path.is_symlink() else path
        self.new_folders[:0] = [folder for folder in place.parents if not folder.exists()]
        place.parent.mkdir(parents=True, exist_ok=True)
        self.files[place] = temporary_name(place)
        return self.files[place]

    def take_places(self) -> None:
        """Move every file to its place; raises OSError, with all places as they were before, if one cannot be."""
        for path, file in self.streams.items():
            with _named(path), file.open("rb") as source, _opened(path) as target:
                shutil.copyfileobj(source, target)
        moved: dict[Path, Path | None] = {}
        try:
            for path, file in self.files.items():
                with _named(path):
                    moved[path] = _kept(path)
                    file.replace(path)
        except BaseException:
            for path, older in moved.items():
                if older is not None:
                    older.replace(path)
                elif not self.files[path].exists():  # it has left for a place that was empty
                    path.unlink(missing_ok=True)
            raise
        finally:
            for older in filter(None, moved.values()):
                older.unlink(missing_ok=True)

    def remove_temporary(self) -> None:
        """Remove the files that wait."""
        for file in (*self.files.values(), *self.streams.values()):
            file.unlink(missing_ok=True)
        for file in self.streams.values():
            with suppress(OSError):
                file.parent.rmdir()


_STAGED: ContextVar[Staged | None] = ContextVar("staged", default=None)


def is_stream(path: Path) -> bool:
    """Tell whether a path is a device, a pipe or this process's own output, which is written to and never replaced."""
    if not path.exists() or path.is_dir():
        return False
    return not path.is_file() or path.absolute().as_posix().startswith(("/dev/std", "/dev/fd/", "/proc/"))


OWN_OUTPUT = re.compile(r"(?:/dev|/proc/self)/fd/(\d+)|/dev/std(in|out|err)")
"""The names by which a process finds the files that it has open already."""


def _opened(path: Path) -> IO[bytes]:
    """Open a device or pipe for writing; this process's own output goes on where it stands.

    By redirection that may be a file, which would be emptied if it were opened again.
    """
    own = OWN_OUTPUT.fullmatch(path.absolute().as_posix())
    if own is None:
        return path.open("wb")
    return os.fdopen(os.dup(int(own[1] or ("in", "out", "err").index(own[2]))), "wb")


def temporary_name(path: Path) -> Path:
    """Return the file beside ``path`` that is written before it takes the place."""
    return path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")


def _kept(path: Path) -> Path | None:
    """A second name for what is at ``path`` now, so that it can come back."""
    if not path.exists():
        return None
    kept = path.with_name(f".{path.stem}.{os.getpid()}.older{path.suffix}")
    kept.unlink(missing_ok=True)
    try:
        os.link(path, kept)
    except OSError:  # a file system without links
        shutil.copy2(path, kept)
    return kept


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say in an OSError which file could not be written, and why."""
    try:
        yield
    except OSError as error:
        if (message := str(error)).startswith("could not write "):
            raise
        raise OSError(error.errno or errno.EIO, f"could not write {path}: {error.strerror or message}") from error


@contextmanager
def locked(folder: Path, refusal: str) -> Iterator[None]:
    """Hold the lock of a folder, made where it is missing; it ends with the process.

    Raises ValueError, with the ``refusal``, where another process holds it. Where there are no locks, do without.
    """
    path = folder / LOCK
    try:
        import fcntl

        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except (ImportError, OSError):  # if nobody can write there, what is written next says so
        yield
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(refusal) from None
        except OSError:  # a file system without locks
            pass
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
