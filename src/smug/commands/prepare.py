"""smug prepare."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from smug.commands import sources
from smug.commands.common import Command
from smug.commands.numbers import Count, NotNegative, Seed, Share, Size
from smug.commands.progress import progress
from smug.system.paths import Input, Output
from smug.system.table import Column, Table, simple_table
from smug.system.terminal import say, show, warn
from smug.system.words import counted

if TYPE_CHECKING:
    from smug.data.prepared.full_volume import Settings
    from smug.data.prepared.manifest import Manifest

SHOWN = 20
"""How many of the skipped files are listed on the terminal."""


@dataclass(frozen=True)
class Prepare(Command):
    """Make a set to train on and to evaluate with from a folder of volumes; run it again to go on, or to add some."""

    src: Annotated[Path, tyro.conf.Positional]
    """Folder of fully sampled k-space: HDF5 as of fastMRI, ISMRMRD, BART's .cfl; or with --simulate of images."""
    dst: Annotated[Path, tyro.conf.Positional]
    """Folder of the set, for train --config (data.sources) and evaluate --data."""
    simulate: bool = False
    """Simulate k-space from images: NIfTI, PNG, .npy, HDF5."""
    size: Size | None = None
    """Matrix size that images are resampled to; by default they stay as they are."""
    coils: Count = 4
    """Number of simulated coils."""
    noise: NotNegative = 0.01
    """Simulated receiver noise per part, where the maximum of each image is 1."""
    maps: Literal["espirit", "calibration"] = "espirit"
    """Coil maps of measured k-space, from its 24 x 24 central samples: ESPIRiT, or low-resolution images."""
    split: tuple[Share, Share, Share] = (0.8, 0.1, 0.1)
    """Fractions of subjects to train, validate and test with, where the names of folders or files do not say."""
    workers: Count | None = None
    """Files at a time, each on one thread; by default as many as there are CPU cores for torch."""
    seed: Seed = field(default=0, kw_only=True)
    """Seed of the splits."""

    def inputs(self) -> Iterator[Input]:
        """Yield the files of the source folder."""
        from smug.data.prepared.sources import find_sources

        found = find_sources(self.src, images=self.simulate)
        yield from sources.files("SRC", (self.src / file for file in found))

    def outputs(self) -> Iterator[Output]:
        """Yield the set."""
        yield from super().outputs()
        yield Output("DST", self.dst, folder=True)
        yield Output("DST", self.dst / "volumes", folder=True)
        yield Output("DST", self.dst / "manifest.json")

    def without_effect(self) -> Mapping[str, str]:
        """Return the options of the other kind of set."""
        if self.simulate:
            return {"maps": "simulated scans have the maps that they are simulated with"}
        return {"size": "measured k-space is not resampled; it is for --simulate"} | dict.fromkeys(
            ("coils", "noise"), "measured k-space has its own; it is for --simulate"
        )

    def run(self) -> None:
        """Prepare and tell what was made."""
        import torch

        from smug.data.prepared.prepare import prepare
        from smug.data.prepared.sources import find_sources

        settings = self._settings()
        workers = self.workers or torch.get_num_threads()
        total = len(find_sources(self.src, images=self.simulate))
        with progress("Preparing", total) as advance:
            done = prepare(
                self.src,
                self.dst,
                settings,
                fractions=self.split,
                seed=self.seed,
                workers=workers,
                advance=advance,
            )
        manifest = done.manifest
        for sentence in done.warnings:
            warn(sentence)
        found = {"sha256": manifest.sha256, "made": done.made, "warnings": done.warnings, **asdict(manifest)}
        self.write_json({"schema": "smug-preparation-1", **found})
        if manifest.skipped:
            show(_skipped_table(manifest))
        if not manifest.volumes:
            raise ValueError(f"{self.src}: no volume could be prepared: {counted(total, 'file')} skipped")
        show(_split_table(manifest))
        say(
            f"{self.dst}: {counted(len(manifest.volumes), 'volume')} of {manifest.settings['kspace']} k-space, "
            f"{done.made} made now; {counted(len(manifest.skipped), 'file')} skipped; sha256 {manifest.sha256[:16]}"
        )

    def _settings(self) -> "Settings":
        from smug.data.prepared.full_volume import Settings
        from smug.data.simulate import Acquisition

        acquisition = Acquisition(coils=self.coils, noise=self.noise) if self.simulate else None
        return Settings(maps=self.maps, simulate=acquisition, size=self.size)


def _split_table(manifest: "Manifest") -> Table:
    columns: list[str | Column] = ["split", "subjects", "volumes", "slices", Column("coils x matrix", align="left")]
    rows = []
    for split in manifest.splits:
        volumes = manifest.of(split)
        shapes = sorted({f"{v.coils} x {v.matrix[0]} x {v.matrix[1]}" for v in volumes})
        told = ", ".join(shapes[:3]) + (f" and {len(shapes) - 3} more" if len(shapes) > 3 else "")
        counts = (len({v.subject for v in volumes}), len(volumes), sum(len(v.slices) for v in volumes))
        rows.append([split, *map(str, counts), told])
    return simple_table(columns, rows)


def _skipped_table(manifest: "Manifest") -> Table:
    more = len(manifest.skipped) - SHOWN
    rows = [(skip.file, skip.reason) for skip in manifest.skipped[:SHOWN]]
    note = f"and {more} more, in manifest.json" if more > 0 else ""
    return simple_table(["skipped", Column("reason", align="left")], rows, notes=[note])
