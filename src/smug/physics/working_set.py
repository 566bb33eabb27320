"""How much is computed at a time: what fits a processor's cache is several times faster than what does not."""

from torch import Tensor

BYTES = {"cpu": 2**21, "cuda": 2**26}
"""Of intermediate results, by device; a graphics card wants few and large steps."""


def at_a_time(one: Tensor) -> int:
    """Return how many intermediate results of the size of ``one`` to make at a time, at least 1."""
    return max(1, BYTES.get(one.device.type, 2**26) // max(1, one.numel() * one.itemsize))
