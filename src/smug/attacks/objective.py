"""Objectives: what an attack maximises.

An objective is a function ``(x, target, clean) -> (batch,)`` of the attacked reconstruction, the reference
image and the reconstruction of the clean data, all ``(batch, y, x)``. Slices must not mix. A reconstruction that is
real is a magnitude, and compared with magnitudes.
"""

from collections.abc import Callable

from torch import Tensor

from smug.reconstructor import comparable
from smug.system.arguments import check_arguments

Objective = Callable[[Tensor, Tensor, Tensor], Tensor]


@check_arguments
def to_target(x: Tensor, target: Tensor, clean: Tensor) -> Tensor:
    """Return the mean over pixels of ``|x - target|^2``, real ``(batch,)``: the error, equation (3)."""
    return _mean_square(x - comparable(target, x))


@check_arguments
def to_clean(x: Tensor, target: Tensor, clean: Tensor) -> Tensor:
    """Return the mean over pixels of ``|x - clean|^2``, real ``(batch,)``: the instability.

    Its gradient is exactly zero at the zero perturbation, so an attack must start elsewhere.
    """
    return _mean_square(x - comparable(clean, x))


def _mean_square(difference: Tensor) -> Tensor:
    return (difference * difference.conj()).real.flatten(1).mean(1)
