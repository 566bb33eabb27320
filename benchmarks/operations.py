"""The arithmetic of a network, and the best rate at which this machine does it.

One multiplication and addition count as two floating-point operations (FLOPs). What is not a convolution or a product
of matrices counts as nothing. Training takes three times the useful operations of a forward pass; operations that are
repeated to save memory are not useful.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

TRAINING = 3
"""Useful operations of a forward and backward pass over those of the forward pass."""


def forward_flops(network: nn.Module, shape: Sequence[int]) -> int:
    """Return the operations of one forward pass on complex images of shape ``(batch, y, x)``; nothing is computed."""
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        _on_meta(network)(torch.empty(*shape, dtype=torch.complex64, device="meta"))
    return int(counter.get_total_flops())


def convolutions(network: nn.Module, shape: Sequence[int]) -> Counter[tuple[str, tuple[int, ...]]]:
    """Count the convolutions of one forward pass by the layer's name and the shape ``(batch, channel, y, x)`` it sees.

    Layers of the same settings and shape count as one, by the name of the first.
    """
    found: Counter[tuple[str, tuple[int, ...]]] = Counter()
    names: dict[Any, str] = {}
    copy = _on_meta(network)
    for name, layer in copy.named_modules():
        if isinstance(layer, nn.Conv2d):

            def hook(layer: nn.Module, inputs: tuple[Tensor, ...], name: str = name) -> None:
                seen = tuple(inputs[0].shape)
                found[names.setdefault((repr(layer), seen), name), seen] += 1

            layer.register_forward_pre_hook(hook)
    with torch.no_grad():
        copy(torch.empty(*shape, dtype=torch.complex64, device="meta"))
    return found


@torch.no_grad()
def best_rate(
    network: nn.Module, shape: Sequence[int], dtype: torch.dtype = torch.float32, *, repeats: int = 5
) -> float:
    """Return operations per second of the network's convolutions, forward, each timed alone at its own shape.

    It is the rate of a network on images ``(batch, y, x)`` between whose convolutions no time passes: the operations
    over the sum of the shortest times, in channels_last and ``dtype``, on the device of the network.
    """
    device = next(network.parameters()).device
    counts = convolutions(network, shape)
    calls = {}
    for name, seen in counts:
        layer = deepcopy(network.get_submodule(name)).to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        x = torch.randn(seen, generator=torch.Generator().manual_seed(0)).to(device, dtype)
        calls[str((name, seen))] = partial(layer, x.contiguous(memory_format=torch.channels_last))
    seconds = time_in_turns(calls, repeats, device)
    total = sum(count * min(seconds[str(which)]) for which, count in counts.items())
    return forward_flops(network, shape) / total


def time_in_turns(
    methods: Mapping[str, Callable[[], object]], repeats: int, device: torch.device
) -> dict[str, list[float]]:
    """Return the seconds of every call; the methods take turns, so that all see a busy machine, and warm up once."""
    if repeats < 1:
        raise ValueError(f"repeats: expected at least one, got {repeats}")
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for turn in range(repeats + 1):
        for name, method in methods.items():
            _wait(device)
            start = perf_counter()
            method()
            _wait(device)
            if turn:
                seconds[name].append(perf_counter() - start)
    return seconds


def _on_meta(network: nn.Module) -> nn.Module:
    return deepcopy(network).to("meta")


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
