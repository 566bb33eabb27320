"""What perturbations do to a reconstructor, as PSNR in dB: means over slices, on noise that no attack saw."""

from dataclasses import replace
from typing import Any

from torch import Tensor

from smug.attacks import Problem, Rule, attack, relative_l2
from smug.attacks.problem import SCORE
from smug.data.scan import Scan, stacked
from smug.models.noise import derive
from smug.reconstructor import Reconstructor
from smug.shifts.noise import noise_in_range

NOISES = 3
"""Draws of the Gaussian noise that an attack is compared with."""


def psnr(problem: Problem, delta: Tensor) -> float:
    """Return the PSNR, of the complex difference, under a perturbation ``(batch, coil, y, x)``."""
    peak = problem.target.abs().flatten(1).amax(1)
    return float(10 * (peak.square() / problem.value(delta, SCORE)).log10().mean())


def attacked(problem: Problem, rule: Rule[Any], *, surrogate: Reconstructor | None = None, scale: float = 1) -> float:
    """Return the PSNR under the attack by a rule: on another reconstructor, or within a multiple of the radius."""
    return psnr(problem, perturbation(problem, rule, surrogate=surrogate, scale=scale))


def perturbation(
    problem: Problem, rule: Rule[Any], *, surrogate: Reconstructor | None = None, scale: float = 1
) -> Tensor:
    """Return the perturbation of :func:`attacked`."""
    f, threat = surrogate or problem.f, replace(problem.threat, value=scale * problem.threat.value)
    return attack(f, problem.y, problem.A, problem.target, threat, rule=rule, generator=problem.seeds).delta


def noisy(problem: Problem, scan: Scan, delta: Tensor) -> float:
    """Return the PSNR under Gaussian noise in the range of A with the l2 norm of ``delta``."""
    sizes = relative_l2(delta, problem.y, problem.A).tolist()
    total = 0.0
    for draw in range(NOISES):
        seeds = derive(problem.seeds, draw)
        rows = [noise_in_range(scan[i], size, seeds[i : i + 1]) for i, size in enumerate(sizes)]
        total += psnr(problem, stacked(rows).y - scan.y)
    return total / NOISES
