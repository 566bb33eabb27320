"""Models of DeepInverse (deepinv): ``model(y, physics)``."""

from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from smug.foreign.adapted import Adapted, Network, as_channels, as_image
from smug.physics.sense import Sense


def deepinv_model(model: Network, noise_sigma: float | None = None) -> Adapted:
    """Adapt a model of deepinv that reconstructs from multi-coil MRI: ``model(y, physics)``.

    Its y is real ``(batch, 2, coil, y, x)``, its physics a ``deepinv.physics.MultiCoilMRI``, its result real
    ``(batch, 2, y, x)``. Slices go through it one by one, each with physics of its own: solvers of deepinv stop for a
    whole batch, and its physics remember what they are called with. ``noise_sigma`` as in :func:`deepinv_physics`.
    Raises ImportError where deepinv is not installed; :class:`Adapted` tells the rest.
    """

    def call(model: Network, y: Tensor, A: Sense) -> Tensor:
        slices = ((y[i : i + 1], A[i]) for i in range(y.shape[0]))
        return torch.cat([as_image(model(as_channels(y), deepinv_physics(y, A, noise_sigma))) for y, A in slices])

    return Adapted(model, call)


def deepinv_physics(y: Tensor, A: Sense, noise_sigma: float | None = None) -> Any:
    """Return the ``deepinv.physics.MultiCoilMRI`` that measures as A does, for k-space ``(batch, coil, y, x)``.

    ``noise_sigma`` is the receiver noise per real and imaginary part, which some models of deepinv ask the physics
    for; without it there is no noise model. Raises ImportError where deepinv is not installed.
    """
    physics = import_module("deepinv.physics")
    batch, _, height, width = y.shape
    mask = A.sampled.expand(batch, 1, height, width).to(y.real.dtype)
    maps = A.maps.expand(batch, -1, height, width)
    noise = {} if noise_sigma is None else {"noise_model": physics.GaussianNoise(noise_sigma)}
    return physics.MultiCoilMRI(mask=mask, coil_maps=maps, device=y.device, **noise)
