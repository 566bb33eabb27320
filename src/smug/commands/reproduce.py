"""smug reproduce."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import tyro

from smug.commands import sources
from smug.commands.common import Common
from smug.commands.numbers import Count, Seed
from smug.system.paths import Input, Output
from smug.system.terminal import say, show
from smug.system.words import listed

if TYPE_CHECKING:
    from smug.paper.scales import Scale

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

    It first says what it will train and score, and about how long that takes; then it trains, scores and draws. Models
    are trained and slices are scored once in --out for all exhibits: the same command goes on where it was stopped.
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
    dry_run: bool = False
    """Say what would be trained and scored, and about how long it would take, and stop."""

    def inputs(self) -> Iterator[Input]:
        """Yield the files of the data, where a folder of them is given."""
        if self.data is not None:
            yield from sources.files("--data", [self.data / "brain", self.data / "knee"])

    def outputs(self) -> Iterator[Output]:
        """Yield the exhibits, and the folders of the runs and rows."""
        yield from super().outputs()
        if self.dry_run:
            return
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
        """Plan, train, score and draw the exhibits."""
        import torch

        from smug.paper.conditions import TRAINED_RATE
        from smug.paper.estimate import estimate
        from smug.paper.exhibits import EXHIBITS
        from smug.paper.experiment import Experiment
        from smug.paper.plan import draw, plan, score, train
        from smug.paper.scales import with_data

        device, scale = self.start(), self._scale()
        names = list(EXHIBITS) if "all" in self.exhibit else list(dict.fromkeys(self.exhibit))
        exhibits = [EXHIBITS[name] for name in names]
        experiment = Experiment(
            scale, self.out, self.data_root, device, seed=self.seed, command=self.command, report=say
        )
        if self.data is None:
            for anatomy in sorted({exhibit.anatomy for exhibit in exhibits}):  # before hours of training
                experiment.test(anatomy, TRAINED_RATE, count=1)
        say(f"Plan of {listed(names)} at {scale.name}" + (f" ({scale.stamp})" if scale.stamp else "") + ":")
        estimated = estimate(plan(exhibits, scale), experiment)
        say("\n".join(f"  {line}" for line in estimated.lines))
        if self.dry_run:
            self.write_json({"schema": "smug-plan-1", "exhibits": names, "scale": scale.name, **asdict(estimated)})
            return
        if self.data is not None:
            data, workers = self.out / "data", torch.get_num_threads()
            scale = with_data(scale, self.data, data, workers=workers, report=say)
            experiment = replace(experiment, scale=scale)
        planned = plan(exhibits, scale)
        train(planned, experiment)
        results = score(planned, experiment)
        documents = {}
        for exhibit, drawing, written in draw(planned, experiment, results, self.out):
            say(f"{exhibit.title}: {exhibit.name} is in {self.out}.")
            for part in drawing.body:
                say(f"{part}\n") if isinstance(part, str) else show(part)
            documents[exhibit.name] = written
        self.write_json({"schema": "smug-exhibits-1", **documents})

    def _scale(self) -> "Scale":
        """Return the scale as the options say; raises ValueError and FileNotFoundError for what cannot be."""
        from smug.paper.scales import SCALES, data_folders

        if not self.exhibit:
            raise ValueError("exhibit: expected all, or at least one of table1, table2, fig1, fig5 to fig13")
        if self.data is not None:
            data_folders(self.data)
        elif self.config == "paper":
            raise ValueError("--data: --config paper needs a folder with brain and knee, with files of fastMRI in them")
        return replace(SCALES[self.config], seeds=tuple(range(self.seeds)))
