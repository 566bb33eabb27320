"""Denoisers of images from networks of two real channels, and from others by clamping what they see."""

import torch
from torch import Tensor, nn

from smug.system.arguments import check_arguments


def as_channels(x: Tensor) -> Tensor:
    """Turn images ``(batch, y, x)`` into real and imaginary channels, real ``(batch, 2, y, x)``.

    The imaginary channel of real images is zero. Raises ValueError for anything else than images with one batch axis.
    """
    if x.ndim != 3 or not (x.is_complex() or x.is_floating_point()):
        raise ValueError(f"denoiser: expected images (batch, y, x), got {x.dtype} {tuple(x.shape)}")
    return torch.view_as_real(x).movedim(-1, 1) if x.is_complex() else torch.stack((x, torch.zeros_like(x)), dim=1)


def as_image(channels: Tensor, like: Tensor) -> Tensor:
    """Turn real ``(batch, 2, y, x)`` into images ``(batch, y, x)``: the inverse of :func:`as_channels`.

    They are complex where the image ``like`` is; of real images the real channel is what counts.
    """
    return torch.complex(channels[:, 0], channels[:, 1]) if like.is_complex() else channels[:, 0]


class ComplexDenoiser(nn.Module):
    """A denoiser of images ``(batch, y, x)`` made from a network of real ``(batch, 2, y, x)``."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Denoise images ``(batch, y, x)``; the network works in the precision of its parameters.

        Raises ValueError for other images, and for a network that returns another shape than it is given.
        """
        channels = as_channels(x)
        first = next(self.network.parameters(), channels)
        # a copy: a network may work in place, and begin with what it is given
        result: Tensor = self.network(channels.to(first.dtype, copy=True)).to(channels.dtype)
        if result.shape != channels.shape:
            raise ValueError(
                f"denoiser: expected the network to map {tuple(channels.shape)} to the same shape, "
                f"got {tuple(result.shape)}"
            )
        return as_image(result, x)


class Clamped(nn.Module):
    """A denoiser that sees the real and imaginary parts of images clamped to ``[-limit, limit]``."""

    def __init__(self, denoiser: nn.Module, limit: float) -> None:
        super().__init__()
        if not limit > 0:
            raise ValueError(f"limit: expected a positive number, got {limit}")
        self.denoiser = denoiser
        self.limit = limit

    def forward(self, x: Tensor) -> Tensor:
        """Clamp and denoise images ``(batch, y, x)``."""
        result: Tensor = self.denoiser(as_image(as_channels(x).clamp(-self.limit, self.limit), x))
        return result


@check_arguments
def as_complex(network: nn.Module) -> ComplexDenoiser:
    """Adapt a network of two real channels ``(batch, 2, y, x)`` to images ``(batch, y, x)``, complex or real.

    >>> denoiser = as_complex(nn.Conv2d(2, 2, kernel_size=3, padding=1))
    >>> denoiser(torch.randn(1, 6, 8, dtype=torch.complex64)).shape
    torch.Size([1, 6, 8])
    """
    return ComplexDenoiser(network)


def clamped(denoiser: nn.Module, limit: float = 1.0) -> Clamped:
    """Clamp what a denoiser sees, for parity with the authors' code; equation (5) has no clamp."""
    return Clamped(denoiser, limit)
