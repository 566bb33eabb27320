"""Networks that never see k-space: from the zero-filled image to a better one."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from smug.foreign.adapted import Adapted, Network, stacked_parts
from smug.physics.fourier import ifft2c
from smug.physics.operator import Operator
from smug.physics.sense import cartesian
from smug.system.arguments import check_arguments

Normalisation = Callable[[Tensor], tuple[Tensor | float, Tensor | float]]
"""Real images ``(batch, channel, y, x)`` to the offset and the scale that a network wants to have removed."""


def unchanged(x: Tensor) -> tuple[float, float]:
    """Remove nothing."""
    return 0.0, 1.0


@check_arguments
def instance(x: Tensor) -> tuple[Tensor, Tensor]:
    """Remove mean and standard deviation of every channel of every slice, as the U-Nets of fastMRI want it."""
    return x.mean((-2, -1), keepdim=True), _positive(x.std((-2, -1), keepdim=True))


@check_arguments
def peak(x: Tensor) -> tuple[float, Tensor]:
    """Remove the largest magnitude of every slice, over its channels."""
    return 0.0, _positive(torch.linalg.vector_norm(x, dim=1, keepdim=True).amax((-2, -1), keepdim=True))


@check_arguments
def image_network(network: Network, normalisation: Normalisation = unchanged) -> Adapted:
    """Adapt a network that maps the zero-filled image ``A^H y``, real ``(batch, 2, y, x)``, to an image.

    It returns two channels, or one: a magnitude. Real images, such as those of CT, are one channel. ``normalisation``
    gives the offset and scale that it is shielded from: ``F(y) = scale * network((A^H y - offset) / scale) + offset``.
    They depend on y, and attacks differentiate through them. :class:`Adapted` tells what is raised.

    >>> import smug
    >>> from torch import nn
    >>> f = image_network(nn.Conv2d(2, 2, kernel_size=3, padding=1), instance)
    >>> f(torch.randn(1, 1, 6, 8, dtype=torch.complex64), smug.Sense(mask=torch.ones(1, 8, dtype=torch.bool))).shape
    torch.Size([1, 6, 8])
    """
    return Adapted(network, lambda net, y, A: _shielded(net, stacked_parts(A.H(y)), normalisation))


@check_arguments
def magnitude_network(network: Network, normalisation: Normalisation = unchanged) -> Adapted:
    """Adapt a network from magnitudes to magnitudes, real ``(batch, 1, y, x)``, as fastMRI's U-Net baseline is one.

    What it sees is the root of the sum of squares of the zero-filled coil images, so it makes no use of ``A.maps``;
    ``normalisation`` as in :func:`image_network`. Where those of fastMRI clip what they see, put the clipping in
    front of the network: ``nn.Sequential(nn.Hardtanh(-6, 6), unet)``.
    """
    return Adapted(network, lambda net, y, A: _shielded(net, _root_sum_of_squares(y, A), normalisation))


def _shielded(network: Network, x: Tensor, normalisation: Normalisation) -> Tensor:
    offset, scale = normalisation(x)
    result = network((x - offset) / scale)
    restored = result * scale + offset
    if restored.shape != result.shape:
        raise ValueError(
            f"network: it made {tuple(result.shape)} of {tuple(x.shape)}, for which the normalisation cannot be undone"
        )
    return restored


def _root_sum_of_squares(y: Tensor, A: Operator) -> Tensor:
    A = cartesian(A, "magnitude network")
    image: Tensor = torch.linalg.vector_norm(ifft2c(A.sampled * y), dim=1, keepdim=True)
    return image


def _positive(scale: Tensor) -> Tensor:
    return scale.clamp_min(torch.finfo(scale.dtype).tiny)


@check_arguments
def fastmri_network(network: Network, **options: Any) -> Adapted:
    """Adapt a network of the fastMRI kind: ``network(masked_kspace, mask, **options) -> magnitude (batch, y, x)``.

    It gets k-space as real ``(batch, coil, y, x, 2)`` and the mask as bool ``(batch, 1, 1, x, 1)``, or
    ``(batch, 1, y, x, 1)`` for masks that are not lines. E2E-VarNet is one; ``options`` are for it, as in
    ``fastmri_network(varnet, num_low_frequencies=24)``. Such networks estimate coil maps from the measurements and see
    ``A.mask`` only, never ``A.maps``; their root of the sum of squares is the magnitude of the target where
    ``sum_c |s_c|^2 = 1``. :class:`Adapted` tells what is raised.
    """

    def call(network: Network, y: Tensor, A: Operator) -> Tensor:
        A = cartesian(A, "network of the fastMRI kind")
        mask = A.sampled.expand(y.shape[0], -1, -1, -1).unsqueeze(-1)
        return network(torch.view_as_real((A.sampled * y).contiguous()), mask, **options)

    return Adapted(network, call)
