"""smug prepare."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from smug.commands.common import Common, console
from smug.commands.progress import progress

if TYPE_CHECKING:
    from rich.table import Table

    from smug.data.prepared.full_volume import Settings
    from smug.data.prepared.manifest import Manifest

SHOWN = 20
"""How many of the skipped files are listed on the terminal."""


@dataclass(frozen=True)
class Prepare(Common):
    """Make a set to train on and to evaluate with from a folder of volumes; run it again to go on, or to add some."""

    src: Annotated[Path, tyro.conf.Positional]
    """Folder of fully sampled k-space: HDF5 as of fastMRI, ISMRMRD, BART's .cfl; or with --simulate of images."""
    dst: Annotated[Path, tyro.conf.Positional]
    """Folder of the set, for train --config (data.sources) and evaluate --data."""
    simulate: bool = False
    """Simulate k-space from images: NIfTI, PNG, .npy, HDF5."""
    size: int | None = None
    """Matrix size that images are resampled to; by default they stay as they are."""
    coils: int = 4
    """Number of simulated coils."""
    noise: float = 0.01
    """Simulated receiver noise per part, where the maximum of each image is 1."""
    maps: Literal["espirit", "calibration"] = "espirit"
    """Coil maps of measured k-space, from its 24 x 24 central samples: ESPIRiT, or low-resolution images."""
    split: tuple[float, float, float] = (0.8, 0.1, 0.1)
    """Fractions of subjects to train, validate and test with, where the names of folders or files do not say."""
    workers: int | None = None
    """Files at a time; by default as many as there are threads."""

    def run(self) -> None:
        """Prepare and tell what was made."""
        import torch

        from smug.data.prepared.prepare import prepare
        from smug.data.prepared.sources import find_sources

        self.start()
        settings = self._settings()
        workers = torch.get_num_threads() if self.workers is None else self.workers
        if workers < 1:
            raise ValueError(f"--workers: expected at least 1, got {workers}")
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
        self.write_json(
            {"schema": "smug-preparation-1", "sha256": manifest.sha256, "made": done.made, **asdict(manifest)}
        )
        if manifest.skipped:
            console().print(_skipped_table(manifest))
        if not manifest.volumes:
            raise ValueError(f"{self.src}: no volume could be prepared: all {total} files were skipped")
        console().print(_split_table(manifest))
        console().print(
            f"{self.dst}: {len(manifest.volumes)} volumes of {manifest.settings['kspace']} k-space, "
            f"{done.made} made now; {len(manifest.skipped)} files skipped; sha256 {manifest.sha256[:16]}"
        )

    def _settings(self) -> "Settings":
        from smug.data.prepared.full_volume import Settings
        from smug.data.simulate import Acquisition

        if self.coils < 1:
            raise ValueError(f"--coils: expected at least 1, got {self.coils}")
        if self.size is not None and not self.simulate:
            raise ValueError("--size: measured k-space is not resampled; it is for --simulate")
        acquisition = Acquisition(coils=self.coils, noise=self.noise) if self.simulate else None
        return Settings(maps=self.maps, simulate=acquisition, size=self.size)


def _split_table(manifest: "Manifest") -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for name in ("split", "subjects", "volumes", "slices", "coils x matrix"):
        table.add_column(name, justify="left" if name in ("split", "coils x matrix") else "right")
    for split in manifest.splits:
        volumes = manifest.of(split)
        shapes = sorted({f"{v.coils} x {v.matrix[0]} x {v.matrix[1]}" for v in volumes})
        told = ", ".join(shapes[:3]) + (f" and {len(shapes) - 3} more" if len(shapes) > 3 else "")
        counts = (len({v.subject for v in volumes}), len(volumes), sum(len(v.slices) for v in volumes))
        table.add_row(split, *map(str, counts), told)
    return table


def _skipped_table(manifest: "Manifest") -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    more = len(manifest.skipped) - SHOWN
    caption = f"and {more} more, in manifest.json" if more > 0 else None
    table = Table("skipped", "reason", box=box.SIMPLE_HEAD, caption=caption, caption_justify="left")
    for skip in manifest.skipped[:SHOWN]:
        table.add_row(Text(skip.file), Text(skip.reason))
    return table
