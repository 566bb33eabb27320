"""Denoisers by configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import nn

from smug.models.didn import DIDN
from smug.models.layers import start_at_random
from smug.models.nonexpansive import Nonexpansive
from smug.models.ridge import RidgeRegulariser
from smug.models.ridge_reconstruction import RidgeDenoiser
from smug.models.unet import LevelUNet, UNet
from smug.system.arguments import check_fields

RANDOM = ("unet", "didn")
"""The kinds that can start with random weights everywhere."""

MAX_DEPTH = 16
"""Most levels of a U-Net, or blocks of a DIDN: a file that asks for more does not get the memory."""


@dataclass(frozen=True)
class NetworkConfig:
    """The denoiser.

    "unet" with ``depth`` levels, "level-unet", which is told how noisy its image is, "didn" with ``depth`` down-up
    blocks, "nonexpansive" with ``depth`` layers, with which reconstructions are certified, "ridge" or "convex-ridge"
    with ``channels`` filters, each ``depth`` convolutions in a row, or "file": your own.

    ``file`` is the ``FILE.py:function`` that returns it: a module that maps complex ``(batch, y, x)`` to the same.
    ``start`` "identity" lets the network return its input before training; "random", for "unet" and "didn", draws the
    weights of its last convolution as those of the others, which is how the authors of the paper begin.
    """

    kind: Literal["unet", "level-unet", "didn", "nonexpansive", "ridge", "convex-ridge", "file"] = "unet"
    channels: int = 32
    depth: int = 3
    file: str = ""
    start: Literal["identity", "random"] = "identity"

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self, "network.")
        if self.kind not in (kinds := (*KINDS, "file")):
            raise ValueError(f"network.kind: expected one of {', '.join(kinds)}, got {self.kind!r}")
        if (self.kind == "file") != bool(self.file):
            raise ValueError(
                f'network: expected a file with kind "file" and only then, got {self.kind!r}, {self.file!r}'
            )
        if self.channels < 4 or self.channels % 4 or self.depth < 1:
            raise ValueError(
                f"network: expected channels in multiples of 4 and depth >= 1, got {self.channels} and {self.depth}"
            )
        if self.start == "random" and self.kind not in RANDOM:
            raise ValueError(f'network.start: expected "identity" for {self.kind!r}, got "random"')
        if self.depth > MAX_DEPTH:
            raise ValueError(f"network.depth: expected at most {MAX_DEPTH}, got {self.depth}")


def build_denoiser(network: NetworkConfig) -> nn.Module:
    """Return a new network of this library; raises ValueError for kind "file"."""
    if network.kind == "file":
        raise ValueError(
            f"a network of your own: train it with --denoiser {network.file}, use it as RUN@{network.file}"
        )
    built = KINDS[network.kind](network.channels, network.depth)
    return start_at_random(built) if network.start == "random" else built


def _ridge(filters: int, depth: int, *, convex: bool) -> RidgeDenoiser:
    """Build the filters of so many convolutions: half as many channels before each."""
    widths = tuple(max(1, filters // 4 // 2**i) for i in range(depth - 1))[::-1]
    return RidgeDenoiser(RidgeRegulariser(filters, widths, convex=convex))


KINDS: Mapping[str, Callable[[int, int], nn.Module]] = {
    "unet": UNet,
    "level-unet": LevelUNet,
    "didn": DIDN,
    "nonexpansive": Nonexpansive,
    "ridge": partial(_ridge, convex=False),
    "convex-ridge": partial(_ridge, convex=True),
}
