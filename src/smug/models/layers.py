"""Building blocks that the denoising networks share."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


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
    """Return ``x + network(x)`` for complex ``(batch, y, x)`` of any size, in the precision of x.

    The network sees real and imaginary parts as two channels of its own ``dtype``, zero-padded below and right to a
    multiple of the size that it can halve.
    """
    height, width = x.shape[-2:]
    channels = functional.pad(as_channels(x).to(dtype), (0, -width % multiple, 0, -height % multiple))
    correction = network(channels.contiguous(memory_format=torch.channels_last))
    return x + as_image(correction[..., :height, :width].to(x.real.dtype))


def start_at_zero(layer: nn.Conv2d) -> nn.Conv2d:
    """Set a layer's weights to zero, so that the network around it starts as the identity."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class PReLU(nn.PReLU):
    """``max(x, 0) + a min(x, 0)`` with one learned slope ``a``: torch's, but for the rounding of gradients.

    On CPUs torch computes the gradients of PReLU one number at a time: a tenth of the time of a DIDN's training in
    float32, a sixth in bfloat16.
    """

    def __init__(self) -> None:
        super().__init__(num_parameters=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map real features of any shape to the same."""
        if torch.compiler.is_compiling():  # the compiler fuses torch's own, and cannot trace a jvp
            return super().forward(x)
        result: Tensor = _PReLU.apply(x, self.weight)  # type: ignore[no-untyped-call]
        return result


class _PReLU(torch.autograd.Function):
    """The gradients are differentiable operations, so second derivatives follow."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, slope: Tensor) -> Tensor:
        return torch.prelu(x, slope)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        x, slope = inputs[0].to(output.dtype), inputs[1]  # autocast may have computed in less precision
        ctx.save_for_backward(x, slope)
        ctx.save_for_forward(x, slope)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, slope = ctx.saved_tensors
        of_slope = (gradient * x.clamp(max=0)).sum()
        above = torch.ops.aten.threshold_backward(gradient, x, 0)  # the gradient where x > 0, and 0 elsewhere
        return torch.lerp(above, gradient, slope.to(gradient.dtype)), of_slope.expand_as(slope)

    @staticmethod
    def jvp(ctx: Any, x_tangent: Tensor, slope_tangent: Tensor) -> Tensor:
        x, slope = ctx.saved_tensors
        result: Tensor = torch.where(x > 0, x_tangent, slope * x_tangent) + slope_tangent * x.clamp(max=0)
        return result


def as_channels(x: Tensor) -> Tensor:
    """Turn complex images ``(batch, y, x)`` into real and imaginary channels, real ``(batch, 2, y, x)``.

    Raises ValueError for anything else than complex images with one batch axis.
    """
    if not x.is_complex() or x.ndim != 3:
        raise ValueError(f"denoiser: expected complex images (batch, y, x), got {x.dtype} {tuple(x.shape)}")
    return torch.view_as_real(x).movedim(-1, 1)


def as_image(channels: Tensor) -> Tensor:
    """Turn real ``(batch, 2, y, x)`` into complex images ``(batch, y, x)``: the inverse of :func:`as_channels`."""
    return torch.complex(channels[:, 0], channels[:, 1])


class ComplexDenoiser(nn.Module):
    """A denoiser of complex images ``(batch, y, x)`` made from a network of real ``(batch, 2, y, x)``."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Denoise complex images ``(batch, y, x)``; the network works in the precision of its parameters.

        Raises ValueError for other images, and for a network that returns another shape than it is given.
        """
        channels = as_channels(x)
        first = next(self.network.parameters(), channels)
        result: Tensor = self.network(channels.to(first.dtype)).to(channels.dtype)
        if result.shape != channels.shape:
            raise ValueError(
                f"denoiser: expected the network to map {tuple(channels.shape)} to the same shape, "
                f"got {tuple(result.shape)}"
            )
        return as_image(result)


class Clamped(nn.Module):
    """A denoiser that sees the real and imaginary parts of images clamped to ``[-limit, limit]``."""

    def __init__(self, denoiser: nn.Module, limit: float) -> None:
        super().__init__()
        if not limit > 0:
            raise ValueError(f"limit: expected a positive number, got {limit}")
        self.denoiser = denoiser
        self.limit = limit

    def forward(self, x: Tensor) -> Tensor:
        """Clamp and denoise complex images ``(batch, y, x)``."""
        result: Tensor = self.denoiser(as_image(as_channels(x).clamp(-self.limit, self.limit)))
        return result


def as_complex(network: nn.Module) -> ComplexDenoiser:
    """Adapt a network of two real channels ``(batch, 2, y, x)`` to complex images ``(batch, y, x)``.

    >>> denoiser = as_complex(nn.Conv2d(2, 2, kernel_size=3, padding=1))
    >>> denoiser(torch.randn(1, 6, 8, dtype=torch.complex64)).shape
    torch.Size([1, 6, 8])
    """
    return ComplexDenoiser(network)


def clamped(denoiser: nn.Module, limit: float = 1.0) -> Clamped:
    """Clamp what a denoiser sees, for parity with the authors' code; equation (5) has no clamp."""
    return Clamped(denoiser, limit)
