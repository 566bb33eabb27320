r"""Chains: the error of an unrolling step, bounded by that of the step before.

With ``P = (A^H A + lam)^-1`` and the differences ``e_n = x_n' - x_n`` and ``w_n = z_n' - z_n`` that a perturbation d
of y makes::

    e_0 = A^H d,    e_{n+1} = P A^H d + lam P w_n.

Hence, for a (smoothed) denoiser of Lipschitz constant L, ``||e_{n+1}|| <= a ||d|| + kappa L ||e_n||`` with
``a = ||P A^H|| = max s / (s^2 + lam)`` and ``kappa = lam ||P|| = lam / (lam + s_min^2)``, and::

    ||e_N|| <= (a (1 - (kappa L)^N) / (1 - kappa L) + ||A|| (kappa L)^N) ||d||.

Theorem 1 has ``alpha ||A||``, which is never less, in the place of a.
"""

import math

import torch

from smug.bounds.spectrum import Spectrum, tikhonov


def log_chain(first: float, ratio: float, start: float, steps: int) -> float:
    """Return ``log e_N`` of ``e_{n+1} = first + ratio e_n``, ``e_0 = start``: it cannot overflow, nor divide by 0.

    Its closed form is ``first (1 - ratio^N) / (1 - ratio) + start ratio^N``, or ``first N + start`` for a ratio of 1.
    """
    log_e = _log(start)
    for _ in range(steps):
        log_e = _log_sum(_log(first), _log(ratio) + log_e)
    return log_e


def linear(spectrum: Spectrum, steps: int, lam: float, lipschitz: float) -> float:
    """Return the corrected C_N for a denoiser with this Lipschitz constant; infinite above 1.8e308."""
    return exponential(log_chain(spectrum.gain(lam), spectrum.contraction(lam) * lipschitz, spectrum.norm, steps))


def saturating(spectrum: Spectrum, steps: int, lam: float, sigma: float, jump: float, radius: float) -> float:
    r"""Return a bound of ``||e_N||`` for all ``||d|| <= radius``, for D smoothed by noise sigma in exact expectation.

    Two Gaussians e apart overlap: with ``TV(t) = 2 Phi(t / 2) - 1`` the total variation of ``t = ||e|| / sigma``, the
    smoothed outputs differ by at most ``jump TV(t)``, ``jump = 2 max ||D||``, and so
    ``e_{n+1} = a radius + kappa jump TV(e_n / sigma)``. As ``TV(t) <= t / sqrt(2 pi)``, it is never more than
    :func:`linear`, and never more than :func:`trivial`.
    """
    e = spectrum.norm * radius
    for _ in range(steps):
        e = spectrum.gain(lam) * radius + spectrum.contraction(lam) * jump * math.erf(e / sigma / math.sqrt(8))
    return e


def trivial(spectrum: Spectrum, lam: float, jump: float, radius: float) -> float:
    """Return the trivial bound of a denoiser with ``||D(x') - D(x)|| <= jump``: ``a radius + kappa jump``."""
    return spectrum.gain(lam) * radius + spectrum.contraction(lam) * jump


def exponential(logarithm: float) -> float:
    """Return e to a power, infinite where it overflows."""
    return math.exp(logarithm) if logarithm < math.log(1.7e308) else math.inf


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf


def _log_sum(a: float, b: float) -> float:
    """Return ``log(exp(a) + exp(b))``."""
    high, low = max(a, b), min(a, b)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def largest_phi(steps: int, spectrum: Spectrum, lam: float) -> float:
    """Return ``max_{n<=N,i} phi_n(s_i)``, N = ``steps``, by the recursion: it grows with each coefficient."""
    enters, stays = tikhonov(spectrum, lam), lam / (lam + spectrum.low.square())
    p = spectrum.high
    largest = p.max()
    for _ in range(steps):
        p = enters + stays * p
        largest = torch.maximum(largest, p.max())
    return float(largest)


def residual_bound(spectrum: Spectrum, steps: int, lam: float, rho: float) -> float:
    """Return ``max_{n<=N,i} phi_n(s_i) (1 + rho)^N``, with ``Lip(D - I) <= rho``; infinite above 1.8e308."""
    return exponential(math.log(largest_phi(steps, spectrum, lam)) + steps * math.log1p(rho))


def bounded_modulus(limit: float, pixels: int) -> float:
    """Return ``M = 2 R sqrt(q)`` of a denoiser whose q pixels have a modulus of at most R = ``limit``."""
    return 2 * limit * math.sqrt(pixels)


def smoothed_lipschitz(M: float, sigma: float) -> float:
    """Return ``M / (sqrt(2 pi) sigma)``, Lemma 1: the Lipschitz constant of ``x -> E D(x + eta)``.

    ``sigma`` is per real and per imaginary part. The constant is the best for all D with ``||D|| <= M / 2``.
    """
    return M / (math.sqrt(2 * math.pi) * sigma)


def log_constant(norm: float, alpha: float, M: float, sigma: float, steps: int, lam: float = 1.0) -> float:
    """Return ``log C_n`` for ``norm = ||A||`` and n = ``steps``; finite for every finite setting."""
    return log_chain(alpha * norm, lam * alpha * smoothed_lipschitz(M, sigma), norm, steps)


def constant(norm: float, alpha: float, M: float, sigma: float, steps: int, lam: float = 1.0) -> float:
    """Return C_n; infinite above 1.8e308."""
    return exponential(log_constant(norm, alpha, M, sigma, steps, lam))
