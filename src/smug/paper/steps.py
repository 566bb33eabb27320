"""Figure 10: PSNR over the number of unrolling steps at test, on clean data and in the worst case."""

from smug.evaluation.conditions import Condition, clean, with_setting
from smug.paper.curves import Axis, Sweep
from smug.paper.exhibit import Exhibit, Result
from smug.paper.strength import EPSILON, pgd
from smug.paper.sweeps import ALL, swept
from smug.paper.workshop import Workshop
from smug.shifts import steps

STEPS = (1, 2, 3, 8, 16)
"""Beside the number in training."""


def unrolled(number: int, trained: int, base: Condition) -> Condition:
    """Return a condition at another number of unrolling steps: an attack is made anew for it."""
    return base if number == trained else with_setting("steps", steps, number, base)


def _fig10(workshop: Workshop) -> Result:
    trained = workshop.scale.config.steps
    numbers = sorted({*STEPS, trained})
    sweeps = [
        Sweep({number: unrolled(number, trained, base) for number in numbers}, title)
        for title, base in (("clean", clean()), (f"PGD, ε = {EPSILON:g}", pgd(EPSILON)))
    ]
    axis = Axis("steps", "unrolling steps at test", "{:g}".format, trained)
    notes = ("The worst case is made for every method and number of steps anew.",)
    return swept(workshop, tuple(m for m in ALL if m != "cg-sense"), sweeps, axis, notes=notes)


FIG10 = Exhibit("fig10", "Fig. 10: PSNR over unrolling steps", "knee", _fig10)
