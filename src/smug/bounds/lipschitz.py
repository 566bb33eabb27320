"""What is known of a denoiser: proved by construction, or measured on images, which never proves anything.

A denoiser says what is proved of it by an attribute ``sector`` (:class:`smug.models.sector.Sector`), as
:class:`smug.models.nonexpansive.Nonexpansive` does. That its pixels are at most R in modulus is known of a
:class:`smug.models.nonexpansive.ModulusClipped` alone: many networks have a ``limit`` that bounds something else.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from smug.bounds.bound import LowerBound
from smug.models.noise import entry_seeds, normal
from smug.models.nonexpansive import ModulusClipped
from smug.models.sector import Sector
from smug.physics.parts import image_norm

Denoiser = Callable[[Tensor], Tensor]


def proved_sector(denoiser: Denoiser) -> Sector | None:
    """Return the sector that the denoiser is built to lie in, None where it does not say."""
    sector = getattr(denoiser, "sector", None)
    return sector if isinstance(sector, Sector) and not _computes_anew(denoiser, "sector") else None


def proved_modulus(denoiser: Denoiser) -> float | None:
    """Return the modulus that no pixel of the denoiser's result exceeds, None where none is known."""
    if isinstance(denoiser, ModulusClipped) and not _computes_anew(denoiser, "sector"):
        return denoiser.limit
    return None


def _computes_anew(denoiser: Denoiser, fact: str) -> bool:
    """Whether a class has inherited a fact from one whose ``forward`` it has replaced: it is then of another map."""
    kinds = type(denoiser).__mro__
    homes = [next((i for i, kind in enumerate(kinds) if name in vars(kind)), 0) for name in ("forward", fact)]
    return fact not in vars(denoiser) and homes[0] < homes[1]


def measured_residual(denoiser: Denoiser, x: Tensor, iterations: int = 10, seed: int = 0) -> LowerBound:
    """Return the largest ``||J v||`` that power iteration finds for unit v, J the Jacobian of ``D - I`` at images x.

    ``x`` is real or complex ``(batch, y, x)``; the largest over the batch counts. It is a lower bound of
    ``Lip(D - I)``, and a bound that is computed from it is an estimate. ``J v`` is the derivative of ``w -> J^H w``, so
    that the denoiser must be differentiable twice. Raises ValueError for less than one iteration.
    """
    if iterations < 1:
        raise ValueError(f"iterations: expected at least 1, got {iterations}")
    with torch.inference_mode(False), torch.enable_grad():
        point = x.detach().clone().requires_grad_()
        residual = denoiser(point) - point
        w = torch.zeros_like(residual, requires_grad=True)
        (pulled,) = torch.autograd.grad(residual, point, w, create_graph=True)  # J^H w
        v = _unit(normal(entry_seeds(None, len(x), seed), x.shape[1:], x.dtype, x.device))
        largest = x.real.new_zeros(len(x))
        for _ in range(iterations):
            (Jv,) = torch.autograd.grad(pulled, w, v, retain_graph=True)
            largest = torch.maximum(largest, image_norm(Jv))
            (gradient,) = torch.autograd.grad(residual, point, Jv, retain_graph=True)
            v = _unit(gradient)
    return LowerBound(float(largest.max()), "Lip(D - I): power iteration at the given images", name="Lip(D - I)")


def _unit(x: Tensor) -> Tensor:
    return x / image_norm(x).clamp_min(torch.finfo(x.real.dtype).tiny)[..., None, None]
