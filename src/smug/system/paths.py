"""Where a command reads and writes, checked before it starts: nothing that it needs is overwritten."""

import errno
import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from smug.system.files import is_stream, temporary_name


@dataclass(frozen=True)
class Input:
    """A file that a command reads, and the option that names it."""

    option: str
    path: Path


@dataclass(frozen=True)
class Output:
    """A file that a command writes, and the option that names it or its folder.

    ``suffixes`` are what its name may end in, any if there are none. A ``folder`` gets files of any names.
    """

    option: str
    path: Path
    suffixes: tuple[str, ...] = ()
    folder: bool = False


def check_paths(inputs: Iterable[Input], outputs: Sequence[Output]) -> None:
    """Refuse outputs that would overwrite an input or each other, or that cannot be written.

    Two paths are the same file through links, ``..``, and names that differ in case alone (which some file systems do
    not tell apart). Devices and pipes may be named twice. Raises ValueError in one sentence, and OSError where the
    system refuses to write.
    """
    places = [(output, _place(output.path)) for output in outputs if not is_stream(output.path)]
    for output, _ in places:
        _check_kind(output)
    sources = [(each, _place(each.path)) for each in inputs]
    for i, (output, place) in enumerate(places):
        for given, source in sources:
            if not output.folder and _same(output.path, place, given.path, source):
                raise ValueError(f"{_told(output)}: is the input {_told(given)}; choose another name")
        for other, there in places[:i]:
            if not output.folder and not other.folder and _same(output.path, place, other.path, there):
                raise ValueError(f"{_told(output)}: is the output {_told(other)} too; choose another name")
            for inner, outer in ((output, other), (other, output)):
                if not outer.folder and _holds(_place(outer.path), _place(inner.path), folder=inner.folder):
                    raise ValueError(f"{_told(inner)}: expected a name outside {_told(outer)}, which is to be a file")
    for output, _ in places:
        _check_writable(output)


def _told(named: Input | Output) -> str:
    return f"{named.option} {named.path}"


def _place(path: Path) -> str:
    """The path without links and ``..``, in one spelling for names that differ in case or composed characters."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", os.path.realpath(path)).casefold())


def _holds(outer: str, inner: str, *, folder: bool) -> bool:
    """Whether ``outer`` would have to be a folder for ``inner`` to be written."""
    return (folder and outer == inner) or Path(outer) in Path(inner).parents


def _same(one: Path, place: str, other: Path, there: str) -> bool:
    if place == there:
        return True
    try:
        return one.samefile(other)  # a hard link
    except OSError:
        return False


def _check_kind(output: Output) -> None:
    path = output.path
    if output.folder:
        if path.exists() and not path.is_dir():
            raise ValueError(f"{_told(output)}: expected a folder, got a file")
        return
    if path.is_dir():
        raise ValueError(f"{_told(output)}: expected the name of a file, got a folder")
    if output.suffixes and not path.name.lower().endswith(output.suffixes):
        listed = ", ".join(output.suffixes)
        raise ValueError(f"{_told(output)}: expected a file name that ends in one of {listed}")


def _check_writable(output: Output) -> None:
    """Raise OSError unless an output can be written: make and remove a file in its innermost folder that exists."""
    path = Path(os.path.realpath(output.path))
    folder = path if output.folder else path.parent
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        if not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{there} is a file, not a folder")
        if path.is_file() and not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, "the file is there and is write-protected")
        probe = temporary_name(path if there == path.parent else there / "smug")
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise OSError(error.errno, f"{_told(output)}: cannot be written: {error.strerror}") from None
