"""The manifest of a prepared set: which volumes it holds, in which split, and what was left out and why."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from smug.data.prepared.splits import SPLITS
from smug.system.files import write_json

MANIFEST = "manifest.json"
SCHEMA = "smug-prepared-1"

AGAIN = "smug prepare makes it again"
"""The end of every error about an incomplete set."""


@dataclass(frozen=True)
class Origin:
    """The state of a source file, to notice changes: its size in bytes, and when it was last written to."""

    size: int
    changed_ns: int


@dataclass(frozen=True)
class Entry:
    """A prepared volume: its ``file``, whom it shows, the names of its slices and what they are like.

    ``scale`` is that of :func:`smug.reconstruction.volume_scale`. ``sha256`` is the hash of what is in the file, not of
    its bytes; ``source`` is the file that it comes from, below the source folder.
    """

    file: str
    subject: str
    slices: tuple[str, ...]
    matrix: tuple[int, int]
    coils: int
    encoded_lines: int
    scale: float
    sha256: str
    source: str
    source_sha256: str


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, and why. Without an ``origin`` it is tried again, though it has not changed."""

    file: str
    reason: str
    origin: Origin | None = None


@dataclass(frozen=True)
class Manifest:
    """What a prepared set holds. ``splits`` are names of files; ``settings`` is what made them, ``assignment`` how."""

    version: str
    settings: Mapping[str, Any]
    assignment: Mapping[str, Any]
    splits: Mapping[str, tuple[str, ...]]
    volumes: tuple[Entry, ...]
    skipped: tuple[Skipped, ...] = ()

    @property
    def sha256(self) -> str:
        """The hash of the whole set: of the contents of its volumes, by split."""
        contents = {volume.file: volume.sha256 for volume in self.volumes}
        parts = [SCHEMA, *(f"{split} {f} {contents[f]}" for split in SPLITS for f in sorted(self.splits[split]))]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def of(self, split: str) -> tuple[Entry, ...]:
        """Return the volumes of a split."""
        files = set(self.splits[split])
        return tuple(volume for volume in self.volumes if volume.file in files)

    def write(self, folder: Path) -> None:
        """Write ``manifest.json``, whole or not at all."""
        write_json(folder / MANIFEST, {"schema": SCHEMA, "sha256": self.sha256, **asdict(self)})

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read ``manifest.json``.

        Raises FileNotFoundError where there is none, and ValueError for one that was changed by hand or is of another
        schema.
        """
        path = folder / MANIFEST
        if not path.is_file():
            raise FileNotFoundError(f"{folder}: not a prepared set, or not a whole one: no {MANIFEST}; {AGAIN}")
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            schema = document["schema"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise ValueError(f"{path}: not the manifest of a prepared set; {AGAIN}") from None
        if schema != SCHEMA:
            raise ValueError(f"{path}: expected schema {SCHEMA}, got {str(schema)[:40]!r}; {AGAIN}")
        try:
            found = cls._from(document)
            whole = found.sha256 == document["sha256"]
        except (ValueError, TypeError, KeyError, AttributeError):
            whole = False
        if not whole:
            raise ValueError(f"{path}: its contents do not fit its sha256: it was changed by hand, or damaged; {AGAIN}")
        return found

    @classmethod
    def _from(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            version=str(document["version"]),
            settings=dict(document["settings"]),
            assignment=dict(document["assignment"]),
            splits={split: tuple(map(file_name, document["splits"][split])) for split in SPLITS},
            volumes=tuple(map(entry, document["volumes"])),
            skipped=tuple(_skipped(values) for values in document["skipped"]),
        )


def entry(values: Mapping[str, Any]) -> Entry:
    """Return an entry from plain values; raises ValueError, TypeError or KeyError for anything else."""
    height, width = values["matrix"]
    return Entry(
        file=file_name(values["file"]),
        subject=str(values["subject"]),
        slices=tuple(map(str, values["slices"])),
        matrix=(int(height), int(width)),
        coils=int(values["coils"]),
        encoded_lines=int(values["encoded_lines"]),
        scale=float(values["scale"]),
        sha256=str(values["sha256"]),
        source=str(values["source"]),
        source_sha256=str(values["source_sha256"]),
    )


def file_name(value: Any) -> str:
    """Return the name of a volume's file; raises ValueError for what would be in another folder."""
    name = str(value)
    if name != Path(name).name or name.startswith(".") or "\\" in name or Path(name).suffix != ".h5":
        raise ValueError(f"expected the name of a prepared volume, got {name!r}")
    return name


def _skipped(values: Mapping[str, Any]) -> Skipped:
    origin = values["origin"]
    return Skipped(str(values["file"]), str(values["reason"]), None if origin is None else Origin(**origin))
