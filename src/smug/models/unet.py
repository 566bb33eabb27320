"""A small U-Net for training on CPUs."""

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from smug.models.layers import convolution, correct, residual, start_at_zero, upsampling
from smug.physics.residual import LEAST
from smug.system.arguments import check_arguments, check_integer


class UNet(nn.Module):
    """A residual U-Net on complex images ``(batch, y, x)`` of any size, cheap enough to train on two CPU cores.

    A pixel unshuffle puts all of it at half resolution or below, and the identity around it carries the detail.
    ``levels`` sizes have ``channels``, twice and four times as many channels. It starts as the identity. ``planes`` of
    more than 2 are for what is told beside the image, see :meth:`correction`.

    >>> import torch
    >>> image = torch.randn(2, 13, 18, dtype=torch.complex64)
    >>> bool((UNet(channels=8)(image) == image).all())
    True
    """

    @check_arguments
    def __init__(self, channels: int = 32, levels: int = 3, planes: int = 2) -> None:
        super().__init__()
        for name, value in (("channels", channels), ("levels", levels), ("planes", planes)):
            check_integer(name, value, 1)
        widths = [channels * 2**level for level in range(levels)]
        self.head = nn.Sequential(nn.PixelUnshuffle(2), convolution(4 * planes, channels))
        self.encoders = nn.ModuleList(residual(width, 2) for width in widths)
        self.downs = nn.ModuleList(convolution(fine, coarse, stride=2) for fine, coarse in pairwise(widths))
        self.ups = nn.ModuleList(upsampling(coarse, fine) for fine, coarse in pairwise(widths))
        self.decoders = nn.ModuleList(residual(width, 2) for width in widths)
        self.tail = nn.Sequential(start_at_zero(convolution(channels, 8)), nn.PixelShuffle(2))
        self.multiple = 2**levels

    def forward(self, x: Tensor) -> Tensor:
        """Denoise complex images ``(batch, y, x)``."""
        return correct(self.correction, x, self.multiple, dtype=next(self.parameters()).dtype)

    def correction(self, parts: Tensor) -> Tensor:
        """Return what is added to real and imaginary parts, from all planes, real ``(batch, planes, y, x)``."""
        x = self.head(parts)
        skips: list[Tensor] = []
        for encoder, down in zip(self.encoders, [*self.downs, nn.Identity()], strict=True):
            x = encoder(x)
            skips.append(x)
            x = down(x)
        x = self.decoders[-1](skips.pop())
        for up, decoder in zip(reversed(self.ups), reversed(self.decoders[:-1]), strict=True):
            x = decoder(skips.pop() + up(x))
        result: Tensor = self.tail(x)
        return result


class LevelUNet(nn.Module):
    """A U-Net that is told how noisy its image is: ``D(x, level) = x + level U(x, log level)``.

    So it is as careful with clean images as it is bold with noisy ones, and learns in parts of the noise at every
    level. Without a level it takes the image for the cleanest. It starts as the identity.

    >>> D, image = LevelUNet(channels=8), torch.randn(2, 13, 18, dtype=torch.complex64)
    >>> bool((D(image, torch.tensor([0.01, 0.1])) == image).all())
    True
    """

    takes_level: ClassVar[bool] = True

    @check_arguments
    def __init__(self, channels: int = 32, levels: int = 3) -> None:
        super().__init__()
        self.network = UNet(channels, levels, planes=3)

    def forward(self, x: Tensor, level: Tensor | None = None) -> Tensor:
        """Denoise complex images ``(batch, y, x)`` with noise of ``level`` per part, real ``(batch,)``."""
        dtype = next(self.parameters()).dtype
        told = x.real.new_full(x.shape[:1], LEAST) if level is None else level
        scale = told.to(dtype)[:, None, None, None]

        def correction(parts: Tensor) -> Tensor:
            plane = (scale.log() / 2 + 2).expand(-1, 1, *parts.shape[-2:])  # from -1.5 to 1 for levels of 0.001 to 0.1
            return scale * self.network.correction(torch.cat([parts, plane], 1))

        return correct(correction, x, self.network.multiple, dtype)
