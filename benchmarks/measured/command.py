"""python -m benchmarks measured."""

import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from smug.commands import sources
from smug.commands.common import Common
from smug.commands.numbers import Rate, Seed
from smug.commands.places import found_files
from smug.commands.progress import duration, progress
from smug.system.paths import Input, Output
from smug.system.terminal import say, show, warn

if TYPE_CHECKING:
    import torch

    from benchmarks.measured.cases import Case, FullScan
    from benchmarks.measured.rows import Contender, Row

NONE = Path("none")
"""The store that keeps nothing."""


@dataclass(frozen=True)
class Measured(Common):
    """Compare models on measured scans with total variation and CG-SENSE whose lam is the best for every single case.

    Of fully sampled files only some lines are kept, as ``smug reconstruct --undersample`` does. Finished rows are kept,
    so that a run goes on where it was stopped.
    """

    folder: Path | None = None
    """Folder of fully sampled k-space; by default multicoil_kspace in the folder that SMUG_DATA names."""
    files: tuple[str, ...] = ()
    """Only these files of the folder, by name, with or without suffix."""
    models: tuple[str, ...] = ("tv", "cg-sense", "modl", "smug")
    """Names, run folders, weights files or FILE.py:function, as for smug reconstruct --model."""
    accelerations: tuple[Rate, ...] = (3, 4)
    """How many times fewer lines."""
    kinds: tuple[Literal["random", "equispaced"], ...] = ("random", "equispaced")
    """Which lines are kept."""
    seeds: tuple[Seed, ...] = (0, 1, 2, 3, 4)
    """Of the lines, and of what is random in a model."""
    pictures: Path | None = None
    """Folder for a picture of each file: the reference, what is compared, and errors, under the first seed."""
    store: Path | None = None
    """Folder that keeps finished rows; by default one in the user's cache, and with "none" none."""

    @cached_property
    def found(self) -> dict[Path, str]:
        """The files that are asked for, with their names."""
        return chosen(found_files((self.place,), None), self.files)

    @property
    def place(self) -> Path:
        """The folder of k-space."""
        from smug.data.images.sets import data_root

        if self.folder is not None:
            return self.folder
        try:
            return data_root() / "multicoil_kspace"
        except ValueError:
            raise ValueError("--folder: expected a folder of fully sampled k-space, as SMUG_DATA is not set") from None

    def inputs(self) -> Iterator[Input]:
        """Yield k-space and models."""
        yield from sources.files("--folder", self.found)
        yield from sources.files("--models", self.models)

    def outputs(self) -> Iterator[Output]:
        """Yield the document, the pictures and the store."""
        yield from super().outputs()
        if self.pictures is not None:
            yield Output("--pictures", self.pictures, folder=True)
        if self.store is not None and self.store != NONE:
            yield Output("--store", self.store, folder=True)

    def without_effect(self) -> Mapping[str, str]:
        """Return what --seeds says."""
        return {"seed": "--seeds says the seeds of the lines"}

    def check(self, given: Sequence[str] = ()) -> None:
        """Refuse empty and repeated values before anything starts."""
        if not self.place.is_dir():
            raise ValueError(f"--folder: expected a folder of fully sampled k-space, got {self.place}")
        for name in ("models", "accelerations", "kinds", "seeds"):
            values: Sequence[object] = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise ValueError(
                    f"--{name}: expected at least one, each once, got {' '.join(map(str, values)) or 'none'}"
                )
        super().check(given)

    @property
    def command(self) -> str:
        """The command line, as it was typed."""
        return shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])

    def run(self) -> None:
        """Measure, print the tables, write the document and the pictures."""
        import torch

        from benchmarks.measured.rows import ORACLES, Contender
        from benchmarks.measured.summary import ROLES, by_condition, summaries, table
        from benchmarks.run import processor
        from smug.reconstructor import moved
        from smug.system.files import together
        from smug.zoo import load

        device = self.start()
        contenders = [*ORACLES, *(Contender(name, moved(load(name), device)) for name in self.models)]
        scans, left_out = self._scans()
        began, busy = time.perf_counter(), time.process_time()
        rows, fresh = self._rows(scans, contenders, device)
        seconds, processor_seconds = time.perf_counter() - began, time.process_time() - busy
        shown = table(rows, left_out.values())
        show(shown)
        if len({(row.acceleration, row.kind) for row in rows}) > 1:
            show(by_condition(rows))
        told = f"{fresh} of {len(rows)} rows were made now, in {duration(seconds)}"
        say(f"{told} ({duration(processor_seconds)} of processor time, {torch.get_num_threads()} threads).")
        files = {
            name: {"role": ROLES.get(name), "slices": len(scan.volume), "shape": list(scan.volume.kspace[0].shape)}
            for name, scan in scans.items()
        }
        with together():
            self.write_json(
                {
                    "schema": "smug-measured-1",
                    "torch": torch.__version__,
                    "threads": torch.get_num_threads(),
                    "processor": processor(device),
                    "seconds": seconds,
                    "processor_seconds": processor_seconds,
                    "fresh_rows": fresh,
                    "files": files,
                    "left_out": left_out,
                    "summaries": {name or "all": list(map(asdict, parts)) for name, parts in summaries(rows).items()},
                    "rows": list(map(asdict, rows)),
                    "notes": shown.notes,
                }
            )
            if self.pictures is not None:
                self._draw(scans, contenders, rows, device)

    def _scans(self) -> "tuple[dict[str, FullScan], dict[str, str]]":
        """The scans by name, and why others are left out; a file that was asked for by name must be one."""
        from benchmarks.measured.cases import full_scan

        scans, left_out = {}, {}
        for path, name in self.found.items():
            try:
                scans[name] = full_scan(path)
            except ValueError as error:
                if self.files:
                    raise
                left_out[name] = f"{name} is left out: {str(error).removeprefix(f'{path}: ')}"
                warn(left_out[name])
        if not scans:
            raise ValueError(f"{self.place}: expected fully sampled k-space, got none")
        return scans, left_out

    def _cases(self, name: str, scan: "FullScan", seeds: Sequence[int]) -> "Iterator[Case]":
        from benchmarks.measured.cases import Case

        for acceleration in self.accelerations:
            for kind in self.kinds:
                for seed in seeds:
                    yield Case(name, acceleration, kind, seed, scan)

    def _rows(
        self, scans: "Mapping[str, FullScan]", contenders: "Sequence[Contender]", device: "torch.device"
    ) -> "tuple[list[Row], int]":
        """All rows, and how many of them were made anew."""
        from benchmarks.measured.rows import Row, kept, make_row
        from smug.data.prepared.sources import hash_of
        from smug.evaluation.store import cache_folder

        cache = cache_folder()
        folder = (cache and cache / "measured") if self.store is None else None if self.store == NONE else self.store
        if folder is not None:
            say(f"Finished rows are kept in {folder}; --store names another folder, or none.")
        made: list[Row] = []

        def make(case: "Case", contender: "Contender") -> Row:
            made.append(make_row(case, contender, device))
            return made[-1]

        rows = []
        cells = len(scans) * len(self.accelerations) * len(self.kinds) * len(self.seeds) * len(contenders)
        digests = {name: hash_of(path) for path, name in self.found.items()}
        with progress("Measuring", cells) as advance:
            for name, scan in scans.items():
                for case in self._cases(name, scan, self.seeds):
                    for contender in contenders:
                        rows.append(kept(folder, digests[name], case, contender, partial(make, case, contender)))
                        advance(1)
        return rows, len(made)

    def _draw(
        self,
        scans: "Mapping[str, FullScan]",
        contenders: "Sequence[Contender]",
        rows: "Sequence[Row]",
        device: "torch.device",
    ) -> None:
        """A picture of the middle slice of each file."""
        from benchmarks.measured.cases import reconstructed
        from benchmarks.measured.pictures import Strip, picture
        from benchmarks.measured.rows import reconstructor
        from smug.system.figures import write_figure

        known = {(*row.case, row.model): row for row in rows}
        for name, scan in scans.items():
            middle = len(scan.signal) // 2
            strips = []
            for case in self._cases(name, scan, self.seeds[:1]):
                found = {c: known[name, case.acceleration, case.kind, case.seed, c.name] for c in contenders}
                images = {
                    c.name: reconstructed(case, reconstructor(c, row.best), device)[0] for c, row in found.items()
                }
                labels = {c.name: f"{r.scores.psnr:.2f} dB, ghosts {r.scores.ghost:.2f}" for c, r in found.items()}
                title = f"{case.acceleration:g}x {case.kind}, seed {case.seed}"
                strips.append(Strip(title, {model: values[middle] for model, values in images.items()}, labels))
            figure = picture(
                strips, scan.reference[middle], scan.head[middle], geometry=scan.volume.geometry, title=name
            )
            write_figure(Path(str(self.pictures), f"{name}.png"), figure)
            say(f"{self.pictures}/{name}.png: {name} by all")


def chosen(found: Mapping[Path, str], names: Sequence[str]) -> dict[Path, str]:
    """Return the files of these names, all without names; raises ValueError for a name that no file has."""
    if not names:
        return dict(found)
    known = {alias: path for path, name in found.items() for alias in (path.name, name)}
    if missing := [name for name in names if name not in known]:
        raise ValueError(f"--files: expected names of {', '.join(found.values())}, got {missing[0]}")
    return {path: found[path] for path in dict.fromkeys(known[name] for name in names)}
