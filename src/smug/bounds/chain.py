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

from smug.bounds.spectrum import Spectrum


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
    """Return what is known for free of a denoiser with ``||D(x') - D(x)|| <= jump``: ``a radius + kappa jump``."""
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
