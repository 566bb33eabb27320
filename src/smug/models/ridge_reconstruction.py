"""Reconstruction with a ridge regulariser: the minimiser of one energy, and the denoiser that is its proximal map."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from smug.models.minimise import Minimum, accelerated_gradient, implicit, norm
from smug.models.noise import Seeds
from smug.models.ridge import FixedRidge, RidgeRegulariser
from smug.physics.sense import Sense

Gram = Callable[[Tensor, Tensor], Tensor]
"""``(maps, x) -> A^H A x``, in differentiable operations."""


@dataclass(frozen=True)
class RidgeEnergy:
    """``1/2 <x, A^H A x> - <A^H y, x> + lam R(x) + tau/2 ||x||^2``.

    Its parameters are ``A^H y``, the maps, lam, tau, the filters' spectra, and the two tensors of every term of R.
    """

    gram: Gram

    def gradient(self, x: Tensor, *parameters: Tensor) -> Tensor:
        """Return the gradient with respect to x."""
        aliased, maps, lam, tau, *ridge = parameters
        return self.gram(maps, x) - aliased + lam * fixed(ridge).gradient(x) + tau * x

    def curvature(self, x: Tensor, v: Tensor, *parameters: Tensor) -> Tensor:
        """Return the Hessian at x, applied to v."""
        _, maps, lam, tau, *ridge = parameters
        return self.gram(maps, v) + lam * fixed(ridge).curvature(x, v) + tau * v


def fixed(tensors: list[Tensor]) -> FixedRidge:
    """Return R from its tensors, as :func:`flat` lists them."""
    spectra, *terms = tensors
    return FixedRidge(spectra, tuple(zip(terms[::2], terms[1::2], strict=True)))


def flat(ridge: FixedRidge) -> list[Tensor]:
    """Return the tensors of R: spectra, and strength and scale of every term."""
    return [ridge.spectra, *(tensor for term in ridge.terms for tensor in term)]


@dataclass(frozen=True, eq=False)
class Ridge:
    """The image that minimises ``1/2 ||A x - y||^2 + lam R(x; sigma) + tau/2 ||x||^2``.

    ``lam`` and ``sigma``, numbers or real ``(batch,)``, weigh and scale the regulariser; ``sigma`` is in units of the
    image: ``Ridge(R, lam, c sigma)(c y) = c Ridge(R, lam, sigma)(y)``. With a convex R and ``tau > 0`` the map from y
    to the image has a gain of at most ``1 / (2 sqrt(tau))`` for perturbations of any size. The iteration stops where
    the gradient's norm is ``tolerance * ||A^H y||``, or after ``max_iterations``.

    Differentiable, twice, with respect to y, the maps, lam, sigma, tau and the weights of R, by the implicit function
    theorem. Raises ValueError for values out of range.
    """

    denoiser_calls: ClassVar[int] = 0
    regulariser: RidgeRegulariser
    lam: float | Tensor = 1.0
    sigma: float | Tensor = 0.02
    tau: float | Tensor = 0.0
    tolerance: float = 1e-3
    max_iterations: int = 500

    def __post_init__(self) -> None:
        """Check the values."""
        for name, least in (("lam", 0), ("sigma", 0), ("tau", -1)):
            value = torch.as_tensor(getattr(self, name)).detach()
            if value.is_complex() or value.ndim > 1 or not bool(((value > least) & value.isfinite()).all()):
                raise ValueError(f"{name}: expected a finite number, or real (batch,), in range, got {value.tolist()}")

    def __call__(self, y: Tensor, A: Sense, generator: Seeds = None) -> Tensor:
        """Reconstruct complex ``(batch, y, x)`` from k-space ``(batch, coil, y, x)``; nothing is random."""
        return self.minimum(y, A).value

    def minimum(self, y: Tensor, A: Sense) -> Minimum:
        """Return the reconstruction and how it was reached."""
        aliased = A.H(y)
        lam, tau = (_column(value, aliased) for value in (self.lam, self.tau))
        ridge = self.regulariser.at(aliased.shape, self.sigma, aliased)
        energy = RidgeEnergy(lambda maps, x: (maps.conj() * A.sample(maps * x.unsqueeze(-3))).sum(-3))
        parameters = [aliased, A.maps, lam, tau, *flat(ridge)]
        with torch.no_grad():
            frozen = [parameter.detach() for parameter in parameters]
            steepness = (1 + lam * self.regulariser.lipschitz().to(lam.dtype) + tau).reshape(-1)
            found = accelerated_gradient(
                lambda x: A.gram(x) - frozen[0] + frozen[2] * fixed(frozen[4:]).gradient(x) + frozen[3] * x,
                frozen[0],
                steepness,
                self.tolerance * norm(frozen[0]),
                self.max_iterations,
            )
        value = implicit(energy, found.value, parameters)
        return Minimum(value, found.iterations, found.gradient_norm, found.converged)


def _column(value: float | Tensor, like: Tensor) -> Tensor:
    return torch.as_tensor(value, dtype=like.real.dtype, device=like.device).reshape(-1, 1, 1)
