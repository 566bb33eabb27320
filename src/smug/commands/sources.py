"""Which files the arguments of options stand for: models, data sets, folders."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from smug.system.paths import Input

READ = (".h5", ".hdf5", ".mrd", ".cfl", ".hdr", ".safetensors", ".toml")
"""Endings of the files in a folder that may be read with it."""

NOTES = ("manifest.json", "config.json", "run.json", "log.csv")
"""Other files of prepared sets and runs."""


def files(option: str, names: Iterable[str | Path]) -> Iterator[Input]:
    """Yield the existing files that names stand for, such as ``RUN@FILE.py:function``, folders and BART's pairs."""
    for name in map(str, names):
        for part in {name, *name.split("@")}:
            path = Path(part.rpartition(":")[0] if ".py:" in part else part)
            yield from (Input(option, file) for file in _behind(path))


def data(option: str, source: str, root: Path | None) -> Iterator[Input]:
    """Yield the files of a set of images or scans."""
    from smug.data.images.sets import SETS, data_root

    if source == "phantom":
        return
    if source not in SETS:
        yield from files(option, [source])
        return
    try:
        yield from files(option, [data_root(root) / SETS[source]])
    except ValueError:  # the command says so
        return


def without_effect(source: str, *simulated: str) -> dict[str, str]:
    """Return which options do not matter for a source of scans, and why: those of simulation, and the data root."""
    from smug.data.images.sets import SETS
    from smug.data.prepared.set import is_prepared

    root = {} if source in SETS else {"data_root": f"{source!r} is not an image set of {', '.join(SETS)}"}
    if not is_prepared(source):
        return root
    return root | dict.fromkeys(simulated, f"{source!r} is a prepared set and has its own")


def _behind(path: Path) -> Iterator[Path]:
    if path.is_dir():
        for folder in (path, path / "volumes"):
            inside = sorted(folder.iterdir()) if folder.is_dir() else []
            yield from (file for file in inside if file.name in NOTES or file.name.lower().endswith(READ))
    elif path.suffix in (".cfl", ".hdr"):
        yield from (path.with_suffix(suffix) for suffix in (".cfl", ".hdr"))
    elif path.is_file():
        yield path
