"""Where an attack starts: functions ``(problem, restart) -> delta``, in the shape of the measurements.

What they return is projected onto the threat afterwards. :func:`singular` is in a module of its own.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from smug.attacks.objective import to_clean
from smug.attacks.problem import START, Problem, gradient_of
from smug.models.noise import derive, normal
from smug.norm import joined, parts, per_slice
from smug.system.arguments import check_arguments

Start = Callable[[Problem, int], Tensor]
"""A start: the problem and the number of the restart to a perturbation."""


def zero(problem: Problem, restart: int) -> Tensor:
    """Start from the clean data."""
    return torch.zeros_like(problem.y)


def uniform(problem: Problem, restart: int) -> Tensor:
    """Start from a uniform draw of the ball."""
    seeds = derive(problem.seeds, START, restart)
    return problem.threat.uniform(seeds, problem.support, problem.radius, problem.y.dtype)


def gaussian(problem: Problem, restart: int) -> Tensor:
    """Start from parts drawn from N(0, eps^2), projected: for linf they are clipped to [-eps, eps]."""
    seeds = derive(problem.seeds, START, restart)
    y = problem.y
    return per_slice(problem.radius, y) * normal(seeds, tuple(y.shape[1:]), y.dtype, y.device)


def image(problem: Problem, restart: int) -> Tensor:
    """Start from the measurements of a random image, as large as the threat allows.

    Most of what is drawn in multi-coil k-space lies outside the range of A, where reconstructors ignore it.
    """
    seeds = derive(problem.seeds, START, restart)
    y = problem.A(_random_image(problem, seeds))
    scale = problem.radius / problem.threat.size(y)
    return joined(parts(y) * per_slice(scale, parts(y)).to(parts(y).dtype))


@check_arguments
def warm_start(delta: Tensor) -> Start:
    """Return the start from a perturbation that is known, in the shape of the measurements."""
    return lambda problem, restart: delta


def opposite(start: Start) -> Start:
    """Start from the negative of another start."""
    return lambda problem, restart: -start(problem, restart)


def in_turn(*starts: Start) -> Start:
    """Use these starts in turn: the first restart the first of them, and from the beginning again after the last."""
    return lambda problem, restart: starts[restart % len(starts)](problem, restart)


ITERATIONS = 10
"""Power iterations, a gradient each."""


def singular(problem: Problem, restart: int) -> Tensor:
    """Start along the top right singular vector v of the Jacobian J of ``y -> f(y)`` on the sampled entries.

    Power iteration, ``d <- eps steepest(J^H (f(y + d) - f(y)))``, at the size of the attack: J is that at ``y + d``,
    and d tends to ``eps v`` as far as f is linear over the ball. It takes first gradients of f and nothing else. With
    linf it is Boyd's method (1974) for the norm of J from linf to l2. The noise of f is frozen, and every restart finds
    the same.
    """
    seeds = derive(problem.seeds, START, -1)
    image = _random_image(problem, derive(seeds, 0))
    noise = derive(seeds, 1)
    unmoved = problem.reconstruct(problem.y, noise)
    delta = _as_large(problem, problem.A(image))

    def gain(delta: Tensor) -> Tensor:
        return to_clean(problem.reconstruct(problem.y + delta, noise), problem.target, unmoved)

    for _ in range(ITERATIONS):
        gradient, _ = problem.finite(gradient_of(gain, delta))
        delta = _as_large(problem, gradient)
    return delta


def _random_image(problem: Problem, seeds: Tensor) -> Tensor:
    return normal(seeds, problem.blank.shape[1:], problem.blank.dtype, problem.blank.device)


def _as_large(problem: Problem, direction: Tensor) -> Tensor:
    """Return the perturbation of the ball that goes furthest in a direction."""
    return per_slice(problem.radius, direction) * problem.threat.steepest(direction)
