"""Networks that never see k-space: from the zero-filled image to a better one."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from smug.foreign.adapted import Adapted, Network, as_channels
from smug.physics.fourier import ifft2c
from smug.physics.sense import Sense

Normalisation = Callable[[Tensor], tuple[Tensor | float, Tensor | float]]
"""Real images ``(batch, channel, y, x)`` to the offset and the scale that a network wants to have removed."""


def unchanged(x: Tensor) -> tuple[float, float]:
    """Remove nothing."""
    return 0.0, 1.0


def instance(x: Tensor) -> tuple[Tensor, Tensor]:
    """Remove mean and standard deviation of every channel of every slice, as the U-Nets of fastMRI want it."""
    return x.mean((-2, -1), keepdim=True), _positive(x.std((-2, -1), keepdim=True))


def peak(x: Tensor) -> tuple[float, Tensor]:
    """Remove the largest magnitude of every slice, over its channels."""
    return 0.0, _positive(torch.linalg.vector_norm(x, dim=1, keepdim=True).amax((-2, -1), keepdim=True))


def image_network(network: nn.Module, normalisation: Normalisation = unchanged) -> Adapted:
    """Adapt a network that maps the zero-filled image ``A^H y``, real ``(batch, 2, y, x)``, to an image.

    It returns two channels, or one: a magnitude. ``normalisation`` gives the offset and scale that it is shielded
    from: ``F(y) = scale * network((A^H y - offset) / scale) + offset``. They depend on y, and attacks differentiate
    through them. :class:`Adapted` tells what is raised.

    >>> import smug
    >>> f = image_network(nn.Conv2d(2, 2, kernel_size=3, padding=1), instance)
    >>> f(torch.randn(1, 1, 6, 8, dtype=torch.complex64), smug.Sense(mask=torch.ones(1, 8, dtype=torch.bool))).shape
    torch.Size([1, 6, 8])
    """
    return Adapted(network, lambda net, y, A: _shielded(net, as_channels(A.H(y)), normalisation))


def magnitude_network(network: nn.Module, normalisation: Normalisation = unchanged) -> Adapted:
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


def _root_sum_of_squares(y: Tensor, A: Sense) -> Tensor:
    image: Tensor = torch.linalg.vector_norm(ifft2c(A.sampled * y), dim=1, keepdim=True)
    return image


def _positive(scale: Tensor) -> Tensor:
    return scale.clamp_min(torch.finfo(scale.dtype).tiny)
