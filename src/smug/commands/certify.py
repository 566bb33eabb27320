"""smug certify."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from smug.commands import sources
from smug.commands.common import Common
from smug.commands.numbers import Count, Positive, Probability, Rate, Size
from smug.commands.progress import duration, progress
from smug.system.paths import Input, Output
from smug.system.terminal import say, show, warn
from smug.system.words import counted


@dataclass(frozen=True)
class Certify(Common):
    """Prove what no perturbation can do to a reconstruction, and show what the strongest attack found does.

    The certified curve is that of F run on measurements with a little more noise, added on purpose.
    """

    model: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = field(default=())
    """A name that smug models lists, a run folder, a weights file, or FILE.py:function; may be repeated."""
    data: str = "phantom"
    """A folder that smug prepare has made; phantom, siat, openms, knee, or an HDF5 file of images."""
    split: Literal["val", "test"] = "test"
    """Which images of the set."""
    max_slices: Count = 1
    """Certify so many slices, evenly spread over the set."""
    size: Size = 128
    """Matrix size that images are resampled to; a prepared set has its own, and its own coils."""
    coils: Count = 4
    """Number of simulated coils."""
    acceleration: Rate = 4.0
    """Undersampling of random lines; 8 % ACS up to 5x, 4 % above."""
    noise: Positive = 0.01
    """Receiver noise per part, where the image's maximum is about 1."""
    levels: tuple[Positive, ...] = (2.0,)
    """The noise that is added, sigma_k, as multiples of the receiver noise; such as 1 2 5, each as long again."""
    draws: Count = 18
    """Reconstructions behind each certificate: 18 reach perturbations of sigma_k, 131 of 2 sigma_k, 2218 of 3."""
    attacked: tuple[Positive, ...] = (1.0,)
    """The sizes that are attacked too, as multiples of sigma_k, where the draws reach them; such as 1 2 3."""
    scores: Count = 16
    """Fresh reconstructions that an attack is scored on."""
    steps: Count = 5
    """Steps of each attack."""
    p: Probability = 0.5
    """The share of reconstructions that a certificate covers."""
    alpha: Probability = 0.05
    """The probability that a certificate fails."""
    joint: bool = False
    """Let all certificates of a model hold at once with that probability; it takes more draws."""
    out: Path | None = None
    """Folder for a figure and a markdown table."""
    data_root: Path | None = None
    """Folder of the image sets; by default the environment's SMUG_DATA."""

    def inputs(self) -> Iterator[Input]:
        """Yield models and data."""
        yield from sources.files("--model", self.model)
        yield from sources.data("--data", self.data, self.data_root)

    def outputs(self) -> Iterator[Output]:
        """Yield the figure and the table."""
        yield from super().outputs()
        if self.out is not None:
            yield Output("--out", self.out, folder=True)
            yield from (Output("--out", self.out / f"certificates{suffix}") for suffix in (".md", ".png"))

    def without_effect(self) -> Mapping[str, str]:
        """Return what does not matter for this data: a prepared set has its own matrix and coils."""
        return sources.without_effect(self.data, "size", "coils")

    def run(self) -> None:
        """Certify, attack, and print the table."""
        from smug.certification import certify
        from smug.data.simulate import Acquisition
        from smug.evaluation.certificates import Certification, expected_seconds
        from smug.evaluation.datasets import load_set
        from smug.evaluation.named_models import named_models
        from smug.evaluation.outside_range import warn_outside
        from smug.physics.masks import usual_center_fraction
        from smug.system.files import together

        device = self.start()
        if not self.model:
            raise ValueError("--model: expected at least one; smug models lists the names")
        asked = Certification(
            self.noise, self.levels, self.draws, self.p, self.alpha, self.joint, self.attacked, self.scores, self.steps
        )
        acquisition = Acquisition(
            coils=self.coils,
            acceleration=self.acceleration,
            center_fraction=usual_center_fraction(self.acceleration),
            noise=self.noise,
        )
        models = named_models(self.model, self.data, self.size, acquisition, self.data_root)
        test = load_set(self.data, self.split, self.size, acquisition, count=self.max_slices, root=self.data_root)
        warn_outside(models, test, acquisition, warn)
        cells, cost = len(models) * len(test.scans), asked.cost(len(test.scans))
        for ratio in self.attacked:
            if self.draws < asked.needed(ratio, len(test.scans)):
                enough = asked.needed(ratio, len(test.scans))
                warn(f"--draws {self.draws}: certify nothing at {ratio:g} sigma_k, which takes {enough}: not attacked")
        slices, total = len(test.scans), 0.0
        for name, model in models.items():
            one, whole = expected_seconds(model, test.scans[0], asked, slices, device)
            each = counted(slices, "slice")
            say(f"{name}: a reconstruction takes {one:.2g} s, {each} about {duration(slices * whole)}.")
            total += slices * whole
        say(f"In all about {duration(total)}.")
        with progress("Certifying", cells * cost) as advance:
            result = certify(
                models,
                test,
                asked,
                seed=self.seed,
                device=device,
                command=self.command,
                advance=advance,
                warn=lambda sentence: None,  # it was told before the duration
            )
        show(result.table())
        with together():
            self.write_json(result.document)
            if self.out is not None:
                result.report(self.out)
        if self.out is not None:
            say(f"The figure and the table are in {self.out}.")
