"""A small U-Net for training on CPUs."""

from itertools import pairwise

from torch import Tensor, nn

from smug.models.layers import convolution, correct, residual, start_at_zero, upsampling
from smug.system.arguments import check_arguments, check_integer


class UNet(nn.Module):
    """A residual U-Net on complex images ``(batch, y, x)`` of any size, cheap enough to train on two CPU cores.

    A pixel unshuffle puts all of it at half resolution or below, and the identity around it carries the detail.
    ``levels`` sizes have ``channels``, twice and four times as many channels. It starts as the identity.

    >>> import torch
    >>> image = torch.randn(2, 13, 18, dtype=torch.complex64)
    >>> bool((UNet(channels=8)(image) == image).all())
    True
    """

    @check_arguments
    def __init__(self, channels: int = 32, levels: int = 3) -> None:
        super().__init__()
        check_integer("channels", channels, 1)
        check_integer("levels", levels, 1)
        widths = [channels * 2**level for level in range(levels)]
        self.head = nn.Sequential(nn.PixelUnshuffle(2), convolution(8, channels))
        self.encoders = nn.ModuleList(residual(width, 2) for width in widths)
        self.downs = nn.ModuleList(convolution(fine, coarse, stride=2) for fine, coarse in pairwise(widths))
        self.ups = nn.ModuleList(upsampling(coarse, fine) for fine, coarse in pairwise(widths))
        self.decoders = nn.ModuleList(residual(width, 2) for width in widths)
        self.tail = nn.Sequential(start_at_zero(convolution(channels, 8)), nn.PixelShuffle(2))
        self.multiple = 2**levels

    def forward(self, x: Tensor) -> Tensor:
        """Denoise complex images ``(batch, y, x)``."""
        return correct(self._correction, x, self.multiple, dtype=next(self.parameters()).dtype)

    def _correction(self, parts: Tensor) -> Tensor:
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
