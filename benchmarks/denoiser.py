"""How fast the paper's denoiser is: as one would write it, and as it is trained here."""

from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Literal

import torch
from torch import Tensor, nn

from benchmarks.operations import TRAINING, best_rate, forward_flops, time_in_turns
from smug.models.adapters import as_channels, as_image
from smug.models.compute import in_precision
from smug.models.didn import DIDN
from smug.models.noise import complex_normal
from smug.models.smoothing import ImageMap
from smug.models.unet import UNet


@dataclass(frozen=True)
class DenoiserTiming:
    """One way to compute a denoiser, "forward" or "forward and backward".

    Seconds are those of a call, the rate is in 10^9 useful operations (FLOPs) per second. ``speedup`` is the median
    time of the textbook over that of this row, for the same work. ``share_of_best`` compares the rate with the best
    one over the network's own layers in the same precision, :func:`benchmarks.operations.best_rate`.
    """

    name: str
    work: str
    seconds_min: float
    seconds_median: float
    seconds_max: float
    speedup: float
    gflops_per_second: float
    share_of_best: float


def time_denoiser(
    channels: int = 64,
    blocks: int = 3,
    size: int = 320,
    *,
    batch: int = 1,
    repeats: int = 5,
    compiled: bool = False,
    device: torch.device | str = "cpu",
) -> list[DenoiserTiming]:
    """Time a DIDN forward, and forward and backward, in each layout and precision; the ways take turns.

    The textbook is the same network in torch's default layout with torch's own PReLU. ``compiled`` adds torch.compile.
    Threads are those of the environment. Raises ValueError for a size that is no multiple of 8, or counts below 1.
    """
    if size < 8 or size % 8 or batch < 1:
        raise ValueError(f"denoiser: expected a size in multiples of 8 and batch >= 1, got {size} and {batch}")
    device, shape = torch.device(device), (batch, size, size)
    network = random_network("didn", channels, blocks).to(device)
    ours = deepcopy(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    ways: dict[str, tuple[ImageMap, torch.dtype]] = {
        "textbook, float32": (TextbookDenoiser(network), torch.float32),
        "channels_last, float32": (ours, torch.float32),
        "channels_last, bfloat16": (in_precision(ours, torch.bfloat16), torch.bfloat16),
    }
    if compiled:
        fast: ImageMap = torch.compile(ours)
        ways["compiled, float32"] = fast, torch.float32
        ways["compiled, bfloat16"] = in_precision(fast, torch.bfloat16), torch.bfloat16

    x = complex_normal(torch.arange(batch), shape[1:], device=device)
    best = {dtype: best_rate(network, shape, dtype, repeats=repeats) for dtype in (torch.float32, torch.bfloat16)}
    flops = forward_flops(network, shape)
    rows = []
    for work, call, useful in (("forward", _forward, flops), ("forward and backward", _gradient, TRAINING * flops)):
        seconds = time_in_turns({name: partial(call, way, x) for name, (way, _) in ways.items()}, repeats, device)
        first = median(seconds["textbook, float32"])
        for name, times in seconds.items():
            middle = median(times)
            rate, best_of_row = useful / middle, best[ways[name][1]]
            spread = min(times), middle, max(times)
            rows.append(DenoiserTiming(name, work, *spread, first / middle, rate / 1e9, rate / best_of_row))
    return rows


def random_network(kind: Literal["didn", "unet"], channels: int, depth: int) -> nn.Module:
    """Return a network with random weights, the last layer's too: times must not depend on zeros."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        network: nn.Module = {"didn": DIDN, "unet": UNet}[kind](channels, depth)
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d) and not layer.weight.any():
                layer.reset_parameters()
    return network


class TextbookDenoiser(nn.Module):
    """A DIDN or U-Net of the same weights as one would write it: torch's default layout, and torch's PReLU.

    Images are complex ``(batch, y, x)`` of a size that the network can halve.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = deepcopy(network)
        for parent in list(self.network.modules()):
            for name, layer in parent.named_children():
                if isinstance(layer, nn.PReLU):
                    prelu = nn.PReLU()
                    prelu.weight = layer.weight
                    setattr(parent, name, prelu)

    def forward(self, x: Tensor) -> Tensor:
        """Denoise complex images."""
        correction: Tensor = self.network.correction(as_channels(x).contiguous())  # type: ignore[operator]
        return x + as_image(correction, x)


@torch.no_grad()
def _forward(denoiser: ImageMap, x: Tensor) -> None:
    denoiser(x)


def _gradient(denoiser: ImageMap, x: Tensor) -> None:
    torch.autograd.backward(torch.view_as_real(denoiser(x)).square().mean())
