"""The encoder that weights noisy samples in Weighted SMUG, equations (10) and (11)."""

import torch
from torch import Tensor, nn

from smug.models.adapters import as_channels
from smug.models.layers import convolution
from smug.system.arguments import check_arguments


class WeightEncoder(nn.Module):
    """One weight in ``[minimum, 1]`` per complex image: five 3x3 convolutions, global average, linear, sigmoid.

    ``w = minimum + (1 - minimum) sigmoid(.)``: a positive minimum bounds the ratio of two weights, which the
    robustness of (10) needs. GroupNorm normalises each image by itself (BatchNorm would couple the samples); the last
    convolution has none, as the average after it would see nothing.
    """

    @check_arguments
    def __init__(self, channels: int = 16, minimum: float = 0.05) -> None:
        super().__init__()
        if channels < 4 or channels % 4:
            raise ValueError(f"channels: expected a multiple of 4, got {channels}")
        if not 0 < minimum < 1:
            raise ValueError(f"minimum: expected a weight between 0 and 1, got {minimum}")
        self.minimum = minimum
        layers: list[nn.Module] = []
        for channels_in in (2, *[channels] * 3):
            layers += [convolution(channels_in, channels), nn.GroupNorm(4, channels), nn.ReLU()]
        self.features = nn.Sequential(*layers, convolution(channels, channels), nn.ReLU())
        self.linear = nn.Linear(channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map complex images ``(batch, y, x)`` to weights ``(batch,)``."""
        channels = as_channels(x)
        features = self.features(channels.to(self.linear.weight.dtype)).mean((-2, -1))
        score = self.linear(features).squeeze(-1).to(channels.dtype)
        return self.minimum + (1 - self.minimum) * torch.sigmoid(score)
