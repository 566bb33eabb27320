"""The Square attack (Andriushchenko et al. 2020) for reconstruction: random search, without gradients."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from smug.attacks import start as starts
from smug.attacks.driver import check_counts
from smug.attacks.problem import PROPOSAL, Problem
from smug.models.noise import complex_normal, derive
from smug.norm import per_slice
from smug.system.arguments import check_fields

LARGEST = 0.8
"""The fraction of the image that the first squares cover."""

HALVINGS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
"""The fractions of all steps after which the squares' area is halved: the schedule of the paper."""

STEP = 0.3
"""The size of a square's measurements, as a fraction of eps."""


@dataclass(frozen=True)
class SquareState:
    """The perturbation being tried, ``delta``, the best one so far and its objective ``(batch,)``."""

    delta: Tensor
    restart: int
    index: int
    best: Tensor
    best_value: Tensor
    gradient_norm: None = None


@dataclass(frozen=True)
class Square:
    """Add the measurements of a square of random place and phase, at a time; keep what raises the objective.

    The squares are in the image, of one value each (of either sign where images are real), so that what is tried lies
    in the range of A and is local, as in the paper; the sum with their measurements is projected.
    A step is one evaluation. An attack with gradients that is weaker than this one has useless gradients.
    The fields are explained in :class:`smug.attacks.driver.Rule`. Raises ValueError for counts below 1.
    """

    steps: int = 1000
    start: Callable[[Problem, int], Tensor] = starts.image
    restarts: int = 1
    selection_draws: int = 1
    keep: Literal["best"] = "best"
    draws: Literal[1] = 1

    def __post_init__(self) -> None:
        """Raise ValueError for settings out of range."""
        check_fields(self)
        check_counts(self)

    def init(self, delta: Tensor, restart: int) -> SquareState:
        """Return the state at a starting point."""
        return SquareState(delta, restart, 0, delta, delta.real.new_full(delta.shape[:1], -torch.inf))

    def step(self, state: SquareState, value: Tensor, problem: Problem) -> SquareState:
        """Return the state after one step."""
        raised = value > state.best_value
        best = torch.where(per_slice(raised, state.delta), state.delta, state.best)
        size = LARGEST / 2 ** sum(state.index >= fraction * self.steps for fraction in HALVINGS)
        square = _square(problem, derive(problem.seeds, PROPOSAL, state.restart, state.index), size)
        length = STEP * per_slice(problem.radius, best)
        delta = problem.project(best + length * problem.threat.steepest(problem.A(square)))
        return replace(
            state,
            delta=delta,
            index=state.index + 1,
            best=best,
            best_value=torch.where(raised, value, state.best_value),
        )


def _square(problem: Problem, seeds: Tensor, area: float) -> Tensor:
    """Return images of zeros with a square of random place and phase that covers a fraction of them."""
    height, width = problem.target.shape[-2:]
    side = max(1, round(math.sqrt(area * height * width)))
    dtype = problem.blank.dtype
    draws = complex_normal(seeds, (3,), dtype.to_complex(), problem.blank.device)
    where = draws[:, :2].angle() / (2 * math.pi) + 0.5  # uniform in [0, 1]
    rows = _interval(where[:, 0], height, side)
    columns = _interval(where[:, 1], width, side)
    value = draws[:, 2] if dtype.is_complex else draws[:, 2].real
    return value[:, None, None].sgn() * rows[:, :, None] * columns[:, None, :]


def _interval(where: Tensor, length: int, side: int) -> Tensor:
    """Return which of ``length`` numbers lie in an interval of ``side``, bool ``(batch, length)``."""
    first = (where * (length - side + 1)).floor().clamp(0, max(0, length - side))
    index = torch.arange(length, device=where.device)
    return (index >= first[:, None]) & (index < first[:, None] + side)
