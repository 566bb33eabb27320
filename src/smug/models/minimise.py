"""Minimisers of smooth energies by accelerated gradient, differentiable by the implicit function theorem."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from smug.physics.consistency import conjugate_gradient, unit_of
from smug.physics.parts import image_norm, parts

Gradient = Callable[[Tensor], Tensor]
"""The gradient of an energy at images ``(batch, y, x)``, real or complex."""

SOLVE_ITERATIONS = 1000


class Energy(Protocol):
    """An energy of images that depends on parameters; images are real or complex ``(batch, y, x)``."""

    def gradient(self, x: Tensor, *parameters: Tensor) -> Tensor:
        """Return the gradient with respect to x; differentiable operations."""
        ...

    def hessian(self, x: Tensor, *parameters: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the Hessian with respect to x, a map of images; differentiable operations."""
        ...


@dataclass(frozen=True)
class Minimum:
    """Where the iteration ended; all but ``value`` are per image.

    ``gradient_norm`` is the l2 norm of the energy's gradient at ``value``; ``converged`` tells whether it met the
    tolerance.
    """

    value: Tensor
    iterations: Tensor
    gradient_norm: Tensor
    converged: Tensor


@torch.no_grad()
def accelerated_gradient(
    gradient: Gradient, start: Tensor, lipschitz: float | Tensor, tolerance: Tensor, max_iterations: int
) -> Minimum:
    """Minimise an energy with a Lipschitz gradient by Nesterov's method with restarts (O'Donoghue and Candes 2015).

    ``start`` is real or complex ``(batch, y, x)``, ``lipschitz`` a number or real ``(batch,)``; an image stops where
    the norm of its gradient is at most its ``tolerance``, real ``(batch,)``. Every image has its own momentum and stops
    by itself, so that its result does not depend on the others.
    """
    step = (1 / torch.as_tensor(lipschitz, dtype=start.real.dtype, device=start.device)).reshape(-1, 1, 1)
    x = v = start
    momentum = torch.ones_like(tolerance)
    iterations = torch.zeros_like(tolerance, dtype=torch.long)
    size, active = torch.full_like(tolerance, torch.inf), torch.ones_like(tolerance, dtype=torch.bool)
    result = start
    for iteration in range(max_iterations + 1):
        g = gradient(v)
        size = torch.where(active, image_norm(g), size)
        result = torch.where(active[:, None, None], v, result)
        active = active & (size > tolerance)
        if iteration == max_iterations or not bool(active.any()):
            break
        iterations = iterations + active
        new = v - step * g
        moved = new - x
        uphill = (parts(g) * parts(moved)).sum((-3, -2, -1)) > 0
        momentum = torch.where(uphill, 1, momentum)
        following = (1 + (1 + 4 * momentum**2).sqrt()) / 2
        weight = torch.where(uphill, 0, (momentum - 1) / following)[:, None, None]
        v = new + weight * moved
        x, momentum = new, following
    return Minimum(result, iterations, size, size <= tolerance)


def implicit(energy: Energy, minimum: Tensor, parameters: Sequence[Tensor], tolerance: float = 1e-6) -> Tensor:
    """Return a minimum that is differentiable with respect to the parameters of its energy, twice.

    By the implicit function theorem: with ``w = hess^-1 g`` for a gradient g of the loss with respect to the minimum,
    that with respect to a parameter is ``-<w, d grad / d parameter>``. Each costs a linear solve, to a residual of
    ``tolerance`` relative to g; no iteration of the minimisation is kept. Warns where the energy's curvature is
    negative, so that the solve stops.
    """
    if not torch.is_grad_enabled() or not any(parameter.requires_grad for parameter in parameters):
        return minimum
    result: Tensor = _Minimum.apply(energy, tolerance, minimum, *parameters)  # type: ignore[no-untyped-call]
    return result


