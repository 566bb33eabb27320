"""Reconstructors without a network: CG-SENSE, total variation and the zero-filled image."""

from dataclasses import dataclass

import torch
from torch import Tensor

from smug.models.noise import Seeds, check_seeds
from smug.physics.consistency import residual_left, solve, warn_unconverged
from smug.physics.operator import Operator, check_measurements
from smug.reconstructor import Configured
from smug.system.arguments import check_fields, check_integer

SOLVE_ITERATIONS = 1000
"""The most of CG-SENSE, whose lam may be small: its image is one solve."""


class WithoutDenoiser(Configured):
    """What the reconstructors here share: settings, and no network."""

    @property
    def denoiser_calls(self) -> int:
        """No denoiser is called."""
        return 0


@dataclass(frozen=True)
class CGSense(WithoutDenoiser):
    """CG-SENSE (Pruessmann et al. 2001) with Tikhonov regularisation: ``(A^H A + lam)^-1 A^H y``.

    ``lam >= 0`` has no unit. Differentiable with respect to y and the tensors of A, by the implicit gradient of
    :func:`smug.solve`. Raises ValueError for a ``lam`` out of range.
    """

    lam: float = 0.01

    def __post_init__(self) -> None:
        """Check the value."""
        check_fields(self)
        if not 0 <= self.lam < float("inf"):
            raise ValueError(f"lam: expected a finite number >= 0, got {self.lam}")

    def __call__(self, y: Tensor, A: Operator, generator: Seeds = None) -> Tensor:
        """Reconstruct ``(batch, y, x)`` from measurements ``(batch, ...)``; nothing is random."""
        A = check_measurements(y, A)
        check_seeds(generator, len(y))
        solution = solve(A, A.H(y), self.lam, max_iterations=SOLVE_ITERATIONS)
        warn_unconverged(residual_left(solution), SOLVE_ITERATIONS)
        return solution.value


@dataclass(frozen=True)
class ZeroFilled(WithoutDenoiser):
    """The zero-filled image ``A^H y``: the adjoint alone."""

    def __call__(self, y: Tensor, A: Operator, generator: Seeds = None) -> Tensor:
        """Reconstruct ``(batch, y, x)`` from measurements ``(batch, ...)``; nothing is random."""
        A = check_measurements(y, A)
        check_seeds(generator, len(y))
        return A.H(y)


STEP = 1.9
"""Step size of the data term, times ``||A||^2``: the iteration converges below 2."""

NORM = 8
"""``||D||^2`` of the finite differences D in two dimensions, at most."""


@dataclass(frozen=True)
class TotalVariation(WithoutDenoiser):
    """The image that minimises ``1/2 ||A x - y||^2 + lam ||D x||_{2,1}``, approached in a fixed number of iterations.

    D takes the differences along y and x of the image; the norm sums their joint magnitude over pixels.
    ``lam > 0``, a number or real ``(batch,)``, is in units of y: ``TV(c lam)(c y) = c TV(lam)(y)``. The default has the
    best PSNR on normalised validation slices (:meth:`smug.data.scan.Scan.normalised`; 128 x 128, 4 coils, 4x, noise
    0.01); :func:`smug.normalised` brings other measurements into these units.

    Differentiable with respect to y, ``lam`` and the tensors of A, through the iterations: the memory of a gradient is
    about 7 images for each of them. Raises ValueError for values out of range.
    """

    lam: float | Tensor = 0.003
    iterations: int = 300

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self)
        lam = torch.as_tensor(self.lam).detach()
        if lam.is_complex() or lam.dtype == torch.bool or lam.ndim > 1 or not bool(((lam > 0) & lam.isfinite()).all()):
            raise ValueError(f"lam: expected a finite number > 0, or real (batch,), got {self.lam}")
        check_integer("iterations", self.iterations, 1)

    def __call__(self, y: Tensor, A: Operator, generator: Seeds = None) -> Tensor:
        """Reconstruct ``(batch, y, x)`` from measurements ``(batch, ...)``; nothing is random.

        Every iteration (Loris and Verhoeven 2011) is a gradient step of the data term, and one step of the dual of
        total-variation denoising, p, which goes on from the last one.
        """
        A = check_measurements(y, A)
        check_seeds(generator, len(y))
        # Why this one: 100 times A.gram at 128 x 128, 4x, come within 0.1 % of the minimum. For the same price the
        # exact proximal map of the data term (Chambolle and Pock 2011) is 5 to 20 % above it, as it solves a system in
        # every iteration, and the smaller steps of Condat and Vu leave 0.2 to 0.5 %. Nesterov's momentum with few dual
        # steps is faster for small lam, and fails for large.
        aliased = A.H(y)
        energy = A.norm_bound(aliased) ** 2
        x, step = aliased / energy, STEP / energy
        threshold = step * torch.as_tensor(self.lam, dtype=x.real.dtype, device=x.device)[..., None, None]
        p = torch.zeros_like(differences(x))
        pull = torch.zeros_like(x)  # D^H p
        for _ in range(self.iterations):
            descended = x - step * (A.gram(x) - aliased)
            p = _in_ball(p + differences(descended - threshold * pull) / (NORM * threshold))
            pull = differences_adjoint(p)
            x = descended - threshold * pull
        return x


def differences(x: Tensor) -> Tensor:
    """Return D x, the differences ``(2, ..., y, x)`` to the pixel before, along y and along x."""
    return torch.stack((x - x.roll(1, -2), x - x.roll(1, -1)))


def differences_adjoint(p: Tensor) -> Tensor:
    """Return D^H p, ``(..., y, x)``."""
    down, right = p.unbind()
    return down - down.roll(-1, -2) + right - right.roll(-1, -1)


def _in_ball(p: Tensor) -> Tensor:
    """Project on joint magnitudes of at most 1."""
    energy = (p * p.conj()).real.sum(0)  # the norm of complex numbers is ten times as slow
    return p * energy.clamp_min(1).rsqrt()
