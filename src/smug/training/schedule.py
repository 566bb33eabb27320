"""The course of the learning rate over a run."""

from collections.abc import Callable
from math import cos, pi

WARM_UP = 0.1
"""The share of the updates in which "one-cycle" rises."""

PLATEAU = 1 / 3
"""The share of the updates after which "linear-decay" falls: 20 of 60 epochs in the authors' code."""

FIRST, LAST = 1 / 25, 1 / 250_000
"""Where "one-cycle" starts and ends, in parts of the highest rate (Smith and Topin, 2019)."""


def one_cycle(progress: float) -> float:
    """Rise from 1/25 to 1 in the first tenth and fall to nothing, along cosines; ``progress`` is from 0 to 1."""
    if progress < WARM_UP:
        return _between(FIRST, 1.0, progress / WARM_UP)
    return _between(1.0, LAST, (progress - WARM_UP) / (1 - WARM_UP))


def linear_decay(progress: float) -> float:
    """Stay at 1 for a third of the updates, then fall linearly to zero; ``progress`` is from 0 to 1."""
    return min(1.0, (1 - progress) / (1 - PLATEAU))


SCHEDULES: dict[str, Callable[[float], float]] = {"one-cycle": one_cycle, "linear-decay": linear_decay}


def learning_rate(schedule: str, highest: float, update: int, updates: int) -> float:
    """Return the rate of an update, counted from 1, of so many."""
    return highest * SCHEDULES[schedule]((update - 1) / max(1, updates))


def _between(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + cos(pi * progress)) / 2
