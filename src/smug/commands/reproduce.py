"""smug reproduce."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal, get_args

import tyro

from smug.commands import sources
from smug.commands.common import Common
from smug.commands.numbers import Count, Seed
from smug.system.paths import Input, Output
from smug.system.terminal import say

Name = Literal[
    "all",
    "table1",
    "table2",
    "fig1",
    "fig5",
    "fig6",
    "fig7",
    "fig8",
    "fig9",
    "fig10",
    "fig11",
    "fig12",
    "fig13",
]


SUFFIXES = (".png", ".pdf", ".csv", ".json", ".md")
"""What the names of an exhibit's files end in."""


@dataclass(frozen=True)
class Reproduce(Common):
    """Make a table or a figure of the paper, from training to PNG, PDF, CSV and JSON.

    Models are trained and cells are scored once in --out, whatever exhibit asks for them: the same command goes on
    where it was stopped.
    """

    exhibit: Annotated[tuple[Name, ...], tyro.conf.Positional]
    """table1, table2, fig1, fig5 to fig13, or all; several may be named."""
    config: Literal["tiny", "small", "paper"] = "small"
    """tiny: phantoms, minutes, no result; small: two cores and a few hours; paper: fastMRI and GPUs."""
    seeds: Count = 1
    """Train every method with so many seeds, from one warm start, and show their spread."""
    seed: Seed = field(default=0, kw_only=True)
    """Seed of noise and attacks; the training seeds are 0, 1, ..."""
    out: Path = Path("reproduced")
    """Folder of the exhibits, and below it of the runs and rows."""
    data: Path | None = None
    """For paper: a folder with brain and knee: files of fastMRI as downloaded, or sets that smug prepare has made."""
    data_root: Path | None = None
    """Folder of the image sets; by default the environment's SMUG_DATA."""

    def inputs(self) -> Iterator[Input]:
        """Yield the files of the data, where a folder of them is given."""
        if self.data is not None:
            yield from sources.files("--data", [self.data / "brain", self.data / "knee"])

    def outputs(self) -> Iterator[Output]:
        """Yield the exhibits, and the folders of the runs and rows."""
        yield from super().outputs()
        yield Output("--out", self.out, folder=True)
        yield from (Output("--out", self.out / name, folder=True) for name in ("runs", "rows", "data"))
        for name in get_args(Name) if "all" in self.exhibit else self.exhibit:
            yield from (Output("--out", self.out / f"{name}{suffix}") for suffix in SUFFIXES)

    def without_effect(self) -> Mapping[str, str]:
        """Return the folder of the image sets where none is used."""
        if self.data is not None:
            return {"data_root": "--data has the images of brain and knee"}
        return {"data_root": "--config tiny makes its own phantoms"} if self.config == "tiny" else {}

    def run(self) -> None:
        """Make the exhibits."""
        import torch

        from smug.paper.exhibits import EXHIBITS
        from smug.paper.figures_8_to_13 import TRAINED
        from smug.paper.regime import SCALES, at
        from smug.paper.workshop import Workshop

        device = self.start()
        if not self.exhibit:
            raise ValueError("exhibit: expected all, or at least one of table1, table2, fig1, fig5 to fig13")
        scale = replace(SCALES[self.config], seeds=tuple(range(self.seeds)))
        if self.data is not None:
            scale = at(scale, self.data, self.out / "data", workers=torch.get_num_threads(), told=say)
        elif self.config == "paper":
            raise ValueError("--data: --config paper needs a folder with brain and knee, with files of fastMRI in them")
        names = list(EXHIBITS) if "all" in self.exhibit else list(dict.fromkeys(self.exhibit))
        workshop = Workshop(scale, self.out, self.data_root, device, seed=self.seed, command=self.command, told=say)
        for anatomy in sorted({EXHIBITS[name].anatomy for name in names}):  # before hours of training
            workshop.test(anatomy, TRAINED, count=1)
        documents = {}
        for name in names:
            exhibit = EXHIBITS[name]
            say(f"{exhibit.title}, {scale.name}" + (f" ({scale.stamp})" if scale.stamp else ""))
            result = exhibit.write(workshop, self.out)
            if result.text:
                say(result.text)
            documents[name] = exhibit.document(workshop, result)
            say(f"{name} is in {self.out}.")
        self.write_json({"schema": "smug-exhibits-1", **documents})
