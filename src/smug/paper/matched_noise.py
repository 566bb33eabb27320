"""The search for the level of noise that costs MoDL as much as in the paper, which does not give it."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import fmean

from smug.evaluation.conditions import Condition, clean, noisy
from smug.evaluation.tuning import TUNING_SLICES
from smug.paper.experiment import Experiment
from smug.paper.measurement import Cells, Results
from smug.paper.printed import printed_loss
from smug.paper.runs import Run
from smug.paper.scales import Scale

LOWEST, HIGHEST = 1e-3, 0.5
"""The levels between which it is searched, per real and imaginary part where the image's maximum is 1."""

HALVINGS = 10
"""Of the logarithm of their ratio: the level is known to 1 %."""


@dataclass(frozen=True)
class NoiseLevel:
    """A level of noise that costs ``found`` dB on ``slices`` validation slices, where ``loss`` dB were wanted."""

    level: float
    found: float
    loss: float
    slices: int

    @property
    def note(self) -> str:
        """The sentence of a table about it."""
        if abs(self.found - self.loss) > 0.1 * self.loss:
            return (
                f"The paper's noise, whose level it does not give, costs MoDL {self.loss:.2f} dB; no level from "
                f"{LOWEST:g} to {HIGHEST:g} does so here: {self.level:g} costs {self.found:.2f} dB on {self.slices} "
                "validation slices."
            )
        return (
            f"Noise {self.level:g} costs MoDL {self.loss:.2f} dB, as the paper's did, whose level it does not give: by "
            f"bisection on {self.slices} validation slices, where it costs {self.found:.2f} dB."
        )


@dataclass(frozen=True)
class MatchedNoise:
    """The search for the level of noise that costs MoDL, of the first training seed, as much as in the paper.

    It is a measurement, and stands in for a condition whose level is known after it.
    """

    anatomy: str
    acceleration: float

    @property
    def example(self) -> Condition:
        """A stand-in for the level to be found, which takes as long to score."""
        return noisy(LOWEST)

    def level(self, results: Results) -> Condition:
        """Return the condition of the level that was found."""
        return noisy(results.of(self).level)

    def cells(self, scale: Scale) -> Iterator[Cells]:
        """Return the cells of the search, whose levels are not known yet: all are counted as one condition."""
        yield Cells(self._modl(scale), clean(), TUNING_SLICES, "val")
        yield Cells(self._modl(scale), self.example, TUNING_SLICES * (HALVINGS + 1), "val")

    def score(self, experiment: Experiment, results: Results) -> NoiseLevel:
        """Search for the level on validation slices."""
        test = experiment.test(self.anatomy, self.acceleration, split="val", count=TUNING_SLICES)
        scans = list(test.scans)
        f = experiment.reconstructor(self._modl(experiment.scale))
        loss = printed_loss(self.anatomy, self.acceleration)

        def lost(level: float) -> float:
            rows = experiment.rows("modl", f, (clean(), noisy(level)), scans)
            without, under = ([row.psnr for row in rows if (row.condition == "clean") is way] for way in (True, False))
            return fmean(without) - fmean(under)

        where = f"{self.anatomy} {self.acceleration:g}x"
        experiment.report(f"searching for the noise that costs MoDL {loss:.2f} dB on {where}")
        level = bisected(lost, loss)
        return NoiseLevel(level, lost(level), loss, len(scans))

    def _modl(self, scale: Scale) -> Run:
        return Run(self.anatomy, self.acceleration, "modl", scale.seeds[0])


def bisected(rising: Callable[[float], float], value: float) -> float:
    """Return, to three digits, where a rising function of a level has a value; the nearest end where it has not.

    >>> bisected(lambda level: 100 * level, 2.0)
    0.02
    """
    low, high = math.log(LOWEST), math.log(HIGHEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(math.exp(middle)) > value else (middle, high)
    return float(f"{math.exp((low + high) / 2):.3g}")
