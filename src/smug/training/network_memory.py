"""The memory of one network's gradient, counted on torch's meta device, where tensors have no contents."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def network_memory(
    network: nn.Module, shape: tuple[int, int, int], dtype: torch.dtype | None = None
) -> tuple[int, int]:
    """Return the bytes that a network keeps for the gradient of images of this shape, and those beside them at most.

    With ``dtype`` its parameters are of that type, as autocast makes them, whose copies count as kept.
    """
    tensors = dict(network.named_parameters()) | dict(network.named_buffers())
    meta = {name: value.detach().to("meta") for name, value in tensors.items()}
    copies = 0
    if dtype is not None:
        meta = {name: value.to(dtype) if value.is_floating_point() else value for name, value in meta.items()}
    for name, parameter in network.named_parameters():
        meta[name].requires_grad_(parameter.requires_grad)
        meta[name].grad = torch.empty_like(meta[name])  # as after the first chunk: gradients are added to others
        copies += 0 if dtype is None else meta[name].nbytes
    x = torch.empty(shape, dtype=torch.complex64, device="meta", requires_grad=True)
    with torch.device("meta"), torch.enable_grad(), LiveBytes() as memory:
        result: Tensor = functional_call(network, meta, (x,))
        kept = memory.live - result.untyped_storage().nbytes()
        torch.autograd.backward(result, torch.empty_like(result))
    return kept + copies, memory.peak - kept


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of tensors made under it: ``live`` now, ``peak`` at most.

    >>> with LiveBytes() as memory:
    ...     x = torch.zeros(1000, dtype=torch.float32, device="meta") + 1
    >>> memory.live, memory.peak
    (4000, 8000)
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live = self.peak = 0
        self._storages: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operation and count the storages that were not among its arguments."""
        result = func(*args, **(kwargs or {}))
        known = {storage._cdata for storage in _storages((args, kwargs))}
        for storage in _storages(result):
            if storage._cdata not in known and storage._cdata not in self._storages:
                self._count(storage._cdata, storage)
        return result

    def _count(self, address: int, storage: torch.UntypedStorage) -> None:
        size = storage.nbytes()
        self.live += size
        self.peak = max(self.peak, self.live)

        def freed(_: Any) -> None:
            self.live -= size
            del self._storages[address]

        self._storages[address] = weakref.ref(storage, freed)


def _storages(tree: Any) -> list[torch.UntypedStorage]:
    return [leaf.untyped_storage() for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]
