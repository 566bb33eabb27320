"""What no perturbation can do to the minimiser of a strongly convex energy.

Let ``E(x; y) = 1/2 ||A x - y||^2 + S(x)`` with ``S - mu/2 ||x||^2`` convex and mu > 0. For a convex ridge regulariser
with ``tau/2 ||x||^2`` mu is tau, for one of weak convexity rho it is ``tau - lam rho``. Let x and x' stop where the
gradients g of ``E(.; y)`` and g' of ``E(.; y + d)`` have norms of at most t, and let ``e = x' - x``. Subtracting the
gradients and taking the inner product with e,

    ||A e||^2 + mu ||e||^2 <= Re <d, A e> + Re <g' - g, e> <= ||d|| ||A e|| + 2 t ||e||.

As ``||d|| ||A e|| - ||A e||^2 <= ||d||^2 / 4``, it follows that ``mu ||e||^2 <= ||d||^2 / 4 + 2 t ||e||``: the larger
root of this quadratic is the bound, and it is ``||d|| / (2 sqrt(mu))`` where t = 0. It holds for every A and every d.
"""

import math

import torch

from smug.models.ridge_reconstruction import Ridge
from smug.system.arguments import check_arguments


@check_arguments
def ridge_bound(radius: float, convexity: float, gradient_norm: float = 0.0) -> float:
    """Return the most that ``||x' - x||`` can be for ``||d|| <= radius``; both iterations stop at ``gradient_norm``.

    ``convexity`` is mu. Raises ValueError unless it is above 0.

    >>> ridge_bound(0.1, 0.0025)
    1.0
    """
    if not convexity > 0 or not radius >= 0 or not gradient_norm >= 0:
        raise ValueError(
            "ridge bound: expected convexity > 0, radius >= 0 and gradient_norm >= 0, "
            f"got {convexity}, {radius} and {gradient_norm}"
        )
    half = gradient_norm / convexity
    return half + math.hypot(half, radius / (2 * math.sqrt(convexity)))


@check_arguments
def ridge_convexity(f: Ridge) -> float:
    """Return mu of the energy that ``f`` minimises: positive where the bound holds; of a batch, the smallest."""
    lam, tau = (torch.as_tensor(value).detach().double() for value in (f.lam, f.tau))
    return float((tau - lam * f.regulariser.weak_convexity().detach().double()).min())
