"""The level of random noise that costs MoDL what the paper's noise cost it: the paper does not give the level."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

from smug.evaluation.conditions import clean, noisy
from smug.evaluation.datasets import TUNING_SLICES
from smug.evaluation.protocol import evaluate
from smug.paper.reference import printed_loss
from smug.paper.runs import Run
from smug.paper.workshop import Workshop
from smug.reconstructor import moved

LOWEST, HIGHEST = 1e-3, 0.5
"""Levels between which it is searched, per real and imaginary part where the image's maximum is 1."""

HALVINGS = 10
"""Of the logarithm of their ratio: the level is known to 1 %."""


@dataclass(frozen=True)
class Matched:
    """A level of noise, and how many dB it costs on the slices that it was searched on: ``found``, to be ``loss``."""

    level: float
    found: float
    loss: float
    slices: int

    @property
    def note(self) -> str:
        """What a table says of it."""
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


def matched_noise(workshop: Workshop, anatomy: str, acceleration: float) -> Matched:
    """Return the level of noise that costs MoDL, of the first training seed, as much as in the paper."""
    scans = [
        scan.to(workshop.device)
        for scan in workshop.test(anatomy, acceleration, split="val", count=TUNING_SLICES).scans
    ]
    f = moved(workshop.model(Run(anatomy, acceleration, "modl", workshop.scale.seeds[0])), workshop.device)
    loss = printed_loss(anatomy, acceleration)

    def lost(level: float) -> float:
        rows = evaluate({"modl": f}, (clean(), noisy(level)), scans, seed=workshop.seed, store=workshop.store)
        without, under = ([row.psnr for row in rows if (row.condition == "clean") is way] for way in (True, False))
        return fmean(without) - fmean(under)

    workshop.told(f"searching for the noise that costs MoDL {loss:.2f} dB on {anatomy} {acceleration:g}x")
    level = bisected(lost, loss)
    return Matched(level, lost(level), loss, len(scans))


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
