"""smug evaluate."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from smug.commands import sources
from smug.commands.common import Common
from smug.commands.numbers import Count, NotNegative, Positive, Rate, Size
from smug.commands.progress import progress
from smug.commands.reported import report_files
from smug.system.paths import Input, Output
from smug.system.terminal import say, show, warn

if TYPE_CHECKING:
    from smug.system.distributed import Group


NONE = Path("none")
"""The value of ``--store`` that keeps no rows."""


@dataclass(frozen=True)
class Evaluate(Common):
    """Compare reconstructors on clean, noisy and attacked measurements, of a prepared set or simulated from images."""

    model: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = field(default=())
    """A name that smug models lists, a run folder, a weights file, or FILE.py:function; may be repeated."""
    data: str = "phantom"
    """A folder that smug prepare has made; phantom, siat, openms, knee, or an HDF5 file of images."""
    split: Literal["val", "test", "all"] = "test"
    """Which images of the set; all of them for models that have seen none."""
    protocol: Literal["clean", "paper", "demo", "fast", "standard", "shifts", "scanner"] = "paper"
    """clean: no perturbation; paper: noise and the authors' attack, at 0.02 and 0.05 of the image's maximum; demo:
    quick; fast: a strong attack beside noise of its norm; standard: the strongest of many attacks, hours; shifts: other
    noise, rates, masks, maps, positions, contrasts, lesions, motion, steps and smoothing; scanner: motion, spikes,
    ghosts, drifting gains and off-resonance, random ones beside the worst that an attack on their parameters finds."""
    epsilon: Annotated[tuple[Positive, ...], tyro.conf.UseAppendAction] = field(default=())
    """For fast and standard: the attack's l2 norm relative to that of the measurements (0.01); may be repeated."""
    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = field(default=())
    """KEY=VALUE replaces a setting of the models that have it, such as num_samples=0 or steps=16; may be repeated."""
    attack: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = field(default=())
    """FILE.py:NAME, an attack of yours, scored beside those of the protocol and within their threats: a function
    (f, scan, threat, *, generator) that returns the perturbation, or a rule; may be repeated."""
    max_slices: Count | None = None
    """Evaluate at most so many slices, evenly spread over the set."""
    size: Size = 128
    """Matrix size that images are resampled to; a prepared set has its own, and its own coils and noise."""
    coils: Count = 4
    """Number of simulated coils."""
    acceleration: Rate = 4.0
    """Undersampling of random lines; 8 % ACS up to 5x, 4 % above."""
    noise: NotNegative = 0.01
    """Receiver noise per part, where the image's maximum is 1."""
    out: Path | None = None
    """Folder for a report, a figure and a markdown table."""
    store: Path | None = None
    """Folder that keeps every row, so that a run goes on where it was stopped, and nothing is scored twice; by default
    one in the user's cache, and with "none" none."""
    data_root: Path | None = None
    """Folder of the image sets; by default the environment's SMUG_DATA."""

    def inputs(self) -> Iterator[Input]:
        """Yield models and data."""
        yield from sources.files("--model", self.model)
        yield from sources.files("--attack", self.attack)
        yield from sources.data("--data", self.data, self.data_root)

    def outputs(self) -> Iterator[Output]:
        """Yield the report, and the store."""
        yield from super().outputs()
        if self.out is not None:
            yield from report_files(self.out)
        if self.store is not None and self.store != NONE:
            yield Output("--store", self.store, folder=True)

    def without_effect(self) -> Mapping[str, str]:
        """Return what does not matter for this data and protocol."""
        sized = self.protocol in ("fast", "standard")
        epsilon = {} if sized else {"epsilon": f"--protocol {self.protocol} has sizes of its own"}
        return epsilon | sources.without_effect(self.data, "size", "coils", "noise")

    def run(self) -> None:
        """Evaluate and print the table; under torchrun, every process scores its share of the slices."""
        from smug.system.distributed import joined

        with joined(self.chosen) as group:
            self._evaluate(group)

    def _evaluate(self, group: "Group") -> None:
        from smug.comparison import evaluate
        from smug.data.simulate import Acquisition
        from smug.evaluation.datasets import load_set
        from smug.evaluation.named_models import check_unseen, named_models
        from smug.evaluation.own_attack import load_attacks, with_attacks
        from smug.evaluation.protocols import protocol as named
        from smug.evaluation.settings import with_settings
        from smug.evaluation.store import cache_folder
        from smug.physics.masks import usual_center_fraction
        from smug.system.files import together

        device = self.start(quiet=not group.first)
        if not self.model:
            raise ValueError("--model: expected at least one; smug models lists the names")
        acquisition = Acquisition(
            coils=self.coils,
            acceleration=self.acceleration,
            center_fraction=usual_center_fraction(self.acceleration),
            noise=self.noise,
        )
        protocol = with_attacks(named(self.protocol, self.epsilon), load_attacks(self.attack))
        place = (self.data, self.size, acquisition, self.data_root)
        models = with_settings(named_models(self.model, *place), self.set)
        if self.split == "all":
            check_unseen(models, self.data)
        test = load_set(self.data, self.split, self.size, acquisition, count=self.max_slices, root=self.data_root)
        kept = cache_folder() if self.store is None else None if self.store == NONE else self.store
        if kept is not None:
            say(f"Finished rows are kept in {kept}; --store names another folder, or none.", quiet=not group.first)
        share = "Evaluating" if group.world == 1 else f"Evaluating, share of process 1 of {group.world}"
        cells = len(test.scans[group.rows]) * len(models) * len(protocol.conditions)
        with progress(share, cells, quiet=not group.first) as advance:
            result = evaluate(
                models,
                test,
                protocol,
                acquisition=acquisition,
                seed=self.seed,
                device=device,
                command=self.command,
                group=group,
                store=kept,
                advance=advance,
                warn=lambda sentence: warn(sentence, quiet=not group.first),
            )
        if not group.first:
            return
        show(result.table())
        if (attacks := result.attacks()).groups:
            show(attacks)
        with together():
            self.write_json(result.document)
            if self.out is not None:
                result.report(self.out)
        if self.out is not None:
            say(f"Report, figure, table and cards are in {self.out}.")
        say(result.conclusion())
