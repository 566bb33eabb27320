"""What is measured of a reconstructor's output and gradient, at the clean measurements, noise frozen.

Every function takes the :class:`smug.attacks.Problem`; what it returns is per slice, real ``(batch,)``, but for the
solver.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from smug.attacks import Problem, start
from smug.attacks.problem import gradient_of
from smug.diagnosis.flags import GRADIENT_ERROR
from smug.norm import L2, parts, per_slice
from smug.physics.consistency import observed_solutions

SIZES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
"""Half widths of central differences, relative to the measurements. Large ones cross the kinks of networks, small ones
lose digits to rounding and to the solver's tolerance; a gradient is wrong if it is so at each of them."""

RESOLUTION = 100
"""Changes of the image below this many units of rounding cannot be told from rounding."""


def output_difference(problem: Problem) -> Tensor:
    """Return the l2 distance of two calls with the same seeds, relative to the image."""
    one, two = (_reconstruct(problem, problem.y) for _ in range(2))
    return L2().size(one - two) / L2().size(one)


def batch_difference(problem: Problem) -> Tensor:
    """Return the l2 distance of the image of every slice alone and in its batch, relative to the image."""
    together, y, A = _reconstruct(problem, problem.y), problem.y, problem.A
    rows = [slice(i, i + 1) for i in range(len(y))]
    alone = torch.cat([problem.f(y[row], A[i], generator=problem.seeds[row]) for i, row in enumerate(rows)])
    return L2().size(together - alone) / L2().size(alone)


def promised_gain(problem: Problem) -> Tensor:
    """Return the change of the objective that its gradient promises for the whole radius, relative to the objective.

    It is NaN for a gradient that is not finite.
    """
    delta = problem.project(start.image(problem, 0))
    gradient, norm = problem.gradient(delta, 0, 0)
    promise = problem.radius * _dot(gradient, problem.threat.steepest(gradient))
    return torch.where(norm.isnan(), torch.nan, promise / problem.value(delta))


def solver_residual(problem: Problem) -> float:
    """Return the largest relative residual of :func:`smug.solve` in the reconstruction and its gradient; 0 without."""
    with observed_solutions() as solutions:
        problem.gradient(torch.zeros_like(problem.y), 0, 0)
    residuals = [solution.residual.max() for solution in solutions]
    return float(torch.stack(residuals).max()) if residuals else 0.0


def directional_error(problem: Problem) -> Tensor:
    """Return the relative error of the gradient along the worst of several directions v.

    With J the Jacobian of the reconstruction, ``u = J v`` by central differences and ``J^H u`` by the gradient,
    ``<J^H u, v> = ||u||^2``. Nothing cancels in it, so that it can be checked in single precision.
    """
    return torch.stack([_error_along(problem, v) for v in _directions(problem)]).amax(0)


def _directions(problem: Problem) -> Iterator[Tensor]:
    """Yield what data consistency, scale and attack see: a random image, the measurements, the gradient."""
    yield start.image(problem, 0)
    yield torch.where(problem.support, problem.y, 0)
    yield problem.gradient(torch.zeros_like(problem.y), 0, 0)[0]


def _error_along(problem: Problem, v: Tensor) -> Tensor:
    """Return the relative error of the derivative along ``v``: the smallest over the sizes of the difference."""
    length = L2().size(torch.where(problem.support, problem.y, 0)) / L2().size(v)
    v = v * per_slice(length, v).to(v.real.dtype)
    x = _reconstruct(problem, problem.y)
    resolved = RESOLUTION * torch.finfo(x.dtype).eps * L2().size(x)
    best = torch.full_like(resolved, torch.nan)
    for h in SIZES:
        change = (_reconstruct(problem, problem.y + h * v) - _reconstruct(problem, problem.y - h * v)) / 2
        u = change / h
        error = (_dot(_gradient(problem, u), v) / _dot(u, u) - 1).abs().nan_to_num(nan=torch.inf)
        best = torch.fmin(best, torch.where(L2().size(change) > resolved, error, torch.nan))
        if bool((best < GRADIENT_ERROR / 3).all()):
            break
    return torch.where(best.isnan(), 0, best)  # NaN: the image does not change along v


def _gradient(problem: Problem, u: Tensor) -> Tensor:
    """Return ``J^H u``, the gradient of ``Re <u, f(y)>``; zero where the graph is cut."""
    return gradient_of(lambda y: _dot(u, _reconstruct(problem, y)), problem.y)


def _reconstruct(problem: Problem, y: Tensor) -> Tensor:
    return problem.reconstruct(y, problem.seeds)


def _dot(one: Tensor, two: Tensor) -> Tensor:
    """Return the real inner product of every slice, accumulated in double precision."""
    return (parts(one) * parts(two)).flatten(1).sum(1, dtype=torch.float64)
