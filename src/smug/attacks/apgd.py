"""APGD: projected gradient ascent with momentum that finds its own step sizes (Croce and Hein 2020, algorithm 1)."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from smug.attacks import start as starts
from smug.attacks.driver import check_counts
from smug.attacks.problem import Problem
from smug.norm import per_slice
from smug.system.arguments import check_fields

MOMENTUM = 0.75
"""The weight of the gradient step; the rest is the last movement."""

ENOUGH = 0.75
"""The fraction of the steps since the last checkpoint that must have raised the objective, or the step is halved."""


@dataclass(frozen=True)
class APGDState:
    """The state of APGD between two steps; perturbations are ``(batch, coil, y, x)``, all else real ``(batch,)``.

    ``previous`` is the last perturbation and ``value`` its objective; ``best`` and ``best_value`` are the highest so
    far. ``size`` is the step as a fraction of eps. Since the last checkpoint: ``raised`` counts the steps that raised
    the objective, ``old_best`` was the best value there, and ``halved`` tells whether the step was halved there.
    """

    delta: Tensor
    gradient_norm: Tensor | None
    restart: int
    index: int
    previous: Tensor
    value: Tensor
    best: Tensor
    best_value: Tensor
    size: Tensor
    raised: Tensor
    old_best: Tensor
    halved: Tensor


@dataclass(frozen=True)
class APGD:
    """Steps of 2 eps at first, halved at checkpoints where they no longer help, going on from the best point.

    Everything is decided per slice, on the draws for comparisons: the same noise for all points. The fields are
    explained in :class:`smug.attacks.driver.Rule`. Raises ValueError for counts below 1.
    """

    steps: int = 100
    start: Callable[[Problem, int], Tensor] = starts.image
    restarts: int = 1
    draws: int = 1
    selection_draws: int = 1
    keep: Literal["best"] = "best"

    def __post_init__(self) -> None:
        """Raise ValueError for settings out of range."""
        check_fields(self)
        check_counts(self)

    @cached_property
    def checkpoints(self) -> tuple[int, ...]:
        """The steps before which the size is checked: 0.22 n, then at distances shrinking by 0.03 n to 0.06 n."""
        fractions, distance = [0.0], 0.22
        while fractions[-1] + distance < 1:
            fractions.append(fractions[-1] + distance)
            distance = max(distance - 0.03, 0.06)
        return tuple(math.ceil(round(p * self.steps, 9)) for p in fractions)

    def init(self, delta: Tensor, restart: int) -> APGDState:
        """Return the state at a starting point."""
        zero = delta.real.new_zeros(delta.shape[:1])
        return APGDState(
            delta,
            gradient_norm=None,
            restart=restart,
            index=0,
            previous=delta,
            value=zero + torch.nan,
            best=delta,
            best_value=zero - torch.inf,
            size=zero + 2,
            raised=zero,
            old_best=zero - torch.inf,
            halved=torch.ones_like(zero, dtype=torch.bool),
        )

    def step(self, state: APGDState, value: Tensor, problem: Problem) -> APGDState:
        """Return the state after one step."""
        state = self._checked(_seen(state, value))
        gradient, norm = problem.gradient(state.delta, state.restart, state.index)
        x, length = state.delta, per_slice(state.size * problem.radius, gradient)
        z = problem.project(x + length * problem.threat.steepest(gradient))
        if state.index > 0:
            z = problem.project(x + MOMENTUM * (z - x) + (1 - MOMENTUM) * (x - state.previous))
        return replace(state, delta=z, gradient_norm=norm, index=state.index + 1, previous=x)

    def _checked(self, state: APGDState) -> APGDState:
        """Return the state with smaller steps, at the best point, for the slices whose steps no longer help."""
        if state.index not in self.checkpoints[1:]:
            return state
        since = state.index - max(c for c in self.checkpoints if c < state.index)
        stuck = ~state.halved & (state.best_value == state.old_best)
        halved = (state.raised < ENOUGH * since) | stuck
        return replace(
            state,
            delta=torch.where(per_slice(halved, state.delta), state.best, state.delta),
            value=torch.where(halved, state.best_value, state.value),
            size=torch.where(halved, state.size / 2, state.size),
            raised=torch.zeros_like(state.raised),
            old_best=state.best_value,
            halved=halved,
        )


def _seen(state: APGDState, value: Tensor) -> APGDState:
    """Return the state with the objective of its current perturbation filled in."""
    better = value > state.best_value
    return replace(
        state,
        value=value,
        best=torch.where(per_slice(better, state.delta), state.delta, state.best),
        best_value=torch.where(better, value, state.best_value),
        raised=state.raised + (value > state.value),
    )
