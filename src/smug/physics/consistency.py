"""The data-consistency system (A^H A + lam) x = b, by conjugate gradients with an implicit gradient."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from smug.physics.sense import Sense
from smug.system.arguments import check_arguments, check_integer, check_number


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

    >>> A = Sense(mask=torch.ones(1, 8, dtype=torch.bool))
    >>> with observed_solutions() as solutions:
    ...     x = solve(A, torch.ones(1, 6, 8, dtype=torch.complex64), 1.0).value
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
def solve(A: Sense, b: Tensor, lam: float | Tensor, *, tolerance: float = 1e-6, max_iterations: int = 100) -> Solution:
    """Solve ``(A^H A + lam) x = b`` for every image on its own.

    ``b`` is complex ``(..., batch, y, x)``; ``lam >= 0`` is a number or real and broadcasts to the leading axes of
    ``b``. ``tolerance`` is relative to ``||b||``. Differentiable with respect to ``b``, ``lam`` and ``A.maps``, any
    number of times, by the implicit function theorem: memory does not grow with the iterations, and each gradient
    costs one more solve. Raises ValueError for shapes that do not fit, a negative ``lam`` or a tolerance that is not
    positive.
    """
    A.check_image(b)
    lam = torch.as_tensor(lam, dtype=b.real.dtype, device=b.device)
    if not bool((lam.detach() >= 0).all()):
        raise ValueError(f"lam: expected a number >= 0, got {lam.detach().flatten()[:4].tolist()}")
    check_number("tolerance", tolerance, above=0)
    check_integer("max_iterations", max_iterations, 1)
    value, iterations, residual, converged = _apply(b, lam[..., None, None], A.maps, A, tolerance, max_iterations)
    return Solution(value, iterations, residual, converged)


class _Solve(torch.autograd.Function):
    """x = P b with P = (A^H A + lam)^-1, and its gradient.

    For a gradient g of the loss with respect to x, w = P g gives
    dL/db = w, dL/dlam = -Re<w, x>, dL/ds_c = -(conj(w) N s_c x + conj(x) N s_c w) with N = F^H M F.
    All are differentiable operations, so second derivatives follow. ``maps`` are those of A, told apart for autograd.
    """

    @staticmethod
    def forward(
        ctx: Any, b: Tensor, lam: Tensor, maps: Tensor, A: Sense, tolerance: float, max_iterations: int
    ) -> tuple[Tensor, ...]:
        x, iterations, converged = conjugate_gradient(lambda p: A.gram(p) + lam * p, b, tolerance, max_iterations)
        residual = _norm(b - A.gram(x) - lam * x) / _norm(b).clamp_min(torch.finfo(lam.dtype).tiny)
        x = x.masked_fill_(~residual.isfinite()[..., None, None], torch.nan)
        ctx.save_for_backward(lam, maps, x)
        ctx.settings = (A, tolerance, max_iterations)
        ctx.mark_non_differentiable(iterations, residual, converged)
        return x, iterations, residual, converged

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        lam, maps, x = ctx.saved_tensors
        A = ctx.settings[0]
        w = _apply(gradients[0], lam, maps, *ctx.settings)[0]
        grad_lam = grad_maps = None
        if ctx.needs_input_grad[1]:
            grad_lam = -(w.conj() * x).real.sum((-2, -1), keepdim=True).sum_to_size(lam.shape)
        if ctx.needs_input_grad[2]:
            wc, xc = w.unsqueeze(-3), x.unsqueeze(-3)
            grad_maps = -(wc.conj() * A.sample(maps * xc) + xc.conj() * A.sample(maps * wc)).sum_to_size(maps.shape)
        return w, grad_lam, grad_maps, None, None, None


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
    energy = _norm(r).square()
    target = tolerance**2 * energy
    iterations = torch.zeros_like(energy, dtype=torch.long)
    active = energy > target
    for _ in range(max_iterations):
        if not bool(active.any()):
            break
        q = apply(p)
        curvature = (torch.view_as_real(p) * torch.view_as_real(q)).sum((-3, -2, -1))  # Re <p, q>
        active = active & (curvature > 0)
        step = torch.where(active, energy / curvature, 0)[..., None, None]
        x.addcmul_(step, p)
        r.addcmul_(step, q, value=-1)
        previous, energy = energy, _norm(r).square()
        p.mul_(torch.where(active, energy / previous, 0)[..., None, None]).add_(r)
        iterations = iterations + active
        active = active & (energy > target)
    return x, iterations, energy <= target


def _norm(x: Tensor) -> Tensor:
    """The l2 norm of every image, of its parts: torch computes that of complex numbers many times slower."""
    norm: Tensor = torch.linalg.vector_norm(torch.view_as_real(x.resolve_conj()), dim=(-3, -2, -1))
    return norm
