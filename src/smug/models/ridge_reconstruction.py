"""Reconstruction and denoising with a learned ridge regulariser, as every other reconstructor and denoiser here."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from smug.models.minimise import Minimum
from smug.models.noise import Seeds
from smug.models.reconstructors import NetworkReconstructor
from smug.models.ridge import RidgeRegulariser
from smug.models.ridge_energy import denoised, reconstruction
from smug.physics.sense import Sense, check_measurements
from smug.system.arguments import check_fields, check_integer


@dataclass(frozen=True, eq=False)
class Ridge(NetworkReconstructor):
    """The image that minimises ``1/2 ||A x - y||^2 + lam R(x; sigma) + tau/2 ||x||^2``.

    ``lam`` and ``sigma``, numbers or real ``(batch,)``, weigh and scale the regulariser; ``sigma`` is in units of the
    image: ``Ridge(R, lam, c sigma)(c y) = c Ridge(R, lam, sigma)(y)``. With a convex R and ``tau > 0`` the map from y
    to the image has a gain of at most ``1 / (2 sqrt(tau))`` for perturbations of any size (:mod:`smug.bounds`). The
    iteration stops where the gradient's norm is ``tolerance * ||A^H y||``, or after ``max_iterations``.

    Differentiable, twice, with respect to y, the maps, lam, sigma, tau and the weights of R, by the implicit function
    theorem: memory does not grow with the iterations. Raises ValueError for values out of range.
    """

    regulariser: RidgeRegulariser
    lam: float | Tensor = 1.0
    sigma: float | Tensor = 0.01
    tau: float | Tensor = 0.0
    tolerance: float = 1e-4
    max_iterations: int = 500

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self)
        for name in ("lam", "sigma", "tau"):
            value = torch.as_tensor(getattr(self, name)).detach()
            if value.is_complex() or value.dtype == torch.bool or value.ndim > 1 or not bool(value.isfinite().all()):
                raise ValueError(f"{name}: expected a finite number, or real (batch,), got {getattr(self, name)}")
            if not bool((value >= 0 if name == "tau" else value > 0).all()):
                least = "at least 0" if name == "tau" else "above 0"
                raise ValueError(f"{name}: expected a number {least}, got {value.tolist()}")
        if not 0 < self.tolerance < 1:
            raise ValueError(f"tolerance: expected a number between 0 and 1, got {self.tolerance}")
        check_integer("max_iterations", self.max_iterations, 1)

    def __call__(self, y: Tensor, A: Sense, generator: Seeds = None) -> Tensor:
        """Reconstruct complex ``(batch, y, x)`` from k-space ``(batch, coil, y, x)``; nothing is random."""
        return self.minimum(y, A).value

    def minimum(self, y: Tensor, A: Sense) -> Minimum:
        """Return the reconstruction, and how often the iteration ran and whether it converged."""
        check_measurements(y, A)
        return reconstruction(
            self.regulariser,
            y,
            A,
            self.lam,
            self.sigma,
            self.tau,
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
        )

    @property
    def denoiser_calls(self) -> int:
        """No denoiser is called."""
        return 0


class RidgeDenoiser(nn.Module):
    """The proximal map of a ridge regulariser, ``argmin_u 1/2 ||u - x||^2 + R(u; sigma)``.

    A denoiser of complex images ``(batch, y, x)`` like any other, for :class:`smug.MoDL`, :func:`smug.unroll` and
    :func:`smug.smooth`. ``sigma``, the noise per part that it removes, is learned with the rest; with a convex R the
    map is nonexpansive.

    >>> D = RidgeDenoiser(RidgeRegulariser(filters=4, widths=(2,)))
    >>> D(torch.randn(2, 13, 18, dtype=torch.complex64)).shape
    torch.Size([2, 13, 18])
    """

    def __init__(self, regulariser: RidgeRegulariser, sigma: float = 0.01) -> None:
        super().__init__()
        self.regulariser = regulariser
        self.log_sigma = nn.Parameter(torch.tensor(sigma).log())

    def forward(self, x: Tensor) -> Tensor:
        """Denoise."""
        return denoised(self.regulariser, x, self.log_sigma.exp()).value
