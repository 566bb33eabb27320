"""One driver for every attack: a rule raises an objective within a threat."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

import torch
from torch import Tensor

from smug.attacks.objective import Objective, to_target
from smug.attacks.problem import SCORE, Problem, pose
from smug.data.scan import Scan
from smug.evaluation_mode import check_mode
from smug.models.noise import Seeds
from smug.norm import per_slice
from smug.reconstructor import Reconstructor
from smug.system.arguments import check_arguments, check_integer, shown
from smug.threat import Threat, relative_l2


class State(Protocol):
    """What a rule knows between two steps."""

    @property
    def delta(self) -> Tensor:
        """The current perturbation, one that the threat allows."""
        ...

    @property
    def gradient_norm(self) -> Tensor | None:
        """The l2 norm of the gradient of the last step, ``(batch,)``; None if no gradient was used."""
        ...


S = TypeVar("S", bound=State)


class Rule(Protocol[S]):
    """How an attack moves: configuration and two pure functions, without a loop."""

    @property
    def steps(self) -> int:
        """Steps per start."""
        ...

    @property
    def start(self) -> Callable[[Problem, int], Tensor]:
        """The starting point of a problem and a restart; see :mod:`smug.attacks.start`."""
        ...

    @property
    def keep(self) -> Literal["best", "last"]:
        """What can win: ``"best"``, every point visited and zero; ``"last"``, the end of each start."""
        ...

    @property
    def restarts(self) -> int:
        """Independent starts; the best is kept, per slice."""
        ...

    @property
    def draws(self) -> int:
        """Draws of the reconstructor's noise that a gradient is averaged over, fresh in every step."""
        ...

    @property
    def selection_draws(self) -> int:
        """Draws that perturbations are compared on, the same for all; as many others score the winner."""
        ...

    def init(self, delta: Tensor, restart: int) -> S:
        """Return the state at a starting point."""
        ...

    def step(self, state: S, value: Tensor, problem: Problem) -> S:
        """Return the state after one step.

        ``value`` is the objective of ``state.delta`` on the draws for comparisons, ``(batch,)``; NaN if ``keep`` is
        ``"last"``.
        """
        ...


RULE = ("steps", "start", "keep", "restarts", "draws", "selection_draws", "init", "step")
"""The attributes that a rule must have."""


def check_counts(rule: Rule[Any]) -> None:
    """Raise ValueError for a rule's counts below 1 and an unknown ``keep``."""
    for name in ("steps", "restarts", "draws", "selection_draws"):
        check_integer(name, getattr(rule, name), 1)
    if rule.keep not in ("best", "last"):
        raise ValueError(f"keep: expected 'best' or 'last', got {rule.keep!r}")


@dataclass(frozen=True, eq=False)
class AttackResult:
    """What an attack found; real ``(batch,)`` where nothing else is said."""

    delta: Tensor
    """The perturbation, in the shape of the measurements, zero where nothing is measured."""
    objective: Tensor
    """The objective at ``delta``, on draws of the reconstructor's noise that the attack never saw."""
    clean_objective: Tensor
    """The objective without perturbation, on the same draws."""
    selected_objective: Tensor
    """The objective that ``delta`` was selected by; its excess over ``objective`` is optimism."""
    gradient_norm: Tensor
    """The l2 norm of every gradient, ``(restarts * steps, batch)``; zero or NaN: the attack was blind. A rule without
    gradients leaves ``(0, batch)``."""
    radius: Tensor
    """The absolute eps."""
    relative_l2: Tensor
    """The l2 norm of ``delta`` over that of the measurements."""


