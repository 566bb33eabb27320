"""How much memory a training step of SMUG takes, and that it hardly grows with steps and samples."""

import ctypes
import multiprocessing
import re
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from smug.data.phantom import head_phantom
from smug.data.scan import Scan
from smug.data.simulate import Acquisition, simulate
from smug.models.denoisers import NetworkConfig
from smug.models.smoothing import Smoothing
from smug.system.distributed import ALONE
from smug.training.config import ComputeConfig, Config, DataConfig, OptimizerConfig
from smug.training.configured import build
from smug.training.learner import Learner
from smug.training.memory import estimate


@dataclass(frozen=True)
class MemoryRow:
    """The peak of one training step, in 10^6 bytes beyond what is there before: weights, Adam's moments and the scan.

    ``steps = 0`` is one forward and backward pass of the denoiser. ``peak_ratio`` compares with SMUG of one step and
    one sample, ``denoiser_ratio`` with the denoiser; ``estimate`` is what :func:`smug.training.memory.estimate` says.
    """

    steps: int
    samples: int
    peak: float
    peak_ratio: float
    denoiser_ratio: float
    estimate: float


def measure_memory(
    coils: int = 12,
    size: int = 320,
    *,
    batch: int = 1,
    channels: int = 64,
    blocks: int = 3,
    steps: int = 8,
    samples: int = 10,
    device: torch.device | str = "cpu",
) -> list[MemoryRow]:
    """Take one training step of the denoiser, of SMUG with one step and one sample, and of SMUG with all of them.

    The denoiser is a DIDN, recomputed for the gradient, one sample at a time. On a CPU each step has a process of its
    own, and the peak is that of its resident memory; on CUDA it is that of torch's allocator. Raises ValueError for
    counts below 1, for a step too small to be seen, and where a process dies, as it does for lack of memory.
    """
    if min(coils, size, batch, channels, blocks, steps, samples) < 1:
        raise ValueError("memory: expected coils, size, batch, channels, blocks, steps and samples >= 1")
    full = Config(
        method="smug",
        steps=steps,
        smoothing=Smoothing(chunk=1),
        training_samples=samples,
        network=NetworkConfig("didn", channels, blocks),
        data=DataConfig(size=size, acquisition=Acquisition(coils=coils)),
        optimizer=OptimizerConfig(batch=batch),
        compute=ComputeConfig(recompute=True),
    )
    cases = [replace(full, method="pretrain"), replace(full, steps=1, training_samples=1), full]
    peaks = [_peak(case, torch.device(device)) / 1e6 for case in cases]
    if min(peaks) <= 0:
        raise ValueError(f"memory: expected a step that takes memory of its own, got none at size {size}: a larger one")
    return [
        MemoryRow(
            steps=0 if case.method == "pretrain" else case.steps,
            samples=1 if case.method == "pretrain" else case.training_samples,
            peak=peak,
            peak_ratio=peak / peaks[1],
            denoiser_ratio=peak / peaks[0],
            estimate=(estimate(case).step or 0) / 1e6,
        )
        for case, peak in zip(cases, peaks, strict=True)
    ]


def _peak(config: Config, device: torch.device) -> int:
    if device.type != "cpu":
        return take_step(config, device)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _return_freed_memory) as pool:
        try:
            return pool.submit(take_step, config, device).result()
        except BrokenProcessPool:
            raise ValueError(f"memory: the process for {config.steps} steps died; is there enough memory?") from None


def take_step(config: Config, device: torch.device) -> int:
    """Take a training step as in the middle of a run, and return the bytes that it took at most."""
    learner = Learner.of(build(config).to(device), config, ALONE)
    learner.update(1, _scan(config, 16))  # loads libraries, makes Adam's moments
    scan = _scan(config, config.data.size).to(device)
    return _allocated_by(lambda: learner.update(2, scan), device)


def _scan(config: Config, size: int) -> Scan:
    rows = range(config.optimizer.batch)
    images = torch.stack([head_phantom(row, size) for row in rows])
    return simulate(images, config.data.acquisition.draw(0), rows, [f"phantom-{row}" for row in rows]).normalised()


def _allocated_by(step: Callable[[], object], device: torch.device) -> int:
    """Return the peak of memory during ``step``, beyond what was allocated before."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        step()
        return torch.cuda.max_memory_allocated(device) - before
    with suppress(OSError):  # elsewhere than on Linux, the peak is that since the start of the process
        Path("/proc/self/clear_refs").write_text("5")
    before = _high_water()
    step()
    return _high_water() - before


def _high_water() -> int:
    """Return the most memory in bytes that this process has had resident since the reset."""
    status = Path("/proc/self/status")
    if status.exists():  # there, ru_maxrss begins with that of the parent
        return 1024 * int(re.findall(r"VmHWM:\s+(\d+)", status.read_text())[0])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _return_freed_memory() -> None:
    """Have glibc return every freed block of 64 KiB or more to the system, so that resident is what is used."""
    if sys.platform == "linux":
        mmap_threshold, arena_max = -3, -8
        libc = ctypes.CDLL(None)
        for option, value in ((mmap_threshold, 65536), (arena_max, 1)):
            getattr(libc, "mallopt", lambda *_: None)(option, value)  # musl has none
