"""Several processes, one computation: what ``torchrun --nproc-per-node K -m smug train`` needs.

Every process (a rank) computes its share, ``items[group.rows]``, and the shares come together by ``mean``, ``any`` and
``gathered``. Only the rank that is ``first`` speaks and writes files. Nothing is pickled.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import torch
import torch.distributed as dist
from safetensors.torch import load, save
from torch import Tensor
from torch.distributed.distributed_c10d import Store
from torch.distributed.rendezvous import rendezvous


@dataclass(frozen=True)
class Group:
    """The processes that share a computation: this one's number, ``rank``, among ``world``."""

    rank: int
    world: int

    @property
    def first(self) -> bool:
        """Whether this rank is the one that speaks and writes."""
        return self.rank == 0

    @property
    def rows(self) -> slice:
        """The rank's share of a sequence: every ``world``-th item.

        >>> [list("abcde")[Group(rank, 2).rows] for rank in range(2)]
        [['a', 'c', 'e'], ['b', 'd']]
        """
        return slice(self.rank, None, self.world)

    def mean(self, tensor: Tensor) -> Tensor:
        """Return the mean over ranks, summed in float64, with the dtype and the device of ``tensor``; no gradient."""
        if self.world == 1:
            return tensor.detach()
        total = tensor.detach().to(torch.float64, copy=True)
        dist.all_reduce(total)
        return (total / self.world).to(tensor.dtype)

    def any(self, flag: bool) -> bool:
        """Return whether the flag is up on any rank; all wait for each other here."""
        if self.world == 1:
            return flag
        flags = torch.tensor([int(flag)])
        dist.all_reduce(flags, dist.ReduceOp.MAX)
        return bool(flags)

    def barrier(self) -> None:
        """Wait until all ranks are here."""
        self.any(False)

    def gathered(self, items: Sequence[Any]) -> list[Any]:
        """Return all ranks' items, which JSON must have, to all: ``gathered(items[group.rows]) == items``."""
        if self.world == 1:
            return list(items)
        return _dealt_back([json.loads(share) for share in _exchanged(json.dumps(list(items)).encode())])

    def gathered_tensors(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return all ranks' tensors on the CPU, ordered as by :meth:`gathered`; shapes and dtypes may differ."""
        if self.world == 1:
            return [tensor.cpu() for tensor in tensors]
        shares = _exchanged(save({str(i): tensor.cpu().contiguous() for i, tensor in enumerate(tensors)}))
        named = [load(share) for share in shares]
        return _dealt_back([[share[str(i)] for i in range(len(share))] for share in named])


ALONE = Group(0, 1)
"""One process, as everywhere but under torchrun."""


@contextmanager
def joined(device: torch.device | str) -> Iterator[Group]:
    """Join the group that torchrun's environment variables describe; without them, yield :data:`ALONE`.

    On ``cuda`` every rank gets the GPU of its ``LOCAL_RANK`` as the current one. Ranks leave together. Where they
    fail, the first to do so raises its error and the others end silently with status 1, also those that were waiting
    for it. Raises ValueError for an incomplete environment and for more processes than GPUs.
    """
    if _number("WORLD_SIZE", default=1) == 1:
        yield ALONE
        return
    group = _described()
    store, _, _ = next(rendezvous("env://"))
    try:
        dist.init_process_group(_backend(str(device)), store=store, rank=group.rank, world_size=group.world)
        yield group
        group.barrier()
    except BaseException as error:
        first = _first_to_fail(store)
        if (everyone := dist.group.WORLD) is not None and str(device) == "cuda":
            everyone._get_backend(torch.device(device)).abort()  # else NCCL waits for the other ranks
        if not first:
            _wait_for_the_first()
            raise SystemExit(1) from None
        if isinstance(error, dist.DistError) or "gloo" in str(error):
            raise ConnectionError("another process of the group was killed or cannot be reached") from error
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def processes_here() -> int:
    """Return how many processes of the group that torchrun describes are on this machine; 1 without one."""
    if _number("WORLD_SIZE", default=1) == 1:
        return 1
    return max(_number("LOCAL_RANK", default=0) + 1, _number("LOCAL_WORLD_SIZE", default=1))


def _described() -> Group:
    """Return the group that the environment variables describe; raises ValueError where some are missing."""
    missing = [name for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]
    if missing:
        raise ValueError(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']} but {', '.join(missing)} not set: "
            "start with torchrun, or unset WORLD_SIZE for a single process"
        )
    group = Group(_number("RANK"), _number("WORLD_SIZE"))
    if not group.rank < group.world:
        raise ValueError(f"RANK: expected less than WORLD_SIZE, {group.world}, got {group.rank}")
    return group


def _backend(device: str) -> str:
    """What carries the messages; on GPUs, also make that of this rank the current one.

    Every rank of a machine raises where one has no GPU, so that nobody waits.
    """
    if device == "cpu":
        return "gloo"
    if device != "cuda":
        raise ValueError(f"device {device}: expected cpu or cuda where several processes share the work")
    processes, available = processes_here(), torch.cuda.device_count()
    if processes > available:
        raise ValueError(
            f"device cuda: {processes} processes on a machine with {available} GPUs; "
            "start at most one per GPU (torchrun --nproc-per-node)"
        )
    torch.cuda.set_device(_number("LOCAL_RANK"))
    return "cpu:gloo,cuda:nccl"  # tensors on the CPU go through gloo: flags and JSON need no GPU


def _number(name: str, default: int | None = None) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal():
        raise ValueError(f"{name}: expected a whole number, got {text!r}")
    return int(text)


def _first_to_fail(store: Store) -> bool:
    """Whether no other rank has failed before; where the store is gone, the rank that kept it has."""
    try:
        return int(store.add("smug/failures", 1)) == 1
    except RuntimeError:
        return False


def _wait_for_the_first() -> None:
    """Let the rank that failed first tell why: as soon as any has ended, torchrun terminates all."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # which ends this rank without another word
    time.sleep(1)


def _exchanged(content: bytes) -> list[bytes]:
    """All ranks' bytes, by rank."""
    own = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, torch.tensor([len(own)]))
    largest = max(int(size) for size in sizes)
    padded = [torch.empty(largest, dtype=torch.uint8) for _ in sizes]
    dist.all_gather(padded, torch.nn.functional.pad(own, (0, largest - len(own))))
    return [share[: int(size)].numpy().tobytes() for share, size in zip(padded, sizes, strict=True)]


def _dealt_back(shares: Sequence[Sequence[Any]]) -> list[Any]:
    """The sequence of which ``shares[rank]`` is every ``world``-th item."""
    absent = object()
    return [item for turn in zip_longest(*shares, fillvalue=absent) for item in turn if item is not absent]
