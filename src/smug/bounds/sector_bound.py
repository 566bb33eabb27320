r"""The sharpest bound that a sector of the denoiser and the spectrum of A allow.

Let D lie in a sector (:class:`smug.models.sector.Sector`) of centre c and radius rho. A perturbation d makes
``e_0 = A^H d``, ``e_{k+1} = P A^H d + lam P (c e_k + u_k)`` with ``||u_k|| <= rho ||e_k||``. For any multipliers
``t_k >= 0``::

    ||e_N||^2 <= ||e_N||^2 + sum_k t_k (rho^2 ||e_k||^2 - ||u_k||^2) <= gamma^2(t) ||d||^2,

where ``gamma^2`` is the largest value of the middle over *all* u and all d of norm 1 (Lagrangian duality, the
S-procedure of control theory). The middle splits over the singular values s of A, so that it is a dynamic program with
quadratic values ``V_k(e, d) = X_11 e^2 + 2 X_12 e d + X_22 d^2``: with ``q = lam / (lam + s^2)``,
``b = s / (s^2 + lam)`` and ``v = q c e + b d``::

    V_N = e^2,    V_k(e, d) = t_k rho^2 e^2 + max_u [V_{k+1}(v + q u, d) - t_k u^2],    gamma^2 = max_s V_0(s, 1),

finite where ``t_k > q^2 X_11``. *Every* t gives a bound; gamma^2 is convex in t, and gradient descent finds a good one.
It is never worse (at the best t) than the bounds of :mod:`smug.bounds.chain` and those by the Lipschitz constant,
since it bounds the worst u itself, and where singular values are many u reaches it. All coefficients are >= 0 (c is),
so V grows with q, b and s, and an interval of s is covered by the largest of each.
"""

import math

import torch
from torch import Tensor

from smug.bounds.spectrum import Spectrum, tikhonov
from smug.models.sector import Sector

PROBES = 256
"""Singular values that the multipliers are tuned on; the bound is then taken over all."""

ROUNDING = 1e-6
"""What the bound is enlarged by, relatively: far more than the rounding in double precision."""


def sector_bound(spectrum: Spectrum, steps: int, lam: float, sector: Sector, iterations: int = 100) -> float:
    """Return C with ``||F(y + d) - F(y)|| <= C ||d||`` for ``steps`` unrolling steps of a denoiser in ``sector``.

    Infinite where double precision does not suffice. Seconds at most; the same value every time.
    """
    system = _system(spectrum, lam)
    if sector.radius == 0:
        return _largest(system, sector, torch.zeros(steps, dtype=torch.float64))
    with torch.inference_mode(False), torch.enable_grad():
        few = system[:, _spread(system)].clone()
        theta = torch.full((steps,), -math.log(sector.radius), dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.Adam([theta])
        best, best_theta = math.inf, theta.detach().clone()
        for i in range(iterations):
            squared = _squared(few, sector, theta).max()
            if not bool(squared.isfinite()):
                return math.inf
            if float(squared.detach()) < best:
                best, best_theta = float(squared.detach()), theta.detach().clone()
            optimiser.param_groups[0]["lr"] = 0.3 * (1 - i / iterations) + 1e-3
            (theta.grad,) = torch.autograd.grad(squared.log(), [theta])
            optimiser.step()
    return _largest(system, sector, best_theta)


def _largest(system: Tensor, sector: Sector, theta: Tensor) -> float:
    squared = float(_squared(system, sector, theta).max())
    return math.sqrt(squared) * (1 + ROUNDING) if math.isfinite(squared) else math.inf


def _system(spectrum: Spectrum, lam: float) -> Tensor:
    """Return s, q and b of every singular value, ``(3, n)``: the largest in each interval."""
    return torch.stack((spectrum.high, lam / (lam + spectrum.low.square()), tikhonov(spectrum, lam)))


def _spread(system: Tensor) -> Tensor:
    """Return the indices of some singular values, evenly spread over their ranks, with the least and the largest."""
    order = system[0].argsort()
    chosen: Tensor = order[torch.linspace(0, len(order) - 1, min(PROBES, len(order))).round().long()]
    return chosen


def _squared(system: Tensor, sector: Sector, theta: Tensor) -> Tensor:
    """Return gamma^2 of every singular value, with ``t_k = (1 + exp(theta_k)) max_s q^2 X_11``."""
    s, q, b = system
    c, rho = sector.centre, sector.radius
    x11, x12, x22 = torch.ones_like(s), torch.zeros_like(s), torch.zeros_like(s)
    for each in theta.flip(0):
        t = (1 + each.exp()) * (q.square() * x11).max()
        g = q.square() / (t - q.square() * x11) if rho else torch.zeros_like(s)  # t is free where u = 0
        y11, y12, y22 = x11 + g * x11.square(), x12 + g * x11 * x12, x22 + g * x12.square()  # after the worst u
        x11, x12, x22 = (
            y11 * (q * c).square() + t * rho**2,
            (y11 * b + y12) * q * c,
            y11 * b.square() + 2 * y12 * b + y22,
        )
    squared: Tensor = x11 * s.square() + 2 * x12 * s + x22
    return squared
