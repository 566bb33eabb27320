"""Several attacks on one reconstructor: the worst of them for every slice."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from smug.attacks.driver import AttackResult
from smug.attacks.objective import Objective, to_target
from smug.attacks.problem import SCORE, pose
from smug.attacks.surrogate import noise_free
from smug.data.scan import Scan
from smug.models.noise import Seeds, derive, entry_seeds, normal
from smug.physics.operator import Operator
from smug.physics.sense import Sense
from smug.reconstructor import Described, Reconstructor
from smug.system.arguments import check_arguments, check_fields, check_integer, shown
from smug.threat import Threat, relative_l2

SUITE = 2**31
"""The stream of noise on which a suite compares its attempts; the attempts have streams of their own."""


class Run(Protocol):
    """An attack that is ready to run, such as :func:`smug.attacks.paper`, or ``attack`` with its rule bound."""

    def __call__(self, f: Reconstructor, scan: Scan, threat: Threat, *, generator: Seeds = None) -> AttackResult:
        """Attack."""
        ...


@dataclass(frozen=True)
class Attempt:
    """An attack and its name in tables."""

    name: str
    run: Run

    def __post_init__(self) -> None:
        """Check the fields."""
        check_fields(self)
        if not callable(self.run):
            raise ValueError(f"run: expected an attack (f, scan, threat, *, generator=None), got {shown(self.run)}")


@dataclass(frozen=True, eq=False)
class SuiteResult(AttackResult):
    """The result of the strongest attempt on each slice, and the objectives of all attempts.

    The objectives are of draws that no attempt has seen: ``selected_objective`` of the bank on which the attempts are
    compared, ``objective`` of fresh draws. ``gradient_norm`` has the gradients of all attempts, ``(steps, batch)``.
    """

    attack: tuple[str, ...]
    """The name of the attempt that won, one per slice."""
    objectives: Mapping[str, Tensor]
    """The objective of every attempt, ``(batch,)``, on the draws of noise that they are compared on."""
    flags: tuple[tuple[str, ...], ...]
    """Warnings about the attack, per slice."""


@check_arguments
def strongest(
    f: Reconstructor,
    scan: Scan,
    threat: Threat,
    attempts: Sequence[Attempt],
    *,
    objective: Objective = to_target,
    selection_draws: int = 1,
    score_draws: int = 1,
    generator: Seeds = None,
) -> SuiteResult:
    """Run all attempts and keep the worst perturbation of every slice, by ``objective``.

    Attempts are compared on ``selection_draws`` of the noise of ``f``, the winner is scored on ``score_draws`` others.
    The other arguments are those of :func:`smug.attacks.attack`. An objective that is NaN never wins against a number.
    Raises ValueError for no attempts or two of one name, RuntimeError for a perturbation outside the threat.
    """
    for name, count in (("selection_draws", selection_draws), ("score_draws", score_draws)):
        check_integer(name, count, 1)
    if not attempts or len({attempt.name for attempt in attempts}) < len(attempts):
        raise ValueError(f"attempts: expected some, of different names, got {[attempt.name for attempt in attempts]}")
    seeds = entry_seeds(generator, len(scan.y))
    results = {
        attempt.name: attempt.run(f, scan, threat, generator=derive(seeds, index))
        for index, attempt in enumerate(attempts)
    }
    deltas = torch.stack([result.delta for result in results.values()])
    with torch.inference_mode(False), torch.no_grad():
        bank = pose(
            f,
            scan,
            threat,
            objective=objective,
            selection_draws=selection_draws,
            generator=derive(seeds, SUITE),
        )
        values = torch.stack([bank.value(delta) for delta in deltas])
        winner = values.nan_to_num(nan=-torch.inf).argmax(0)
        delta, selected = (found[winner, torch.arange(len(winner), device=winner.device)] for found in (deltas, values))
        bank.check(delta)
        fresh = replace(bank, selection_draws=score_draws)
        return SuiteResult(
            delta=delta,
            objective=fresh.value(delta, SCORE),
            clean_objective=fresh.value(torch.zeros_like(delta), SCORE),
            selected_objective=selected,
            gradient_norm=torch.cat([result.gradient_norm for result in results.values()]),
            radius=bank.radius,
            relative_l2=relative_l2(delta, bank.y, bank.A),
            attack=tuple(attempts[index].name for index in winner.tolist()),
            objectives=dict(zip(results, values, strict=True)),
            flags=((),) * len(winner),
        )


@check_arguments
def transferred(run: Run) -> Run:
    """Return an attack that makes its perturbation on the noise-free reconstructor."""

    def transfer(f: Reconstructor, scan: Scan, threat: Threat, *, generator: Seeds = None) -> AttackResult:
        return run(noise_free(f), scan, threat, generator=generator)

    return transfer


@dataclass(frozen=True)
class Cost:
    """Calls of the reconstructor per slice: reconstructions alone, and with a gradient (forwards and backwards).

    Those of the noise-free reconstructor are counted apart: without 10 samples they cost a tenth.
    """

    forwards: int
    gradients: int
    noise_free_forwards: int
    noise_free_gradients: int


@check_arguments
def cost(run: Run) -> Cost:
    """Return what an attack costs on a random reconstructor, counted on the smallest of problems.

    >>> from smug.attacks import paper
    >>> cost(paper)
    Cost(forwards=3, gradients=10, noise_free_forwards=0, noise_free_gradients=0)
    """
    counting, A = CountingReconstructor(), Sense(mask=torch.ones(1, 4, dtype=torch.bool))
    target = torch.ones(1, 4, 4, dtype=torch.complex64)
    run(counting, Scan(A(target), A, target, ("counted",)), Threat(0.1, "linf", "kspace-l2"))
    return Cost(*(counting.calls[noisy, gradient] for noisy in (True, False) for gradient in (False, True)))


@dataclass(frozen=True)
class CountingReconstructor(Described):
    """A random linear reconstructor that counts its calls, with and without noise, with and without gradient."""

    noisy: bool = True
    calls: Counter[tuple[bool, bool]] = field(default_factory=Counter)

    def __call__(self, y: Tensor, A: Operator, generator: Seeds = None) -> Tensor:
        """Reconstruct."""
        self.calls[self.noisy, torch.is_grad_enabled()] += 1
        x = A.H(y)
        if not self.noisy:
            return x
        return x + normal(entry_seeds(generator, len(x)), x.shape[1:], x.dtype, x.device)

    def settings(self) -> Mapping[str, Any]:
        """Return the one setting, ``num_samples``: 1 with noise, 0 without."""
        return {"num_samples": int(self.noisy)}

    def replace(self, **changes: Any) -> Self:
        """Return it with or without noise; both count together."""
        return replace(self, noisy=changes["num_samples"] > 0)
