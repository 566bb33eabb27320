"""Intervals that are proved to hold the singular values of a Cartesian multi-coil operator."""

import torch
from torch import Tensor

from smug.physics.factor import Encoding, spectrum

CELLS = 4096
"""Intervals that cover the singular values where they cannot be computed."""

UNIT = 1e-5
"""By how much rounding may move the modulus of a single coil's map away from 1."""


def intervals(A: Encoding) -> tuple[Tensor, Tensor, bool]:
    """Return the ends ``[low, high]``, float64 ``(n,)``, and whether they are exact; A is in double precision.

    Exact for line masks and for one coil of modulus 1 (see :func:`smug.physics.factor.spectrum`): as narrow as
    rounding is, one per singular value. Otherwise they cover ``[0, S]``, with ``S^2 = max sum_c |s_c|^2`` over pixels.
    """
    deviation = float((A.maps.abs() - 1).abs().max())
    unit_coil = A.maps.shape[1] == 1 and deviation <= UNIT
    if unit_coil or (A.is_line_mask and A.maps.shape[1:] != (1, 1, 1)):
        values = spectrum(A).flatten().cpu()
        slack = torch.full_like(values, 4 * A.mask.shape[-1] * torch.finfo(values.dtype).eps)  # of eigvalsh
        if unit_coil:  # a projection between two diagonal factors: eigenvalues of 1 move by that, 0 stays
            slack = slack + values * 3 * deviation
        return (values - slack).clamp_min(0).sqrt(), (values + slack).sqrt(), True
    edges = torch.linspace(0, 1, CELLS + 1, dtype=torch.float64)
    largest = A.maps.abs().square().sum(1).max().sqrt().cpu() * (1 + 1e-12)
    return largest * edges[:-1], largest * edges[1:], False