class _Minimum(torch.autograd.Function):
    """The minimum as a function of the parameters."""

    @staticmethod
    def forward(ctx: Any, energy: Energy, tolerance: float, minimum: Tensor, *parameters: Tensor) -> Tensor:
        x = minimum.clone()
        ctx.energy, ctx.tolerance = energy, tolerance
        ctx.save_for_backward(x, *parameters)
        return x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, *parameters = ctx.saved_tensors
        wanted = tuple(ctx.needs_input_grad[3:])
        w = _Solve.apply(ctx.energy, ctx.tolerance, x, gradient, *parameters)  # type: ignore[no-untyped-call]
        found = iter(_Pulled.apply(ctx.energy, wanted, x, w, *parameters))  # type: ignore[no-untyped-call]
        return None, None, None, *(next(found) if want else None for want in wanted)


class _Solve(torch.autograd.Function):
    """``hess(x, parameters)^-1 v``: its gradient is one more solve, and what the Hessian's change does."""

    @staticmethod
    def forward(ctx: Any, energy: Energy, tolerance: float, x: Tensor, v: Tensor, *parameters: Tensor) -> Tensor:
        w = _solved(energy, tolerance, x, v, parameters)
        ctx.energy, ctx.tolerance = energy, tolerance
        ctx.save_for_backward(x, w, *parameters)
        return w

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, w, *parameters = ctx.saved_tensors
        t = _solved(ctx.energy, ctx.tolerance, x, gradient, parameters)
        inputs = _leaves((x, *parameters), (ctx.needs_input_grad[2], *ctx.needs_input_grad[4:]))
        with torch.enable_grad():
            product = ctx.energy.hessian(inputs[0], *inputs[1:])(w)
        of_x, *rest = _gradients(product, inputs, -t)
        return None, None, of_x, t, *rest


class _Pulled(torch.autograd.Function):
    """``-<w, d grad(x, parameters) / d parameter>`` for the parameters that are ``wanted``."""

    @staticmethod
    def forward(
        ctx: Any, energy: Energy, wanted: tuple[bool, ...], x: Tensor, w: Tensor, *parameters: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.energy, ctx.wanted = energy, wanted
        ctx.save_for_backward(x, w, *parameters)
        leaves = _leaves(parameters, wanted)
        with torch.enable_grad():
            slope = energy.gradient(x.detach(), *leaves)
        return tuple(g for g in _gradients(slope, leaves, -w) if g is not None)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        x, w, *parameters = leaves = _leaves(saved, (True,) * len(saved))
        with torch.enable_grad():
            slope = ctx.energy.gradient(x, *parameters)
            asked = [p for p, want in zip(parameters, ctx.wanted, strict=True) if want]
            pulled = torch.autograd.grad(slope, asked, -w, create_graph=True, materialize_grads=True)
            total = sum((_product(a, b) for a, b in zip(pulled, gradients, strict=True)), torch.zeros(()))
            found = torch.autograd.grad(total, leaves, allow_unused=True)
        return None, None, *found


def _solved(energy: Energy, tolerance: float, x: Tensor, v: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    with torch.no_grad():
        unit, hessian = unit_of(v), energy.hessian(x, *parameters)
        w, iterations, converged = conjugate_gradient(hessian, v * unit, tolerance, SOLVE_ITERATIONS)
    stopped = ~converged & (iterations < SOLVE_ITERATIONS) & image_norm(v).isfinite()
    if bool(stopped.any()):
        warnings.warn(
            f"the gradient of a minimum has not converged for {int(stopped.sum())} of {len(stopped)} images: "
            "the energy has negative curvature there; a larger tau, a smaller lam or a convex regulariser has none",
            RuntimeWarning,
            stacklevel=2,
        )
    return w / unit


def _leaves(tensors: Sequence[Tensor], wanted: Sequence[bool]) -> tuple[Tensor, ...]:
    return tuple(tensor.detach().requires_grad_(want) for tensor, want in zip(tensors, wanted, strict=True))


def _gradients(output: Tensor, inputs: Sequence[Tensor], of_output: Tensor) -> list[Tensor | None]:
    asked = [tensor for tensor in inputs if tensor.requires_grad]
    found = iter(torch.autograd.grad(output, asked, of_output, materialize_grads=True) if asked else ())
    return [next(found) if tensor.requires_grad else None for tensor in inputs]


def _product(a: Tensor, b: Tensor) -> Tensor:
    """The real inner product."""
    return (a.conj() * b).real.sum() if a.is_complex() else (a * b).sum()
