r"""The price of recovery: a method that recovers a feature from weak measurements must amplify perturbations.

Let two images differ by v: an inserted lesion, or the difference of two subjects. If F recovers both from their
measurements to within eta, ``||F(A x) - x|| <= eta`` and ``||F(A(x + v)) - (x + v)|| <= eta``, then by the triangle
inequality ``||F(A x + A v) - F(A x)|| >= ||v|| - 2 eta``, so that

    Lip(F) >= (||v|| - 2 eta) / ||A v||.

It holds for every method, with or without a network. See Gottschling, Campodonico, Antun, Hansen, *The troublesome
kernel* (2020), for how far this goes.
"""

import torch
from torch import Tensor

from smug.norm import L2
from smug.physics.operator import Operator
from smug.system.arguments import check_arguments


@check_arguments
def needed_gain(A: Operator, v: Tensor, eta: float | Tensor = 0.0) -> Tensor:
    """Return ``(||v|| - 2 eta) / ||A v||``, float64 ``(batch,)``: the gain of any method that recovers v to within eta.

    ``v`` is complex ``(batch, y, x)``, ``eta`` an l2 norm over pixels, one or one per image. It is 0 where so large an
    error needs no gain, infinite where v is invisible to the measurements. Raises ValueError for a negative eta.

    >>> import smug
    >>> A = smug.Sense(mask=torch.tensor([[True, False, False, False]]))
    >>> constant, checkered = torch.ones(1, 4, 4), torch.tensor([1.0, -1, 1, -1]).expand(1, 4, 4)
    >>> needed_gain(A, constant + 0j), needed_gain(A, checkered + 0j)
    (tensor([inf], dtype=torch.float64), tensor([1.], dtype=torch.float64))
    """
    eta = torch.as_tensor(eta, dtype=torch.float64, device=v.device)
    if not bool((eta >= 0).all()):
        raise ValueError(f"eta: expected a norm >= 0, got {eta.flatten()[:4].tolist()}")
    excess = (L2().size(v) - 2 * eta).clamp_min(0)
    return torch.where(excess > 0, excess / L2().size(A(v)), 0)


@check_arguments
def needed_error(A: Operator, v: Tensor, lipschitz: float | Tensor) -> Tensor:
    """Return ``(||v|| - Lip ||A v||) / 2``, float64 ``(batch,)``: the same inequality, solved for eta.

    A method with this Lipschitz constant errs by at least so much, an l2 norm over pixels, on one of any two images
    that differ by ``v``, complex ``(batch, y, x)``. 0 where nothing follows.
    """
    return ((L2().size(v) - lipschitz * L2().size(A(v))) / 2).clamp_min(0)
