"""Programs that are not written in torch: they can be scored, and attacked without gradients."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smug.models.noise import Seeds
from smug.physics.sense import Sense
from smug.reconstructor import Reconstructor

SliceFunction = Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], NDArray[Any]]
"""``(kspace (coil, y, x), mask (y, x), maps (coil, y, x)) -> image (y, x)``, complex or a real magnitude."""


def numpy_function(function: SliceFunction) -> Reconstructor:
    """Adapt a function of numpy arrays that reconstructs one slice, such as a call of SigPy or of a program.

    It gets complex k-space ``(coil, y, x)``, zero where nothing is sampled, the bool mask ``(y, x)`` and complex maps
    ``(coil, y, x)``, and returns an image ``(y, x)``, complex or a real magnitude. There is no gradient: attack it by
    transfer or with a black box. Raises ValueError for an image of another shape.
    """

    def f(y: Tensor, A: Sense, generator: Seeds = None) -> Tensor:
        batch, _, height, width = y.shape
        masks = A.sampled[:, 0].expand(batch, height, width)
        maps = A.maps.expand(batch, -1, height, width)
        rows = zip((A.sampled * y).detach(), masks, maps.detach(), strict=True)
        return torch.stack([_image(function(*(part.cpu().numpy() for part in row)), y) for row in rows])

    return f


def _image(result: Any, y: Tensor) -> Tensor:
    image = torch.from_numpy(np.array(result))  # a copy: what is returned may be read-only, or used again
    if image.shape != y.shape[2:]:
        raise ValueError(f"function: expected an image of shape {tuple(y.shape[2:])}, got {tuple(image.shape)}")
    return image.to(y.device, y.dtype if image.is_complex() else y.real.dtype)
