"""Where an attack starts: functions ``(problem, restart) -> delta``, in the shape of k-space.

What they return is projected onto the threat afterwards.
"""

import torch
from torch import Tensor

from smug.attacks.norm import parts, per_slice
from smug.attacks.problem import START, Problem
from smug.models.noise import complex_normal, derive


def zero(problem: Problem, restart: int) -> Tensor:
    """Start from the clean data."""
    return torch.zeros_like(problem.y)


def uniform(problem: Problem, restart: int) -> Tensor:
    """Start from a uniform draw of the ball."""
    seeds = derive(problem.seeds, START, restart)
    return problem.threat.uniform(seeds, problem.support, problem.radius)


def gaussian(problem: Problem, restart: int) -> Tensor:
    """Start from parts drawn from N(0, eps^2), projected: for linf they are clipped to [-eps, eps]."""
    seeds = derive(problem.seeds, START, restart)
    y = problem.y
    return per_slice(problem.radius, y) * complex_normal(seeds, tuple(y.shape[1:]), y.dtype, y.device)


def image(problem: Problem, restart: int) -> Tensor:
    """Start from the measurements of a random image, as large as the threat allows.

    Most of what is drawn in multi-coil k-space lies outside the range of A, where reconstructors ignore it.
    """
    seeds = derive(problem.seeds, START, restart)
    target = problem.target
    y = problem.A(complex_normal(seeds, tuple(target.shape[1:]), problem.y.dtype, target.device))
    scale = problem.radius / problem.threat.size(y)
    return torch.view_as_complex(parts(y) * per_slice(scale, parts(y)).to(parts(y).dtype))
