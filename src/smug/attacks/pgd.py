"""Projected gradient ascent, and the recipes that use it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from smug.attacks import start as starts
from smug.attacks.driver import AttackResult, attack, check_counts
from smug.attacks.objective import Objective, to_target
from smug.attacks.problem import Problem
from smug.data.scan import Scan
from smug.models.noise import Seeds
from smug.norm import per_slice
from smug.reconstructor import Reconstructor
from smug.system.arguments import check_arguments, check_fields
from smug.threat import Threat


@dataclass(frozen=True)
class PGDState:
    """A perturbation ``(batch, coil, y, x)``, the norm of its last gradient, and the numbers of restart and step."""

    delta: Tensor
    gradient_norm: Tensor | None
    restart: int
    index: int


@dataclass(frozen=True)
class PGD:
    """The rule ``delta <- project(delta + step_size eps steepest(gradient))``.

    ``step_size`` is a fraction of eps; None means 2.5 / ``steps``, which can cross the ball and come back.
    The other fields are explained in :class:`smug.attacks.driver.Rule`.
    Raises ValueError for counts below 1, a step size that is not positive and an unknown ``keep``.
    """

    steps: int = 10
    step_size: float | None = None
    start: Callable[[Problem, int], Tensor] = starts.uniform
    keep: Literal["best", "last"] = "best"
    restarts: int = 1
    draws: int = 1
    selection_draws: int = 1

    def __post_init__(self) -> None:
        """Raise ValueError for settings out of range."""
        check_fields(self)
        check_counts(self)
        if self.step_size is not None and not 0 < self.step_size < float("inf"):
            raise ValueError(f"step_size: expected a finite fraction of eps > 0, or None, got {self.step_size}")

    def init(self, delta: Tensor, restart: int) -> PGDState:
        """Return the state at a starting point."""
        return PGDState(delta, None, restart, index=0)

    def step(self, state: PGDState, value: Tensor, problem: Problem) -> PGDState:
        """Return the state after one step."""
        gradient, norm = problem.gradient(state.delta, state.restart, state.index)
        length = per_slice((self.step_size or 2.5 / self.steps) * problem.radius, gradient)
        delta = problem.project(state.delta + length * problem.threat.steepest(gradient))
        return PGDState(delta, norm, state.restart, state.index + 1)


PAPER = PGD(steps=10, step_size=1 / 3, start=starts.gaussian, keep="last")
"""The authors' recipe: step eps / 3, a clipped Gaussian start, one draw per gradient, the last iterate."""


@check_arguments
def pgd(
    f: Reconstructor,
    scan: Scan,
    threat: Threat,
    *,
    steps: int = 10,
    restarts: int = 1,
    draws: int = 1,
    selection_draws: int = 1,
    objective: Objective = to_target,
    generator: Seeds = None,
) -> AttackResult:
    """Attack by projected gradient ascent from random starts, keeping the best point visited.

    A reconstructor with noise of its own deserves several ``draws`` and several ``selection_draws``.
    Arguments and errors are those of :func:`smug.attacks.attack` and :class:`PGD`.
    """
    rule = PGD(steps, restarts=restarts, draws=draws, selection_draws=selection_draws)
    return attack(f, scan, threat, rule=rule, objective=objective, generator=generator)


@check_arguments
def paper(
    f: Reconstructor,
    scan: Scan,
    threat: Threat,
    *,
    generator: Seeds = None,
) -> AttackResult:
    """Attack as the authors' code does: equation (3) by :data:`smug.attacks.pgd.PAPER`.

    Their code has ``Threat(0.02, unit="image-max")``, the paper's text ``Threat(0.05, unit="kspace-max")``.
    Raises ValueError for norms but linf.
    """
    if threat.norm != "linf":
        raise ValueError(f"the authors' recipe is defined for norm 'linf', got {threat}")
    return attack(f, scan, threat, rule=PAPER, generator=generator)