@check_arguments
def attack(
    f: Reconstructor,
    scan: Scan,
    threat: Threat,
    *,
    rule: Rule[S],
    objective: Objective = to_target,
    generator: Seeds = None,
) -> AttackResult:
    """Raise ``objective`` over the perturbations of a scan's measurements that ``threat`` allows, as ``rule`` moves.

    ``scan.y + delta`` replaces ``scan.y`` everywhere in ``f``, and the gradient goes through all of it. ``generator``
    is a torch.Generator, int64 seeds ``(batch,)``, or None for seed 0. It works under ``torch.no_grad`` and leaves the
    gradients of parameters alone. An objective that is NaN never wins against a number.

    Raises ValueError for a scan without target, arguments of another kind and a network in training mode, RuntimeError
    if a rule leaves the threat.
    """
    check_mode(f)
    with torch.inference_mode(False), torch.no_grad():
        problem = _posed(f, scan, threat, rule, objective, generator)
        delta, selected, gradient_norm = _search(problem, rule)
        problem.check(delta)
        return AttackResult(
            delta=delta,
            objective=problem.value(delta, SCORE),
            clean_objective=problem.value(torch.zeros_like(problem.y), SCORE),
            selected_objective=selected,
            gradient_norm=gradient_norm,
            radius=problem.radius,
            relative_l2=relative_l2(delta, problem.y, problem.A),
        )


def ascend(
    f: Reconstructor,
    scan: Scan,
    threat: Threat,
    *,
    rule: Rule[S],
    objective: Objective = to_target,
    generator: Seeds = None,
) -> Tensor:
    """Return the perturbation at the end of one start, for adversarial training: no reconstruction is spent on scores.

    It is the ``delta`` of :func:`attack` for a rule of one start that keeps the last point.
    """
    with torch.inference_mode(False), torch.no_grad():
        problem = _posed(f, scan, threat, rule, objective, generator)
        for state, _ in _walk(problem, rule, restart=0):
            delta = state.delta
        problem.check(delta)
        return delta


def _posed(
    f: Reconstructor,
    scan: Scan,
    threat: Threat,
    rule: Rule[S],
    objective: Objective,
    generator: Seeds,
) -> Problem:
    missing = [name for name in RULE if not hasattr(rule, name)]
    if missing or isinstance(rule, type):
        raise ValueError(f"rule: expected one such as smug.attacks.PGD(steps=10), got {shown(rule)}")
    draws, bank = rule.draws, rule.selection_draws
    return pose(f, scan, threat, objective=objective, draws=draws, selection_draws=bank, generator=generator)


def _search(problem: Problem, rule: Rule[S]) -> tuple[Tensor, Tensor, Tensor]:
    """Return per slice the winner, its objective, and the norms of all gradients."""
    keep_best = rule.keep == "best"
    best = torch.zeros_like(problem.y)
    value = problem.value(best) if keep_best else torch.full_like(problem.radius, torch.nan)
    norms = []
    for restart in range(rule.restarts):
        for state, now in _walk(problem, rule, restart):
            if state.gradient_norm is not None:
                norms.append(state.gradient_norm)
            if keep_best:
                best, value = _better(best, value, state.delta, now)
        if not keep_best:
            best, value = _better(best, value, state.delta, problem.value(state.delta))
    return best, value, torch.stack(norms) if norms else problem.radius.new_empty(0, len(problem.radius))


def _walk(problem: Problem, rule: Rule[S], restart: int) -> Iterator[tuple[S, Tensor]]:
    """Yield the rule's states, from the start on, and their objectives: NaN if the rule keeps the last."""
    unknown = torch.full_like(problem.radius, torch.nan)
    state = rule.init(problem.project(rule.start(problem, restart)), restart)
    for remaining in range(rule.steps, -1, -1):
        value = problem.value(state.delta) if rule.keep == "best" else unknown
        yield state, value
        if remaining:
            state = rule.step(state, value, problem)


def _better(best: Tensor, value: Tensor, delta: Tensor, challenge: Tensor) -> tuple[Tensor, Tensor]:
    """Return per slice the better of two points and its objective; anything is better than NaN."""
    wins = (challenge > value) | value.isnan()
    return torch.where(per_slice(wins, delta), delta, best), torch.where(wins, challenge, value)
