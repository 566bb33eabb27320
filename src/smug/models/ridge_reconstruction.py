"""Reconstruction and denoising with a learned ridge regulariser, as every other reconstructor and denoiser here."""

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from smug.models.minimise import Minimum
from smug.models.noise import Seeds, check_seeds
from smug.models.reconstructors import NetworkReconstructor
from smug.models.ridge import RidgeRegulariser
from smug.models.ridge_energy import column, denoised, reconstruction
from smug.models.ridge_level import misfit_level
from smug.physics.operator import LinearOperator, Operator, check_measurements
from smug.physics.parts import image_norm
from smug.system.arguments import check_fields, check_integer
from smug.system.words import counted

LEVEL_TOLERANCE = 3e-3
"""Of the images from which the noise level is estimated: on a measured slice it came out a tenth too high."""


@dataclass(frozen=True, eq=False)
class Ridge(NetworkReconstructor):
    """``1 + tau`` times the image that minimises ``1/2 ||A x - y||^2 + lam R(x; sigma) + tau/2 ||x||^2``.

    R knows images of magnitude about 1: :func:`smug.normalised` brings measurements into these units. ``lam``, ``tau``
    and ``sigma`` are numbers or real ``(batch,)``. ``sigma`` is the noise level that R is told, per real and imaginary
    part; None takes that of the misfit, from the scan itself (:meth:`level`). The factor undoes what tau shrinks where
    everything is measured. The iteration stops where the gradient's norm is ``tolerance * ||A^H y||``, or after
    ``max_iterations``, with a warning.

    With a convex R, ``tau > 0`` and sigma frozen, the map from y to the image has a gain of at most
    ``(1 + tau) / (2 sqrt(tau))`` for perturbations of any size: :mod:`smug.bounds.ridge_bound`. Differentiable, twice,
    with respect to y, the tensors of A, lam, sigma, tau and the weights of R, by the implicit function theorem: memory
    does not grow with the iterations, and each gradient is a linear solve, to a relative residual ``solve_tolerance``.
    A level that is estimated counts as a constant. Raises ValueError for values out of range.
    """

    regulariser: RidgeRegulariser
    lam: float | Tensor = 0.5
    sigma: float | Tensor | None = None
    tau: float | Tensor = 0.0
    tolerance: float = 1e-4
    max_iterations: int = 1000
    solve_tolerance: float = 1e-4

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self)
        for name in ("lam", "sigma", "tau"):
            _check(name, getattr(self, name))
        for name in ("tolerance", "solve_tolerance"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name}: expected a number between 0 and 1, got {getattr(self, name)}")
        check_integer("max_iterations", self.max_iterations, 1)

    def __call__(self, y: Tensor, A: Operator, generator: Seeds = None) -> Tensor:
        """Reconstruct ``(batch, y, x)`` from measurements ``(batch, ...)``; nothing is random."""
        A = check_measurements(y, A)
        check_seeds(generator, len(y))
        found = self.minimum(y, A)
        self._warn_unconverged(found, y, A)
        return (1 + column(self.tau, found.value)) * found.value

    def minimum(self, y: Tensor, A: Operator) -> Minimum:
        """Return the minimiser, how often the iteration ran, and whether it converged."""
        A = check_measurements(y, A)
        if self.sigma is not None:
            return self._minimum(y, A, self.sigma)
        return self._minimum(y, A, *self._level(y, A))

    def level(self, y: Tensor, A: Operator) -> Tensor:
        """Return the noise level that R is told, real ``(batch,)``: sigma, or what the scan says."""
        A = check_measurements(y, A)
        if self.sigma is not None:
            return torch.as_tensor(self.sigma, dtype=y.real.dtype, device=y.device).expand(y.shape[0])
        return self._level(y, A)[0]

    def _level(self, y: Tensor, A: LinearOperator) -> tuple[Tensor, Tensor]:
        image = A.blank(y)
        lam, tau = (column(value, image).detach() for value in (self.lam, self.tau))
        return misfit_level(
            lambda sigma, start: self.replace(tolerance=LEVEL_TOLERANCE)._minimum(y, A, sigma, start),
            lambda sigma: self.regulariser.at(image.shape, sigma, image),
            y,
            A,
            lam,
            tau,
        )

    def _warn_unconverged(self, found: Minimum, y: Tensor, A: LinearOperator) -> None:
        """Warn where the iteration was stopped, in the same words for all of one decade: each is shown once."""
        stopped = ~found.converged & found.gradient_norm.isfinite()
        if bool(stopped.any()):
            left = (found.gradient_norm / image_norm(A.H(y.detach())))[stopped].amax()
            warnings.warn(
                f"ridge: the minimisation stopped after {counted(self.max_iterations, 'iteration')} with a gradient of "
                f"about {10 ** float(left.log10().round()):.0e} of that at zero, not {self.tolerance:.0e}, so that the "
                "image is not the minimiser; allow more by max_iterations",
                RuntimeWarning,
                stacklevel=1,  # one place, whoever calls
            )

    def _minimum(self, y: Tensor, A: LinearOperator, sigma: float | Tensor, start: Tensor | None = None) -> Minimum:
        return reconstruction(
            self.regulariser,
            y,
            A,
            self.lam,
            sigma,
            self.tau,
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
            solve_tolerance=self.solve_tolerance,
            start=start,
        )

    def image_networks(self) -> dict[str, nn.Module]:
        """Return nothing: a regulariser takes no image to another, and its gradient keeps no activations."""
        return {}

    @property
    def denoiser_calls(self) -> int:
        """No denoiser is called."""
        return 0


class RidgeDenoiser(nn.Module):
    """The proximal map of a ridge regulariser, ``argmin_u 1/2 ||u - x||^2 + R(u; sigma)``.

    A denoiser of images ``(batch, y, x)`` like any other, for :class:`smug.MoDL`, :func:`smug.unroll` and
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


def _check(name: str, value: float | Tensor | None) -> None:
    if value is None:
        return
    numbers = torch.as_tensor(value).detach()
    if numbers.is_complex() or numbers.dtype == torch.bool or numbers.ndim > 1 or not bool(numbers.isfinite().all()):
        raise ValueError(f"{name}: expected a finite number, or real (batch,), got {value}")
    if not bool((numbers >= 0 if name == "tau" else numbers > 0).all()):
        raise ValueError(f"{name}: expected a number {'>= 0' if name == 'tau' else '> 0'}, got {numbers.tolist()}")
