"""Files that are whole or not there."""

import errno
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LOCK = ".lock"
"""The file by which a process says that it works in a folder."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Have ``write`` fill a temporary file beside ``path`` (same suffix), then put it in the place of ``path``.

    Missing folders are made. On failure the temporary file is removed and an older ``path`` stays as it was. What is
    no ordinary file (``/dev/stdout``, a link) cannot be replaced and is written directly. Raises OSError, with the
    path and the reason, where the system refuses: a full disk, no permission.
    """
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            write(path)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
        try:
            write(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = f"could not write {path}: {error.strerror or error}"
        raise OSError(error.errno or errno.EIO, reason) from error


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, whole or not at all: see :func:`write_atomically`."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write strict JSON, whole or not at all; raises ValueError for NaN and infinity, which JSON does not have."""
    write_text(path, json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


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
