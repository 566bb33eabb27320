"""The start along the direction that the reconstructor amplifies most."""

from torch import Tensor

from smug.attacks.norm import per_slice
from smug.attacks.objective import to_clean
from smug.attacks.problem import START, Problem, gradient_of
from smug.models.noise import complex_normal, derive

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
    image = complex_normal(derive(seeds, 0), problem.target.shape[1:], problem.y.dtype, problem.y.device)
    noise = derive(seeds, 1)
    unmoved = problem.reconstruct(problem.y, noise)
    delta = _as_large(problem, problem.A(image))

    def gain(delta: Tensor) -> Tensor:
        return to_clean(problem.reconstruct(problem.y + delta, noise), problem.target, unmoved)

    for _ in range(ITERATIONS):
        gradient, _ = problem.finite(gradient_of(gain, delta))
        delta = _as_large(problem, gradient)
    return delta


def _as_large(problem: Problem, direction: Tensor) -> Tensor:
    """Return the perturbation of the ball that goes furthest in a direction."""
    return per_slice(problem.radius, direction) * problem.threat.steepest(direction)
