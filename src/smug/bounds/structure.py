r"""Structure-aware bounds: what the solve does to each singular value, and only the denoiser's crosstalk on top.

With a denoiser ``D = I + r`` and ``Lip(r) <= rho`` the chain of :mod:`smug.bounds.chain` reads
``e_{n+1} = P A^H d + lam P e_n + lam P u_n``, ``||u_n|| <= rho ||e_n||``. Without u, each singular value s is by
itself, ``p_{n+1} = s / (s^2 + lam) + q p_n`` with ``q = lam / (lam + s^2)``, ``p_0 = s`` and the fixed point 1 / s::

    phi_n(s) = (1 - q^n) / s + s q^n,    phi_n(0) = 0.

u_k enters e_{k+1} times lam P and meets it in every later step, ``e_N = phi_N(A) d + sum_{k<N} (lam P)^{N-k} u_k``. As
``||lam P|| <= 1``, the norms obey ``e_N <= Phi ||d|| + rho sum_{k<N} e_k``, ``Phi = max_{n<=N,i} phi_n(s_i)``, whence
``e_N <= Phi (1 + rho)^N ||d||`` by induction: ``1 + rho sum_{k<N} (1 + rho)^k = (1 + rho)^N``.

Smoothing never increases ``Lip(D - I)`` (the mean of shifted copies); weights that depend on x do.
:func:`smug.bounds.tight.sector_bound` is sharper than all of these: as sharp as ``Lip(D - I)`` and the spectrum allow.
"""

import math

import torch
from torch import Tensor

from smug.bounds.chain import exponential
from smug.bounds.spectrum import Spectrum, tikhonov


def phi(steps: int, s: Tensor, lam: float) -> Tensor:
    """Return ``phi_n(s)``, n = ``steps``: the gain of MoDL with D = I at singular values ``s >= 0`` of any shape."""
    q = lam / (lam + s.square())
    return torch.where(s > 0, (1 - q**steps) / s.clamp_min(torch.finfo(s.dtype).tiny) + s * q**steps, 0)


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


def single_coil_bound(steps: int, lam: float, rho: float) -> float:
    """Return a bound for one coil of modulus 1, whose singular values are 1 (measured) and 0: ``Lip(D - I) <= rho``.

    The measured part m and the unmeasured part u of the error obey ``m <- (1 + lam (m + rho e)) / (1 + lam)`` and
    ``u <- u + rho e`` with ``e^2 = m^2 + u^2``. The zero-filled error starts inside the measured subspace, m = 1 and
    u = 0: all that is unmeasured comes from the denoiser. Sharper than :func:`residual_bound` for small rho only.
    """
    m, u = 1.0, 0.0
    for _ in range(steps):
        e = math.hypot(m, u)
        m, u = (1 + lam * (m + rho * e)) / (1 + lam), u + rho * e
    return math.hypot(m, u)
