"""The deep iterative down-up network (Yu, Park, Jeong, CVPR Workshops 2019), the paper's denoiser."""

import torch
from torch import Tensor, nn

from smug.models.layers import convolution, correct, residual, start_at_zero, upsampling
from smug.models.prelu import PReLU
from smug.system.arguments import check_arguments, check_integer


class DIDN(nn.Module):
    """DIDN on complex images ``(batch, y, x)`` of any size; 64 channels and 3 blocks have 5.02 M parameters.

    It works at half resolution: ``blocks`` down-up blocks in a row, whose outputs a 1x1 convolution gathers. The last
    convolution starts at zero, so that the network starts as the identity.

    >>> denoiser = DIDN(channels=8, blocks=1)
    >>> image = torch.randn(2, 13, 18, dtype=torch.complex64)
    >>> bool((denoiser(image) == image).all())
    True
    """

    @check_arguments
    def __init__(self, channels: int = 64, blocks: int = 3) -> None:
        super().__init__()
        check_integer("blocks", blocks, 1)
        if channels < 4 or channels % 4:
            raise ValueError(f"channels: expected a multiple of 4, got {channels}")
        self.head = nn.Sequential(convolution(2, channels), PReLU(), convolution(channels, channels, stride=2))
        self.blocks = nn.ModuleList(DownUpBlock(channels) for _ in range(blocks))
        self.gather = nn.Conv2d(blocks * channels, channels, 1)
        self.tail = nn.Sequential(
            convolution(channels, channels),
            PReLU(),
            nn.PixelShuffle(2),
            start_at_zero(convolution(channels // 4, 2)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Denoise complex images ``(batch, y, x)``."""
        return correct(self.correction, x, multiple=8, dtype=self.gather.weight.dtype)

    def correction(self, parts: Tensor) -> Tensor:
        """Return what is added to real and imaginary parts, real ``(batch, 2, y, x)``."""
        x = self.head(parts)
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        result: Tensor = self.tail(self.gather(torch.cat(outputs, dim=1)))
        return result


class DownUpBlock(nn.Module):
    """Two steps down (halving the size, doubling the channels) and up again, with skips at each size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        c1, c2, c3 = channels, 2 * channels, 4 * channels
        self.fine_in, self.middle_in, self.coarse = residual(c1, 2), residual(c2, 1), residual(c3, 1)
        self.down_1, self.down_2 = convolution(c1, c2, stride=2), convolution(c2, c3, stride=2)
        self.up_2, self.up_1 = upsampling(c3, c2), upsampling(c2, c1)
        self.merge_2, self.merge_1 = nn.Conv2d(2 * c2, c2, 1), nn.Conv2d(2 * c1, c1, 1)
        self.middle_out, self.fine_out = residual(c2, 1), residual(c1, 2)
        self.out = nn.Sequential(convolution(c1, c1), PReLU())

    def forward(self, x: Tensor) -> Tensor:
        """Map features ``(batch, channels, y, x)`` to the same shape; y and x are multiples of 4."""
        fine = self.fine_in(x)
        middle = self.middle_in(self.down_1(fine))
        coarse = self.coarse(self.down_2(middle))
        middle = self.middle_out(self.merge_2(torch.cat((middle, self.up_2(coarse)), dim=1)))
        fine = self.fine_out(self.merge_1(torch.cat((fine, self.up_1(middle)), dim=1)))
        result: Tensor = x + self.out(fine)
        return result
