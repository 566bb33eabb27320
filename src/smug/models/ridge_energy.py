"""Energies of a ridge regulariser, and their minimisers: a reconstruction and a denoiser."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from smug.models.fixed_ridge import FixedRidge
from smug.models.minimise import Minimum, accelerated_gradient, implicit
from smug.models.ridge import RidgeRegulariser
from smug.physics.operator import LinearOperator
from smug.physics.parts import image_norm, parts

Gram = Callable[[Sequence[Tensor], Tensor], Tensor]
"""``(tensors of A, x) -> A^H A x``, in differentiable operations."""

DENOISER_TOLERANCE = 1e-3
"""Where denoising stops: the norm of the energy's gradient, in parts of the noise's."""


@dataclass(frozen=True)
class RidgeEnergy:
    """``1/2 <x, A^H A x> - <A^H y, x> + lam R(x) + tau/2 ||x||^2``.

    Its parameters are ``A^H y``, lam, tau, the ``count`` tensors of A that gradients are wanted of, the filters'
    spectra, and the two tensors of every term of R.
    """

    gram: Gram
    count: int = 0

    def gradient(self, x: Tensor, *parameters: Tensor) -> Tensor:
        """Return the gradient with respect to x."""
        aliased, lam, tau, *rest = parameters
        of_A, ridge = rest[: self.count], rest[self.count :]
        return self.gram(of_A, x) - aliased + lam * _ridge(ridge).gradient(x) + tau * x

    def hessian(self, x: Tensor, *parameters: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the Hessian at x."""
        _, lam, tau, *rest = parameters
        of_A, of_ridge = rest[: self.count], _ridge(rest[self.count :]).hessian(x)
        return lambda v: self.gram(of_A, v) + lam * of_ridge(v) + tau * v


def reconstruction(
    regulariser: RidgeRegulariser,
    y: Tensor,
    A: LinearOperator,
    lam: float | Tensor,
    sigma: float | Tensor,
    tau: float | Tensor,
    *,
    tolerance: float,
    max_iterations: int,
    solve_tolerance: float = 1e-6,
    start: Tensor | None = None,
) -> Minimum:
    """Return the minimiser of ``1/2 ||A x - y||^2 + lam R(x; sigma) + tau/2 ||x||^2`` and how it was reached.

    It starts at an image, by default ``A^H y``, and stops where the norm of the gradient is ``tolerance * ||A^H y||``.
    Gradients of what follows are solved for to ``solve_tolerance``.
    Differentiable, twice, with respect to y, the tensors of A, lam, sigma, tau and the weights of R.
    """
    aliased = A.H(y)
    ridge = regulariser.at(aliased.shape, sigma, aliased)
    return _minimum(
        RidgeEnergy(A.gram_of, len(A.differentiated)),
        A.gram,
        A.norm_bound(aliased),
        [aliased, column(lam, aliased), column(tau, aliased), *A.differentiated, *_tensors(ridge)],
        regulariser.lipschitz(),
        aliased.detach() if start is None else start,
        tolerance * image_norm(aliased.detach()),
        max_iterations,
        solve_tolerance,
    )


def denoised(
    regulariser: RidgeRegulariser,
    x: Tensor,
    sigma: float | Tensor,
    *,
    tolerance: float = DENOISER_TOLERANCE,
    max_iterations: int = 200,
    solve_tolerance: float = 1e-6,
) -> Minimum:
    """Return the proximal map of R, ``argmin_u 1/2 ||u - x||^2 + R(u; sigma)``, of images ``(batch, y, x)``.

    ``sigma`` is the noise per part, a number or real ``(batch,)``. Differentiable with respect to x, sigma and the
    weights of R.
    """
    level = torch.as_tensor(sigma, dtype=x.real.dtype, device=x.device).detach()
    return _minimum(
        RidgeEnergy(lambda _, u: u),
        lambda u: u,
        1.0,
        [x, column(1.0, x), column(0.0, x), *_tensors(regulariser.at(x.shape, sigma, x))],
        regulariser.lipschitz(),
        x.detach(),
        (tolerance * level * (parts(x)[0].numel()) ** 0.5).expand(x.shape[0]),
        max_iterations,
        solve_tolerance,
    )


def _minimum(
    energy: RidgeEnergy,
    gram: Callable[[Tensor], Tensor],
    norm: float | Tensor,
    parameters: Sequence[Tensor],
    lipschitz: Tensor,
    start: Tensor,
    tolerance: Tensor,
    max_iterations: int,
    solve_tolerance: float = 1e-6,
) -> Minimum:
    """Minimise an energy with these parameters.

    ``gram`` is ``A^H A``, ``norm`` a bound of ``||A||``, ``lipschitz`` one of R's curvature.
    """
    with torch.no_grad():
        aliased, lam, tau, *rest = parameters
        fixed = _ridge(rest[energy.count :])
        steepness = (norm**2 + lam * lipschitz.to(lam.dtype) + tau).reshape(-1)
        found = accelerated_gradient(
            lambda x: gram(x) - aliased + lam * fixed.gradient(x) + tau * x, start, steepness, tolerance, max_iterations
        )
    value = implicit(energy, found.value, parameters, solve_tolerance)
    return Minimum(value, found.iterations, found.gradient_norm, found.converged)


def column(value: float | Tensor, like: Tensor) -> Tensor:
    """Return a number, or one per image, ready to multiply images with: real ``(1 or batch, 1, 1)``."""
    return torch.as_tensor(value, dtype=like.real.dtype, device=like.device).reshape(-1, 1, 1)


def _ridge(tensors: Sequence[Tensor]) -> FixedRidge:
    """Return R from its tensors, as :func:`_tensors` lists them."""
    spectra, *terms = tensors
    return FixedRidge(spectra, tuple(zip(terms[::2], terms[1::2], strict=True)))


def _tensors(ridge: FixedRidge) -> list[Tensor]:
    """Return the tensors of R: spectra, and strength and scale of every term."""
    return [ridge.spectra, *(tensor for term in ridge.terms for tensor in term)]
