"""Reconstructors that take their scale and noise level from the clean measurements, whatever they are called with."""

from dataclasses import replace

import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.models.normalised import Normalised
from smug.models.ridge_reconstruction import Ridge
from smug.physics.parts import per_slice
from smug.physics.scale import measurement_scale
from smug.reconstructor import Reconstructor, Wrapper, described, replaced
from smug.training.runs import Model


def scale_held(f: Reconstructor, scan: Scan) -> Reconstructor:
    """Return ``f`` with the scale and noise level that the clean measurements give, whatever it is called with."""
    scale, f = _scale(f, scan), level_held(f, scan)
    match f:
        case Model():
            return Normalised(f.reconstructor, lambda y, A: scale)
        case Normalised():
            return replace(f, scale=lambda y, A: scale)
        case Wrapper():
            return f.around(scale_held(f.reconstructor, scan))
    return f


def level_held(f: Reconstructor, scan: Scan) -> Reconstructor:
    """Return ``f`` with the noise level that the clean measurements give a ridge regulariser, which estimates it else.

    It may be the reconstructor or make the first image of one. The level counts as a constant in gradients: they are
    those of what is returned here.
    """
    first = described(f).settings().get("first")
    ridge = first if isinstance(first, Ridge) else described(f).core()
    if not isinstance(ridge, Ridge):
        return f
    sigma = ridge.level(scan.y / per_slice(_scale(f, scan), scan.y), scan.A)
    return replaced(f, sigma=sigma) if first is None else replaced(f, first=ridge.replace(sigma=sigma))


def scale_of(f: Reconstructor, scan: Scan) -> float:
    """Return what the measurements are divided by in ``f``, 1 where it has no scale."""
    return float(_scale(f, scan))


def _scale(f: Reconstructor, scan: Scan) -> Tensor:
    match f:
        case Model():
            return measurement_scale(scan.y, scan.A)
        case Normalised():
            return f.scale(scan.y, scan.A)
        case Wrapper():
            return _scale(f.reconstructor, scan)
    return torch.ones(1, 1, 1, device=scan.y.device)
