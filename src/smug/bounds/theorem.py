r"""Theorem 1 of the paper: SMUG in exact expectation over its smoothing noise.

Its constant is::

    C_n = alpha ||A|| (1 - r^n) / (1 - r) + ||A|| r^n,    r = lam alpha M / (sqrt(2 pi) sigma)

with ``alpha = ||(A^H A + lam)^-1||`` and ``M = 2 max ||D(x)||``. The paper prints it for lam = 1; a general lam
multiplies D too, so that to change alpha alone is not enough. It holds for infinitely many noise draws, not for ten.
Where alpha is 1, that is with any image direction that is not measured, it does *not* fall with n.

>>> round(log_constant(1, alpha=1, M=2 * 320, sigma=0.01, steps=8) / math.log(10), 2)  # 320 x 320, modulus up to 1
35.26
"""

import math

from smug.bounds.chain import exponential, log_chain


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
