"""Building blocks that the denoising networks share."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from smug.models.adapters import as_channels, as_image
from smug.models.prelu import PReLU


def convolution(channels_in: int, channels_out: int, stride: int = 1) -> nn.Conv2d:
    """Return a 3x3 convolution that keeps the size, or halves it at stride 2."""
    return nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1)


def upsampling(channels_in: int, channels_out: int) -> nn.Sequential:
    """Return a 1x1 convolution and a pixel shuffle: twice the size."""
    return nn.Sequential(nn.Conv2d(channels_in, 4 * channels_out, 1), nn.PixelShuffle(2))


class Residual(nn.Module):
    """x + body(x)."""

    def __init__(self, *body: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, x: Tensor) -> Tensor:
        """Add the body's output to its input."""
        result: Tensor = x + self.body(x)
        return result


def residual(channels: int, depth: int) -> Residual:
    """Return ``depth`` 3x3 convolutions, each with PReLU, and a skip connection around them."""
    return Residual(*(layer for _ in range(depth) for layer in (convolution(channels, channels), PReLU())))


def correct(network: Callable[[Tensor], Tensor], x: Tensor, multiple: int, dtype: torch.dtype) -> Tensor:
    """Return ``x + network(x)`` for images ``(batch, y, x)`` of any size, in the precision of x.

    The network sees real and imaginary parts as two channels of its own ``dtype``, zero-padded below and right to a
    multiple of the size that it can halve.
    """
    height, width = x.shape[-2:]
    channels = functional.pad(as_channels(x).to(dtype), (0, -width % multiple, 0, -height % multiple))
    correction = network(channels.contiguous(memory_format=torch.channels_last))
    return x + as_image(correction[..., :height, :width].to(x.real.dtype), x)


def start_at_zero(layer: nn.Conv2d) -> nn.Conv2d:
    """Set a layer's weights to zero, so that the network around it starts as the identity."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def start_at_random(network: nn.Module) -> nn.Module:
    """Draw the weights of the convolutions that :func:`start_at_zero` has set to zero as torch draws all others."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d) and not layer.weight.is_meta and not layer.weight.any():
            layer.reset_parameters()
    return network
