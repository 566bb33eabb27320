"""The problem that every attack works on: its values, gradients and constraints.

Randomness is addressed: every draw is a pure function of its slice's seed and of where it is used, in
streams that share no number. A slice's attack is the same alone and within any batch.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial

import torch
from torch import Tensor

from smug.attacks.objective import Objective, to_target
from smug.data.scan import Scan
from smug.models.noise import Seeds, derive, entry_seeds
from smug.norm import L2, per_slice
from smug.physics.operator import LinearOperator
from smug.reconstructor import Reconstructor, taking_generator
from smug.system.arguments import check_arguments, check_integer
from smug.system.user_code import copied
from smug.threat import Threat

START, GRADIENT, SELECTION, SCORE, PROPOSAL = -2, 1, 2, 3, 4
"""Streams of random numbers: starts, the noise of gradients, of the selection and of the final score, and proposals of
attacks without gradients. That of starts is no unrolling step, so that no smoothing noise repeats them, nor -1, that of
:func:`smug.noise_map`."""

TOLERANCE = 1e-6
"""How far, relatively, the norm of a finished perturbation may exceed its radius."""


@dataclass(frozen=True, eq=False)
class Problem:
    """The slices under attack, and what a rule may ask about them.

    ``scan`` has a target and carries no gradient; ``radius`` is real ``(batch,)``, ``seeds`` are int64 ``(batch,)``.
    ``draws`` and ``selection_draws`` are those of :class:`smug.attacks.Rule`.
    """

    f: Reconstructor
    scan: Scan
    threat: Threat
    radius: Tensor
    objective: Objective
    seeds: Tensor
    draws: int = 1
    selection_draws: int = 1

    @property
    def y(self) -> Tensor:
        """The clean measurements ``(batch, ...)``."""
        return self.scan.y

    @property
    def A(self) -> LinearOperator:
        """The operator that measured it."""
        return self.scan.A

    @property
    def target(self) -> Tensor:
        """The images to go away from, ``(batch, y, x)``."""
        return self.scan.truth

    @cached_property
    def support(self) -> Tensor:
        """The entries that are measured, bool with the shape of y."""
        return self.A.support(self.y)

    @cached_property
    def blank(self) -> Tensor:
        """An image of zeros, of the shape and dtype that the operator measures."""
        return self.A.blank(self.y)

    @cached_property
    def clean(self) -> Tensor:
        """The reconstruction of the clean data, averaged over the selection's draws."""
        with torch.no_grad():
            draws = (derive(self.seeds, SELECTION, draw) for draw in range(self.selection_draws))
            return torch.stack([self.reconstruct(self.y, seeds) for seeds in draws]).mean(0)

    def reconstruct(self, y: Tensor, seeds: Tensor) -> Tensor:
        """Return ``f(y)``; raises ValueError if it does not have the shape of the target."""
        x = self.f(y, self.A, generator=seeds)
        if x.shape != self.target.shape:
            raise ValueError(
                f"reconstruction: expected the shape of the target, {tuple(self.target.shape)}, got {tuple(x.shape)}"
            )
        return x

    def gradient(self, delta: Tensor, restart: int, step: int) -> tuple[Tensor, Tensor]:
        """Return the gradient of the objective, averaged over fresh draws, and its l2 norm ``(batch,)``.

        It is zero off the sampled entries. A slice's that is not finite is replaced by zero, its norm by NaN.
        """
        total = torch.zeros_like(delta)
        for draw in range(self.draws):
            seeds = derive(self.seeds, GRADIENT, restart, step, draw)
            total += gradient_of(partial(self._value, seeds=seeds), delta)
        return self.finite(total / self.draws)

    def finite(self, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """Return a gradient on the sampled entries and its l2 norm ``(batch,)``: zero and NaN if it is not finite."""
        gradient = torch.where(self.support, gradient, 0)
        norm = L2().size(gradient)
        finite = norm.isfinite()
        gradient = torch.where(per_slice(finite, gradient), gradient, 0)
        return gradient, torch.where(finite, norm, torch.nan).to(self.radius.dtype)

    def value(self, delta: Tensor, stream: int = SELECTION) -> Tensor:
        """Return the objective ``(batch,)``, averaged over draws that are the same for every perturbation."""
        with torch.no_grad():
            draws = (derive(self.seeds, stream, draw) for draw in range(self.selection_draws))
            return torch.stack([self._value(delta, seeds) for seeds in draws]).mean(0)

    def project(self, delta: Tensor) -> Tensor:
        """Return the nearest perturbation that the threat allows: on sampled entries, within the radius."""
        return self.threat.project(torch.where(self.support, delta, 0), self.radius)

    def check(self, delta: Tensor) -> None:
        """Raise RuntimeError for a perturbation that the threat does not allow."""
        inside = self.threat.size(delta) <= self.radius * (1 + TOLERANCE)
        if not bool(inside.all()) or bool(delta[~self.support].any()):
            raise RuntimeError(f"attack: the perturbation leaves the threat {self.threat} or the sampled entries")

    def _value(self, delta: Tensor, seeds: Tensor) -> Tensor:
        clean = self.target if self.objective is to_target else self.clean  # a reconstruction that it has no use for
        return self.objective(self.reconstruct(self.y + delta, seeds), self.target, clean)


@check_arguments
def pose(
    f: Reconstructor,
    scan: Scan,
    threat: Threat,
    *,
    objective: Objective = to_target,
    draws: int = 1,
    selection_draws: int = 1,
    generator: Seeds = None,
) -> Problem:
    """Return the problem of attacking ``f``; arguments and errors are those of :func:`smug.attacks.attack`."""
    for name, count in (("draws", draws), ("selection_draws", selection_draws)):
        check_integer(name, count, 1)
    y, A, target = scan.y.detach().clone(), copied(scan.A), scan.truth.detach().clone()
    scan = replace(scan, y=y, A=A, target=target)  # a rule of somebody's may work in place
    seeds, radius = entry_seeds(generator, len(scan.y)), threat.radius(scan.y, scan.A, scan.truth)
    return Problem(taking_generator(f), scan, threat, radius, objective, seeds, draws, selection_draws)


def gradient_of(function: Callable[[Tensor], Tensor], delta: Tensor) -> Tensor:
    """Return the gradient of each slice's value ``(batch,)`` with respect to its perturbation."""
    with torch.enable_grad():
        delta = delta.detach().requires_grad_()
        value = function(delta)
        if not value.requires_grad:  # the reconstructor cut the graph: visible as a gradient of norm zero
            return torch.zeros_like(delta)
        return torch.autograd.grad(value.sum(), delta, materialize_grads=True)[0]
