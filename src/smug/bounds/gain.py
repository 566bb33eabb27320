r"""Local gain: how much a reconstructor amplifies the worst and the average small perturbation of its measurements.

J is the Jacobian of ``y -> F(y)`` from the entries that are measured (real and imaginary parts) to the image, at one y
and with F's own noise frozen. The largest singular value ``||J||`` is approached from below by the best unit vector v
in the span of the first iterates of power iteration on ``J^H J`` (Lanczos), which finds it many times faster than the
last iterate. ``||J v|| <= ||J|| <= Lip(F)``, so that every number of iterations gives a lower bound of the Lipschitz
constant, and never a certificate. J is what autograd makes of the reconstructor; whether it is the derivative of the
image is tried along v, by differences. ``||J||_F / sqrt(n)``, n the real numbers that are measured, is the gain on
random noise (root mean square); their ratio tells how much worse the worst direction is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from smug.bounds.bound import Estimate, LowerBound
from smug.evaluation_mode import check_mode
from smug.models.noise import Seeds, derive, entry_seeds, normal
from smug.norm import L2, parts, per_slice
from smug.physics.operator import Operator, check_measurements
from smug.reconstructor import Reconstructor, taking_generator
from smug.system.arguments import check_arguments, check_integer
from smug.threat import measured_numbers

LinearMap = Callable[[Tensor], Tensor]

START, PROBE, OWN = range(3)
"""Streams of random numbers: the first vector, the probes of the average, and the noise of the reconstructor."""

SIZES = (1e-3, 1e-4, 1e-2, 1e-5, 1e-1, 1e-6, 1e-7)
"""Half widths of the differences that J is compared with, relative to y: kinks want small ones, rounding large ones."""

UNLIKE = 0.5
"""Relative error of ``J v`` above which J is not the derivative: at its best size rounding and kinks leave far less,
and the noise level of ridge, which counts as a constant, 0.25."""


@dataclass(frozen=True, eq=False)
class LocalGain:
    """The gain at one y, real ``(batch,)``, and the perturbation that has it.

    ``worst`` is the largest ``||J v||`` that was found, ``average`` Hutchinson's estimate of ``||J||_F / sqrt(n)``,
    ``vector`` the unit v, in the shape of y, zero where nothing is measured.
    """

    worst: Tensor
    average: Tensor
    vector: Tensor

    @property
    def ratio(self) -> Tensor:
        """How many times the worst direction is worse than a random one, real ``(batch,)``."""
        return self.worst / self.average

    def bounds(self, row: int = 0) -> tuple[LowerBound, Estimate]:
        """Return the two of one slice, typed."""
        frozen = ("at this y", "the reconstructor's own noise is frozen")
        return (
            LowerBound(float(self.worst[row]), "the Lipschitz constant, by ||J(y)||", frozen, name="local gain"),
            Estimate(float(self.average[row]), "||J(y)||_F / sqrt(n), by random probes", frozen, name="gain on noise"),
        )


@check_arguments
def local_gain(
    f: Reconstructor, y: Tensor, A: Operator, *, iterations: int = 10, probes: int = 4, generator: Seeds = None
) -> LocalGain:
    """Return the worst and the average gain of ``f`` around ``y``, measurements ``(batch, ...)``.

    ``J v`` comes from differentiating ``J^H w``, which is linear in w, once more: any reconstructor that autograd can
    differentiate twice will do. All activations of one reconstruction and its gradient are kept. Raises ValueError for
    counts below 1, a network in training mode, and where what autograd differentiates is not the image: where it finds
    no path from y, or a derivative that differences along v contradict.
    """
    A = check_measurements(y, A)
    check_integer("iterations", iterations, 1)
    check_integer("probes", probes, 1)
    check_mode(f)
    seeds, support = entry_seeds(generator, y.shape[0]), A.support(y)

    def F(z: Tensor) -> Tensor:
        return taking_generator(f)(z, A, generator=derive(seeds, OWN))

    with torch.inference_mode(False), torch.enable_grad():
        J, JH = jacobian(F, y.detach(), support)
        v = JH(_normal(derive(seeds, START), J(torch.zeros_like(y))))  # of a random image: not in the null space of J
        worst, vector = top_singular(J, JH, v, iterations)
        noise = (torch.where(support, _normal(derive(seeds, PROBE, i), y), 0) for i in range(probes))
        squares = torch.stack([L2().size(J(u)).square() for u in noise]).mean(0)
        tried = torch.where(per_slice(worst > 0, v), vector, L2().steepest(v))  # v, where J seems to be zero
        _check_derivative(F, torch.where(support, y.detach(), 0), tried, J(tried))
    return LocalGain(worst, (squares / measured_numbers(y, A)).sqrt(), vector)


def jacobian(function: LinearMap, y: Tensor, support: Tensor) -> tuple[LinearMap, LinearMap]:
    """Return ``J v`` and ``J^H w`` of a function at y, with respect to its entries on ``support``.

    Both are linear over the reals, as J is. Raises ValueError where autograd finds no path from y to the result.
    """
    y = y.detach().requires_grad_()
    x = function(torch.where(support, y, 0))
    w = torch.zeros_like(x).requires_grad_()
    pulled = torch.autograd.grad(x, y, w, create_graph=True, materialize_grads=True)[0] if x.requires_grad else x
    if not pulled.requires_grad:
        raise ValueError("the reconstruction does not depend on y as far as autograd sees: its gradient is cut")

    def forward(v: Tensor) -> Tensor:
        return torch.autograd.grad(pulled, w, v, retain_graph=True, materialize_grads=True)[0]

    def adjoint(image: Tensor) -> Tensor:
        return torch.autograd.grad(x, y, image, retain_graph=True, materialize_grads=True)[0]

    return forward, adjoint


@torch.no_grad()
def _check_derivative(function: LinearMap, y: Tensor, v: Tensor, Jv: Tensor) -> None:
    """Raise ValueError where ``J v`` is not the derivative along v by central differences, at none of their sizes."""
    length = L2().size(y)
    length = per_slice(torch.where(length > 0, length, 1), y).to(v.real.dtype)  # a slice without signal has no unit
    size, error = L2().size(Jv), torch.full_like(L2().size(y), torch.inf)
    for half_width in SIZES:
        step = half_width * length
        found = (function(y + step * v) - function(y - step * v)) / (2 * per_slice(step, Jv))
        error = torch.fmin(error, L2().size(found - Jv) / torch.maximum(L2().size(found), size).clamp_min(1e-30))
        if bool((error <= UNLIKE).all()):
            return
    raise ValueError(
        f"the gradient is not that of the image: along the worst direction found autograd has {float(size.max()):.3g}, "
        f"differences differ by {float(error.max()):.0%}; smug.diagnosis.diagnose tells what is wrong with a gradient"
    )


def top_singular(J: LinearMap, JH: LinearMap, v: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Return the largest ``||J v||`` of the unit vectors in ``span{v, J^H J v, ...}``, real ``(batch,)``, and its v."""
    basis: list[Tensor] = []
    images: list[Tensor] = []
    for _ in range(iterations):
        for _ in range(2):  # once more, for the rounding of the first time
            for other in basis:
                v = v - per_slice(_inner(other, v), v) * other
            v = v / per_slice(L2().size(v).clamp_min(torch.finfo(v.dtype).tiny), v).to(v.real.dtype)
        basis.append(v)
        images.append(J(v))
        v = JH(images[-1])
    gram = torch.stack([torch.stack([_inner(one, other) for other in images], -1) for one in images], -1)
    weights = torch.linalg.eigh(gram.double()).eigenvectors[..., -1]  # (batch, iterations)
    vector, image = (torch.einsum("kb...,bk->b...", torch.stack(some), weights.to(some[0])) for some in (basis, images))
    length = L2().size(vector).clamp_min(torch.finfo(v.dtype).tiny)  # a map that is zero leaves a vector of zero
    return L2().size(image) / length, vector / per_slice(length, vector).to(v.real.dtype)


def _inner(a: Tensor, b: Tensor) -> Tensor:
    """Return ``Re <a, b>`` of every slice, real ``(batch,)``."""
    return (parts(a) * parts(b)).flatten(1).sum(1)


def _normal(seeds: Tensor, like: Tensor) -> Tensor:
    return normal(seeds, like.shape[1:], like.dtype, like.device)
