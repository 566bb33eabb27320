"""The data-consistency system (A^H A + lam) x = b, by conjugate gradients with an implicit gradient."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from smug.physics.operator import LinearOperator, Operator, operator
from smug.physics.parts import image_norm, parts
from smug.system.arguments import check_arguments, check_integer, check_number

TOLERANCE, ITERATIONS = 1e-6, 100
"""Where a solve stops unless it is told otherwise."""


@dataclass(frozen=True)
class Solution:
    """The solution and how it was reached; all but ``value`` are per image.

    ``residual`` is ``||b - (A^H A + lam) x|| / ||b||``, recomputed from the result; ``converged`` tells whether the
    iteration met its tolerance before the cap. A right-hand side with NaN gives NaN and ``converged = False``.
    """

    value: Tensor
    iterations: Tensor
    residual: Tensor
    converged: Tensor


_OBSERVERS: ContextVar[tuple[list[Solution], ...]] = ContextVar("observers of solutions", default=())


@contextmanager
def observed_solutions() -> Iterator[list[Solution]]:
    """Collect the solutions of every :func:`solve` in the block, those of its gradients included.

    They are detached. It sees what this thread computes: everything on a processor; on a graphics card, where torch
    runs gradients in threads of its own, not the solutions of gradients.

    >>> A = operator(lambda x: 2 * x, lambda y: 2 * y)
    >>> with observed_solutions() as solutions:
    ...     x = solve(A, torch.ones(1, 6, 8), 1.0).value
    >>> [bool(solution.converged.all()) for solution in solutions]
    [True]
    """
    solutions: list[Solution] = []
    token = _OBSERVERS.set((*_OBSERVERS.get(), solutions))
    try:
        yield solutions
    finally:
        _OBSERVERS.reset(token)


@check_arguments
def solve(
    A: Operator, b: Tensor, lam: float | Tensor, *, tolerance: float = TOLERANCE, max_iterations: int = ITERATIONS
) -> Solution:
    """Solve ``(A^H A + lam) x = b`` for every image on its own.

    ``b`` is real or complex ``(..., batch, y, x)``; ``lam >= 0`` is a number or real and broadcasts to the leading axes
    of ``b``. ``tolerance`` is relative to ``||b||``. Differentiable with respect to ``b``, ``lam`` and the operator's
    own tensors (:attr:`smug.LinearOperator.differentiated`; those of ``Sense`` are the maps), any number of times, by
    the implicit function theorem: memory does not grow with the iterations, and each gradient costs one more solve.
    Raises ValueError for shapes that do not fit, a negative ``lam`` or a tolerance that is not positive.
    """
    A = operator(A)
    A.check_image(b)
    lam = torch.as_tensor(lam, dtype=b.real.dtype, device=b.device)
    if not bool((lam.detach() >= 0).all()):
        raise ValueError(f"lam: expected a number >= 0, got {lam.detach().flatten()[:4].tolist()}")
    check_number("tolerance", tolerance, above=0)
    check_integer("max_iterations", max_iterations, 1)
    settings = A, tolerance, max_iterations
    value, iterations, residual, converged = _apply(settings, b, lam[..., None, None], *A.differentiated)
    return Solution(value, iterations, residual, converged)


def residual_left(solution: Solution) -> Tensor:
    """Return the largest residual ``()`` of the images that were stopped before their tolerance, 0 without any."""
    return torch.where(solution.converged, 0, solution.residual).nan_to_num(0).amax()


def warn_unconverged(left: Tensor, max_iterations: int = ITERATIONS) -> None:
    """Warn where a :func:`residual_left` is not 0, in the same words for all of one decade: each is shown once."""
    if bool(left > 0):
        warnings.warn(
            f"data consistency: a solve stopped after {max_iterations} iterations with a relative residual of about "
            f"{10 ** float(left.log10().round()):.0e}, not {TOLERANCE:.0e}, so that the image is not that of its "
            "settings; a larger lam needs fewer iterations",
            RuntimeWarning,
            stacklevel=1,  # one place, whoever calls
        )


class _Solve(torch.autograd.Function):
    """x = P b with P = (A^H A + lam)^-1, and its gradient.

    For a gradient g of the loss with respect to x, w = P g gives dL/db = w, dL/dlam = -Re<w, x>, and for the tensors
    t of A ``dL/dt = -d Re<w, A^H A x> / dt``. All are differentiable operations, so second derivatives follow.
    ``tensors`` are those of A, told apart for autograd.
    """

    @staticmethod
    def forward(
        ctx: Any, settings: tuple[LinearOperator, float, int], b: Tensor, lam: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        A, tolerance, max_iterations = ctx.settings = settings
        unit = unit_of(b)
        b = b * unit
        x, iterations, converged = conjugate_gradient(lambda p: A.gram(p) + lam * p, b, tolerance, max_iterations)
        residual = image_norm(b - A.gram(x) - lam * x) / image_norm(b).clamp_min(torch.finfo(lam.dtype).tiny)
        known = residual.isfinite()
        x = (x / unit).masked_fill_(~known[..., None, None], torch.nan)
        ctx.save_for_backward(lam, x, *tensors)
        ctx.mark_non_differentiable(iterations, residual, converged)
        return x, iterations, residual, converged & known

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        lam, x, *tensors = ctx.saved_tensors
        A = ctx.settings[0]
        w = _apply(ctx.settings, gradients[0], lam, *tensors)[0]
        grad_lam, of_tensors = None, (None,) * len(tensors)
        if ctx.needs_input_grad[2]:
            grad_lam = -(w.conj() * x).real.sum((-2, -1), keepdim=True).sum_to_size(lam.shape)
        if any(ctx.needs_input_grad[3:]):
            of_tensors = tuple(-gradient for gradient in A.gram_gradients(tensors, w, x))
        return None, w, grad_lam, *of_tensors


def _apply(*arguments: Any) -> tuple[Tensor, ...]:
    results: tuple[Tensor, ...] = _Solve.apply(*arguments)  # type: ignore[no-untyped-call]
    for solutions in _OBSERVERS.get():
        solutions.append(Solution(*(result.detach() for result in results)))
    return results


def conjugate_gradient(
    apply: Callable[[Tensor], Tensor], b: Tensor, tolerance: float, max_iterations: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Solve ``apply(x) = b`` for a Hermitian positive definite ``apply``; return x, iterations, converged.

    Every image ``(..., y, x)`` has its own step sizes and stops by itself, so its result does not depend on the
    others. An image whose curvature is not positive (or is NaN) stops, not converged.
    """
    r = b.resolve_conj().clone()
    x, p = torch.zeros_like(r), r.clone()
    energy = image_norm(r).square()
    target = tolerance**2 * energy
    iterations = torch.zeros_like(energy, dtype=torch.long)
    active = energy > target
    for _ in range(max_iterations):
        if not bool(active.any()):
            break
        q = apply(p)
        curvature = (parts(p) * parts(q)).sum((-3, -2, -1))  # Re <p, q>
        active = active & (curvature > 0)
        step = torch.where(active, energy / curvature, 0)[..., None, None]
        x.addcmul_(step, p)
        r.addcmul_(step, q, value=-1)
        previous, energy = energy, image_norm(r).square()
        p.mul_(torch.where(active, energy / previous, 0)[..., None, None]).add_(r)
        iterations = iterations + active
        active = active & (energy > target)
    return x, iterations, energy <= target


def unit_of(b: Tensor) -> Tensor:
    """Return the power of two ``(..., 1, 1)`` that brings the largest part of every image near 1.

    Squares of it are then numbers in single precision too; nothing is rounded.
    """
    largest = parts(b).abs().amax((-3, -2, -1))[..., None, None]
    return torch.ldexp(torch.ones_like(largest), -torch.frexp(largest).exponent.clamp(-126, 126))
