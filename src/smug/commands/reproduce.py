"""smug reproduce."""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import tyro

from smug.commands.common import Common, console

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
    seeds: int = 1
    """Train every method with so many seeds, from one warm start, and show their spread."""
    seed: int = field(default=0, kw_only=True)
    """Seed of noise and attacks; the training seeds are 0, 1, ..."""
    out: Path = Path("reproduced")
    """Folder of the exhibits, and below it of the runs and rows."""
    data: Path | None = None
    """For paper: a folder with brain and knee: files of fastMRI as downloaded, or sets that smug prepare has made."""
    data_root: Path | None = None
    """Folder of the image sets; by default the environment's SMUG_DATA."""

    def run(self) -> None:
        """Make the exhibits."""
        import torch

        from smug.paper.exhibits import EXHIBITS
        from smug.paper.figures_8_to_13 import TRAINED
        from smug.paper.regime import SCALES, at
        from smug.paper.workshop import Workshop

        device, screen = self.start(), console()
        told = partial(screen.print, markup=False, soft_wrap=True)
        if not self.exhibit:
            raise ValueError("exhibit: expected all, or at least one of table1, table2, fig1, fig5 to fig13")
        if self.seeds < 1:
            raise ValueError(f"--seeds: expected at least 1, got {self.seeds}")
        scale = replace(SCALES[self.config], seeds=tuple(range(self.seeds)))
        if self.data is not None:
            scale = at(scale, self.data, self.out / "data", workers=torch.get_num_threads(), told=told)
        elif self.config == "paper":
            raise ValueError("--data: --config paper needs a folder with brain and knee, with files of fastMRI in them")
        names = list(EXHIBITS) if "all" in self.exhibit else list(dict.fromkeys(self.exhibit))
        workshop = Workshop(scale, self.out, self.data_root, device, seed=self.seed, command=self.command, told=told)
        for anatomy in sorted({EXHIBITS[name].anatomy for name in names}):  # before hours of training
            workshop.test(anatomy, TRAINED, count=1)
        documents = {}
        for name in names:
            exhibit = EXHIBITS[name]
            screen.print(f"{exhibit.title}, {scale.name}" + (f" ({scale.stamp})" if scale.stamp else ""))
            result = exhibit.write(workshop, self.out)
            if result.text:
                told(result.text)
            documents[name] = exhibit.document(workshop, result)
            screen.print(f"{name} is in {self.out}.")
        self.write_json(documents)
