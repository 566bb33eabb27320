"""The conditions that several exhibits share: the authors' attack, another sampling rate, other unrolling steps."""

from smug.attacks.pgd import PAPER
from smug.evaluation.conditions import Condition, attacked, clean, shifted, with_setting
from smug.shifts import SHIFTS, steps
from smug.threat import Threat

EPSILON = 0.02
"""The size of the attack in the authors' code, over the image's maximum."""

TRAINED_RATE = 4.0
"""The acceleration that most models are trained at."""


def pgd(epsilon: float) -> Condition:
    """Return the authors' attack at a strength; clean data at none."""
    return attacked(Threat(epsilon, "linf", "image-max"), PAPER, "PGD") if epsilon else clean()


def at_rate(rate: float) -> Condition:
    """Return clean data at another acceleration; the scan as it is at that of training."""
    return clean() if rate == TRAINED_RATE else shifted(SHIFTS["acceleration"], rate)


def at_steps(number: int, trained: int, base: Condition) -> Condition:
    """Return a condition at another number of unrolling steps: an attack is made anew for it."""
    return base if number == trained else with_setting("steps", steps, number, base)
