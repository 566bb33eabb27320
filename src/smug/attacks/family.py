"""The worst case within a family of perturbations: its parameters are what is attacked, by the rules of all attacks."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from smug.attacks.apgd import APGD
from smug.attacks.driver import AttackResult, Rule, attack
from smug.attacks.objective import Objective, to_target
from smug.attacks.problem import START, Problem
from smug.data.scan import Scan
from smug.models.noise import Seeds, derive, entry_seeds
from smug.norm import NORMS, per_slice
from smug.physics.operator import LinearOperator
from smug.reconstructor import Reconstructor, taking_generator
from smug.system.arguments import check_arguments, check_fields, check_number
from smug.threat import Threat, relative_l2


@dataclass(frozen=True)
class Family:
    """Perturbations with parameters, such as the motion of a patient: not every change of the measurements is one.

    ``apply(scan, parameters, seeds) -> y`` returns the measurements with parameters ``(batch, ...)``, of which zeros
    change nothing; torch can differentiate it in them. ``shape(scan)`` is that of the parameters of one slice, complex
    if ``is_complex``. Their size is their ``norm``: "linf", the largest, or "l2" of all, in ``unit``. What else is
    random, such as places, is a function of ``seeds``, ``int64 (batch,)``.
    """

    name: str
    description: str
    apply: Callable[[Scan, Tensor, Tensor], Tensor]
    shape: Callable[[Scan], tuple[int, ...]]
    norm: Literal["linf", "l2"]
    unit: str
    is_complex: bool = False

    def __post_init__(self) -> None:
        """Check the fields."""
        check_fields(self)


@dataclass(frozen=True, eq=False)
class FamilyResult:
    """The worst case within a family.

    ``scan`` holds the perturbed measurements, ``parameters`` made them, ``(batch, ...)``; of ``attack``, ``delta`` are
    the parameters, ``radius`` is their bound, and ``relative_l2`` is how much the measurements changed.
    """

    scan: Scan
    parameters: Tensor
    attack: AttackResult


def _as_large_as_allowed(problem: Problem, restart: int) -> Tensor:
    """Start from a random draw whose norm is the bound."""
    draw = problem.threat.uniform(
        derive(problem.seeds, START, restart), problem.support, problem.radius, problem.y.dtype
    )
    size = problem.threat.size(draw)
    scale = torch.where(size > 0, problem.radius / size, 0).to(problem.radius.dtype)
    return per_slice(scale, draw) * draw


RULE = APGD(steps=10, start=_as_large_as_allowed)
"""The rule of :func:`worst_of`: ten steps from the perturbation of :func:`random_of`, so that it is never milder."""


@check_arguments
def worst_of(
    f: Reconstructor,
    scan: Scan,
    family: Family,
    bound: float,
    *,
    rule: Rule[Any] = RULE,
    objective: Objective = to_target,
    generator: Seeds = None,
) -> FamilyResult:
    """Return the worst perturbation that is found in a family, with parameters of norm up to ``bound``.

    The families of Cartesian MRI are ``smug.shifts.FAMILIES``. ``rule`` and ``objective`` are those of
    :func:`smug.attacks.attack`, which searches the parameters; ``generator`` seeds the search and the family. Raises
    ValueError for a bound that is negative or not finite, and for a scan without target.
    """
    check_number("bound", bound, 0)
    seeds = entry_seeds(generator, len(scan.y))
    g = taking_generator(f)

    def of_parameters(parameters: Tensor, A: LinearOperator, generator: Seeds = None) -> Tensor:
        return g(family.apply(scan, parameters, seeds), scan.A, generator=generator)

    space = _space(scan, family)
    found = attack(of_parameters, space, _threat(space, family, bound), rule=rule, objective=objective, generator=seeds)
    worst = _perturbed(scan, family, found.delta, seeds)
    changed = relative_l2(worst.y - scan.y, scan.y, scan.A)
    return FamilyResult(worst, found.delta, replace(found, relative_l2=changed))


@check_arguments
def random_of(scan: Scan, family: Family, bound: float, generator: Seeds = None) -> Scan:
    """Return the scan with a random perturbation of a family, of parameters with norm ``bound``.

    It is what stands beside :func:`worst_of`, which starts from it for the same seeds. Raises ValueError for a bound
    that is negative or not finite.
    """
    check_number("bound", bound, 0)
    seeds = entry_seeds(generator, len(scan.y))
    shape, dtype = (len(scan.y), *family.shape(scan)), _dtype(scan, family)
    support = torch.ones(shape, dtype=torch.bool, device=scan.y.device)
    radius = torch.full((len(scan.y),), bound, dtype=dtype.to_real(), device=scan.y.device)
    norm = NORMS[family.norm]
    draw = norm.uniform(derive(seeds, START, 0), support, torch.ones_like(radius), dtype)
    scaled = per_slice((radius / norm.size(draw)).to(radius.dtype), draw) * draw
    return _perturbed(scan, family, norm.project(scaled, radius), seeds)


class _Parameters(LinearOperator):
    """Stands where the operator of measurements does, so that parameters can be attacked: nothing measures them."""

    def __init__(self, image: Tensor, parameters: Tensor) -> None:
        self.image, self.parameters = torch.zeros_like(image), parameters

    def __call__(self, image: Tensor) -> Tensor:
        return torch.zeros_like(self.parameters)

    def H(self, y: Tensor) -> Tensor:
        return torch.zeros_like(self.image)


def _space(scan: Scan, family: Family) -> Scan:
    """Return the scan whose measurements are the parameters, all zero."""
    parameters = torch.zeros(len(scan.y), *family.shape(scan), dtype=_dtype(scan, family), device=scan.y.device)
    return Scan(parameters, _Parameters(scan.truth, parameters), scan.truth, scan.id)


def _threat(space: Scan, family: Family, bound: float) -> Threat:
    """Return the threat whose absolute radius is the bound, whatever the measurements."""
    numbers = space.y[0].numel() * (2 if space.y.is_complex() else 1)
    return Threat(bound / (1 if family.norm == "linf" else numbers**0.5), family.norm, "noise", noise_sigma=1.0)


def _dtype(scan: Scan, family: Family) -> torch.dtype:
    return scan.y.dtype.to_complex() if family.is_complex else scan.y.dtype.to_real()


def _perturbed(scan: Scan, family: Family, parameters: Tensor, seeds: Tensor) -> Scan:
    return replace(scan, y=family.apply(scan, parameters, seeds)) if bool(parameters.any()) else scan
