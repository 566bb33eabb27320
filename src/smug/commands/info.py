"""smug info."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from smug.commands import sources
from smug.commands.common import Command
from smug.commands.facts import facts_of
from smug.system.paths import Input
from smug.system.terminal import say, warn
from smug.system.words import printable


@dataclass(frozen=True)
class Info(Command):
    """Tell what files hold, and what smug would do with them."""

    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """K-space, images, weights, run folders, prepared sets, folders of these, names of shipped models."""
    centre: Literal["checked", "as-stored", "peak"] = "checked"
    """Where k-space has its zero frequency, as for smug reconstruct."""
    slices: Literal["checked", "by-counter", "by-position"] = "checked"
    """Which slice a line of ISMRMRD belongs to, as for smug reconstruct."""

    trajectory: Path | None = None
    """Of non-Cartesian k-space, as for smug reconstruct."""

    def inputs(self) -> Iterator[Input]:
        """Yield the files."""
        yield from sources.files("FILE", self.files)
        if self.trajectory is not None:
            yield from sources.files("--trajectory", [self.trajectory])

    def run(self) -> None:
        """Print what each file is; go on after one that cannot be read."""
        if not self.files:
            raise ValueError("expected a file or a folder")
        found, failed = [], {}
        for path in self.files:
            try:
                facts = facts_of(path, centre=self.centre, slices=self.slices, trajectory=self.trajectory)
            except (ValueError, OSError, MemoryError) as error:
                failed[str(path)] = " ".join(str(error).split())
                warn(f"{path}: {failed[str(path)].removeprefix(f'{path}: ')}")
                continue
            found.append({"file": str(path), **facts})
            say(f"{printable(str(path))}: {facts['kind']}", style="bold")
            for name, value in facts.items():
                for text in value if isinstance(value, list) else [value]:
                    if name != "kind":
                        say(f"  {name}: {text}")
        self.write_json({"schema": "smug-info-1", "files": found, "failed": failed})
        if failed:
            raise ValueError(f"{len(failed)} of {len(self.files)} cannot be used: {', '.join(failed)}")
