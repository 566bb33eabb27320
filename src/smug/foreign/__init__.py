"""Reconstructors of other people: thin adapters to ``f(y, A, generator=None)``.

They import nobody's package until they are called. Each is differentiable with respect to y wherever the network is,
and no slice of a batch sees another wherever the network keeps them apart. ``smug.normalised(f)`` around an adapter
serves a network that wants images of magnitude 1.
"""

from smug.foreign import deepinv
from smug.foreign.adapted import Adapted, numpy_function, slicewise
from smug.foreign.deepinv import deepinv_model, deepinv_physics
from smug.foreign.image import (
    fastmri_network,
    image_network,
    instance,
    magnitude_network,
    peak,
)

__all__ = [
    "Adapted",
    "deepinv",
    "deepinv_model",
    "deepinv_physics",
    "fastmri_network",
    "image_network",
    "instance",
    "magnitude_network",
    "numpy_function",
    "peak",
    "slicewise",
]
