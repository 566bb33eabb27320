"""The noise level that a ridge regulariser is told, from the scan alone.

What the image must be freed of is not the receiver's noise only: wrong maps and motion misfit the data too, and a clean
scan with poor maps wants the stronger regulariser. The level is that of the misfit itself, estimated as in generalised
cross-validation (Wahba 1983): ``sigma^2 = ||A x - y||^2 / (2 (N - d))`` with N complex samples, of which x follows d.
Both depend on the level that made x, so that it is found as a fixed point, from strong to weak.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from smug.models.fixed_ridge import FixedRidge
from smug.models.minimise import Minimum
from smug.models.noise import normal
from smug.physics.consistency import conjugate_gradient
from smug.physics.operator import LinearOperator
from smug.physics.parts import parts

START = 0.06
"""The first level: so strong that nothing of the aliasing is left."""

LEAST = 0.001
"""The lowest level, in parts of the image: below it, the regulariser was not trained."""

ROUNDS = 3
"""How often the level is estimated: the last one changes it by a few per cent."""

PROBE_TOLERANCE, PROBE_ITERATIONS = 0.03, 50
"""Where the linear system of a probe stops."""


@torch.no_grad()
def misfit_level(
    minimum: Callable[[Tensor, Tensor | None], Minimum],
    ridge: Callable[[Tensor], FixedRidge],
    y: Tensor,
    A: LinearOperator,
    lam: Tensor,
    tau: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return the level of the misfit, real ``(batch,)``, and the image that it makes, ``(batch, y, x)``.

    ``minimum(sigma, start)`` reconstructs with a level, from an image or None; ``ridge(sigma)`` is R at that level.
    """
    level = torch.full((y.shape[0],), START, dtype=y.real.dtype, device=y.device)
    x = minimum(level, None).value
    for _ in range(ROUNDS):
        level = _estimate(x, ridge(level), y, A, lam, tau).clamp(LEAST, START)
        x = minimum(level, x).value
    return level, x


def _estimate(x: Tensor, ridge: FixedRidge, y: Tensor, A: LinearOperator, lam: Tensor, tau: Tensor) -> Tensor:
    """Return ``(||A x - y||^2 / (2 (N - d)))^(1/2)``, with d from one random probe of the Hessian (Hutchinson)."""
    sampled = A.support(y)
    probe = sampled * normal(torch.zeros(1, dtype=torch.int64), y.shape[1:], y.dtype, y.device)
    of_ridge = ridge.hessian(x)
    answer, _, _ = conjugate_gradient(
        lambda v: A.gram(v) + lam * of_ridge(v) + tau * v, A.H(probe), PROBE_TOLERANCE, PROBE_ITERATIONS
    )
    size = _square(probe)
    followed = ((probe.conj() * A(answer)).real.flatten(1).sum(1) / size).clamp(0, 0.95)
    entries = (2 if y.is_complex() else 1) * sampled.flatten(1).sum(1)
    return (_square(A(x) - y * sampled) / (entries * (1 - followed))).sqrt()


def _square(y: Tensor) -> Tensor:
    return parts(y).square().flatten(1).sum(1)
