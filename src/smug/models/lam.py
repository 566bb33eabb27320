"""The weight lam of the denoised image against the measurements: a number, learned, or by the residual of the data."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from smug.physics.operator import LinearOperator
from smug.physics.residual import residual_rms
from smug.system.arguments import check_arguments


class LearnedLam(nn.Module):
    """lam of equation (2), positive because its logarithm is what is learned; called, it returns a tensor ``()``.

    ``start`` is where learning begins; ``float(lam)`` is its value now.
    """

    def __init__(self, start: float) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor(math.log(start), dtype=torch.float32))

    def forward(self) -> Tensor:
        """Return lam, with a gradient."""
        return self.log.exp()

    def __float__(self) -> float:
        """Return lam as a number."""
        return float(self().detach())


class ResidualLam(nn.Module):
    """lam in proportion to the residual of the data: ``lam_n = factor * rms(A x^n - y)``, one per image and step.

    With several coils the residual of a data-consistent image comes near the noise of the measurements, and what wrong
    maps add to it: clean measurements weigh more than noisy ones, and the first steps, whose residual is large, move
    less than the last. A damping in proportion to the residual is the choice of Levenberg-Marquardt methods (Yamashita
    and Fukushima 2001). The rms is that of :func:`smug.physics.residual.residual_rms`, of images with a maximum of
    about 1. ``factor`` is a number, a tensor ``()``, or learned.

    >>> import smug
    >>> A = smug.Sense(mask=torch.ones(1, 8, dtype=torch.bool))
    >>> x = torch.zeros(1, 6, 8, dtype=torch.complex64)
    >>> ResidualLam(10.0)(x, torch.full((1, 1, 6, 8), 0.02 + 0.02j), A)
    tensor([0.2002])
    """

    @check_arguments
    def __init__(self, factor: float | Tensor | LearnedLam) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor, y: Tensor, A: LinearOperator) -> Tensor:
        """Return lam at the images ``x``, ``(..., batch, y, x)``: real ``(..., batch)``, with a gradient."""
        factor = self.factor() if isinstance(self.factor, LearnedLam) else self.factor
        return factor * residual_rms(x, y, A)

    def extra_repr(self) -> str:
        """Return the factor."""
        return f"{float(self.factor):.3g}"


Lam = float | Tensor | LearnedLam | ResidualLam
"""A number, a tensor ``()`` whose gradient is wanted, what is learned with the denoiser, or what follows the data."""

LamOfImage = Callable[[Tensor], float | Tensor]
"""lam as the unrolling takes it, a function of the image ``x^n``."""


def lam_of_image(lam: Lam, y: Tensor, A: LinearOperator) -> LamOfImage:
    """Return lam as a function of the image, for these measurements."""
    if isinstance(lam, ResidualLam):
        return lambda x: lam(x, y, A)
    value: float | Tensor = lam() if isinstance(lam, LearnedLam) else lam
    return lambda x: value


def described_lam(lam: Lam) -> str:
    """Return lam in words.

    >>> described_lam(ResidualLam(10.0))
    '10 times the residual of the data'
    """
    follows = isinstance(lam, ResidualLam)
    number = float(lam.factor if isinstance(lam, ResidualLam) else lam)
    return f"{number:.3g}{' times the residual of the data' if follows else ''}"
