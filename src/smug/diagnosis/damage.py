"""What perturbations do to a reconstructor, as PSNR in dB: means over slices, on noise that no attack saw."""

from dataclasses import replace
from typing import Any

import torch
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


def perturbation(
    problem: Problem, rule: Rule[Any], *, surrogate: Reconstructor | None = None, scale: float = 1
) -> Tensor:
    """Return what a rule finds: on a surrogate for the reconstructor, or within a multiple of the threat's size."""
    f, threat = surrogate or problem.f, replace(problem.threat, value=scale * problem.threat.value)
    return attack(f, problem.y, problem.A, problem.target, threat, rule=rule, generator=problem.seeds).delta


def noisy(problem: Problem, scan: Scan, delta: Tensor) -> float:
    """Return the PSNR under Gaussian noise in the range of A with the l2 norm of ``delta``.

    An attack that leaves its budget unused is compared with as much noise as a random draw of the threat has.
    """
    uniform = problem.threat.uniform(problem.seeds, problem.support, problem.radius)
    sizes = torch.maximum(*(relative_l2(d, problem.y, problem.A) for d in (delta, uniform))).tolist()
    total = 0.0
    for draw in range(NOISES):
        seeds = derive(problem.seeds, draw)
        rows = [noise_in_range(scan[i], size, seeds[i : i + 1]) for i, size in enumerate(sizes)]
        total += psnr(problem, stacked(rows).y - scan.y)
    return total / NOISES
