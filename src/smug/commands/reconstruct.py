"""smug reconstruct."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from smug.commands import sources
from smug.commands.common import Common
from smug.commands.numbers import Count, Positive, Rate, Share, Within
from smug.commands.places import Places, found_files
from smug.commands.volumes import Order, certified_line, reconstruct_file, summary_line
from smug.system.files import together
from smug.system.paths import Input, Output
from smug.system.terminal import say, warn

if TYPE_CHECKING:
    from smug.reconstructor import Reconstructor

DEFAULT_MODEL = "ridge"


@dataclass(frozen=True)
class Reconstruct(Common):
    """Reconstruct measured k-space, with coil maps from its own calibration lines.

    Of several files, one that cannot be reconstructed does not stop the others. Several models are compared in a
    picture.
    """

    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """K-space, files or folders of them: HDF5 as of fastMRI, ISMRMRD, or BART's .cfl with its .hdr."""
    model: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = field(default=())
    """A name that smug models lists, a run folder, a weights file, or FILE.py:function; may be repeated. By default
    ridge, a learned regulariser for any matrix, coils and sampling."""
    out: Path | None = None
    """Output in the units of the input: .h5, .nii, .nii.gz, or .png to look at; by default reconstruction.h5. For
    several files or models a folder, by default reconstructions, with files named after the inputs."""
    format: Literal["h5", "nii", "nii.gz", "png"] = "h5"
    """Of the files in a folder --out."""
    centre: Literal["checked", "as-stored", "peak"] = "checked"
    """Where k-space has its zero frequency: where the file says, unless its energy contradicts that; there in any case;
    or where its energy peaks."""
    slices: Literal["checked", "by-counter", "by-position"] = "checked"
    """Which slice a line of ISMRMRD belongs to: what its counter says, unless positions contradict that; in any case;
    or what its position says."""
    trajectory: Path | None = None
    """Of non-Cartesian k-space of BART, radial or spiral: a .cfl of 3 x samples x spokes, in units of 1 / field of
    view, for k-space of 1 x samples x spokes x coils. Files of ISMRMRD hold their own."""
    undersample: Rate | None = None
    """Keep only some lines of fully sampled data, by this factor; then PSNR and SSIM are printed."""
    lines: Literal["random", "equispaced", "fastmri"] = "random"
    """Which lines --undersample keeps; fastmri: those of fastMRI's code for a file of this name."""
    center_fraction: Share | None = None
    """Fraction of fully sampled central lines that --undersample keeps; by default 8 % up to 5x, 4 % above."""
    noise_sigma: Positive | None = None
    """Receiver noise per part of k-space, by default that of the file's noise scan; adds "noise_std", its map."""
    replicas: Annotated[int, Within(0, 2**20)] | None = None
    """Noise replicas that the map is made of, each as long as a reconstruction, by default 32; 0 for no map."""
    batch: Count = 1
    """Slices at a time."""
    coils: Count | None = None
    """Compress the coils to so many virtual ones first; what that loses is told. By default only where a network was
    trained on fewer coils, and it loses at most 1 % of the energy."""
    maps_figure: Path | None = None
    """Also draw the coil maps of the middle slice and how well they explain the data: .png, .pdf or .svg."""

    def inputs(self) -> Iterator[Input]:
        """Yield k-space and models."""
        yield from sources.files("FILE", self.found)
        yield from sources.files("--model", self.model)
        if self.trajectory is not None:
            yield from sources.files("--trajectory", [self.trajectory])

    def outputs(self) -> Iterator[Output]:
        """Yield the images, their noise maps, and pictures."""
        from smug.data.images.write import FORMATS
        from smug.system.figures import NOTES

        yield from super().outputs()
        if self.maps_figure is not None:
            yield Output("--maps-figure", self.maps_figure, tuple(NOTES))
        if self.in_folder:
            yield Output("--out", self.places.out, folder=True)
        for file in self.found:
            for path in self.places.of(file, noise=self.replicas != 0):
                yield Output("--out", path, () if path.name.endswith("-comparison.png") else FORMATS)

    def without_effect(self) -> Mapping[str, str]:
        """Return what belongs to an option that is not there."""
        unused: dict[str, str] = {}
        if self.trajectory is not None:
            cartesian = ("centre", "slices", "undersample", "lines", "center_fraction", "maps_figure", "coils")
            unused |= dict.fromkeys(cartesian, "it is for Cartesian k-space, which has no --trajectory")
        elif self.undersample is None:
            unused |= dict.fromkeys(("lines", "center_fraction"), "it is for --undersample")
        if self.replicas == 0:
            unused["noise_sigma"] = "--replicas 0 makes no noise map"
        if not self.in_folder:
            unused["format"] = "the name of --out says the format"
        if len(self.found) > 1:
            unused["maps_figure"] = "it is for one file"
        return unused

    def check(self, given: Sequence[str] = ()) -> None:
        """Refuse what can be refused before anything starts."""
        if not self.files:
            raise ValueError("expected a file of k-space, or a folder of them")
        if self.replicas == 1:
            raise ValueError("--replicas: expected at least 2, or 0 for no map, got 1")
        super().check(given)

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models."""
        return self.model or (DEFAULT_MODEL,)

    @cached_property
    def found(self) -> dict[Path, str]:
        """The files, and what their outputs are called in a folder."""
        return found_files(self.files, self.out)

    @property
    def in_folder(self) -> bool:
        """Whether ``--out`` is a folder."""
        several = len(self.found) > 1 or len(self.models) > 1 or any(path.is_dir() for path in self.files)
        return several or (self.out is not None and self.out.is_dir())

    @property
    def places(self) -> Places:
        """Where the outputs go."""
        out = self.out or Path("reconstructions" if self.in_folder else "reconstruction.h5")
        return Places(out, self.found if self.in_folder else None, self.models, self.format)

    def run(self) -> None:
        """Reconstruct and write, file after file."""
        order = self._order()
        if len(self.found) == 1:
            self._one(next(iter(self.found)), order, write_json=True)
            return
        records: list[dict[str, Any]] = []
        failed: dict[str, str] = {}
        for file in self.found:
            try:
                records += self._one(file, order)
            except Exception as error:  # a model may raise anything, and the other files are as good as before
                failed[str(file)] = " ".join(str(error).split()) or type(error).__name__
                warn(f"{file} is left out: {failed[str(file)].removeprefix(f'{file}: ')}")
        self.write_json(self._document(records, failed))
        if failed:
            raise ValueError(f"{len(failed)} of {len(self.found)} files left out: {', '.join(failed)}")

    def _one(self, file: Path, order: Order, *, write_json: bool = False) -> list[dict[str, Any]]:
        """All outputs of a file appear together, and are told of when they are there."""
        with together():
            records = reconstruct_file(file, order)
            if write_json:
                self.write_json(self._document(records, {}))
        for record in records:
            say(summary_line(record))
            if (proved := certified_line(record)) is not None:
                say(proved)
        if len(records) > 1:
            say(f"{self.places.comparison(file)}: the middle slice by all models")
        return records

    def _document(self, records: list[dict[str, Any]], failed: Mapping[str, str]) -> dict[str, Any]:
        if self.in_folder:
            return {"schema": "smug-reconstructions-1", "reconstructions": records, "failed": failed}
        return {"schema": "smug-reconstruction-2", **records[0]}

    def _loaded(self, name: str) -> "Reconstructor":
        """Load a model, and warn if measured scans are not what it is good at."""
        from smug.zoo import SHIPPED, card, load

        model = load(name)
        margin = card(name).over_best_tv if name in SHIPPED else None
        if margin is not None and margin < 0:
            warn(
                f"{name} is for experiments: on measured scans it was {-margin:.1f} dB below the best total variation, "
                f"{DEFAULT_MODEL}, the default, {card(DEFAULT_MODEL).over_best_tv:.1f} dB above (smug models {name})"
            )
        return model

    def _order(self) -> Order:
        from smug.reconstructor import moved

        device = self.start()
        return Order(
            models={name: moved(self._loaded(name), device) for name in self.models},
            device=device,
            places=self.places,
            seed=self.seed,
            centre=self.centre,
            slices=self.slices,
            trajectory=self.trajectory,
            undersample=self.undersample,
            lines=self.lines,
            center_fraction=self.center_fraction,
            noise_sigma=self.noise_sigma,
            replicas=self.replicas,
            batch=self.batch,
            coils=self.coils,
            maps_figure=self.maps_figure,
        )
