"""The residual of the data: how far an image is from the measurements."""

import torch
from torch import Tensor

from smug.physics.operator import LinearOperator
from smug.physics.parts import parts

LEAST = 0.001
"""The lowest level that is told from a residual, in parts of the image: one coil leaves no residual."""


def residual_rms(x: Tensor, y: Tensor, A: LinearOperator) -> Tensor:
    """Return the rms of ``A x - y`` per real part for images ``x``, ``(..., batch, y, x)``: real ``(..., batch)``.

    Only what was sampled counts. With several coils the residual of a data-consistent image comes near the noise of the
    measurements, and what wrong maps add to it. It is not below :data:`LEAST`, has a gradient, and is 1 where it is not
    finite: such an image is lost, and the solver says so.
    """
    if x.ndim > 3:
        return torch.stack([residual_rms(each, y, A) for each in x])
    residual = parts(A(x) - A.sampled * y).square()
    numbers = (2 if y.is_complex() else 1) * A.support(y).flatten(1).sum(1)
    mean_square = residual.sum(tuple(range(1, residual.ndim))) / numbers
    rms = (mean_square + LEAST**2).sqrt()
    return torch.where(rms.isfinite(), rms, 1)
