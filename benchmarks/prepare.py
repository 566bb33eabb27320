"""How fast ``smug prepare`` is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import torch

from smug.data.phantom import head_phantom
from smug.data.prepared.full_volume import Settings
from smug.data.prepared.prepare import prepare
from smug.models.noise import complex_normal
from smug.physics.fourier import fft2c
from smug.physics.maps.simulated import simulated_maps
from smug.system.files import write_atomically


@dataclass(frozen=True)
class Throughput:
    """The time that so many workers took for all slices, the start of their processes included.

    ``megabytes_per_second`` are those of the source files, in 10^6 bytes.
    """

    workers: int
    slices: int
    seconds: float
    slices_per_second: float
    megabytes_per_second: float


def prepare_throughput(
    workers: Sequence[int] = (1, 2),
    *,
    volumes: int = 8,
    slices: int = 16,
    coils: int = 8,
    matrix: tuple[int, int] = (256, 256),
    maps: str = "espirit",
) -> list[Throughput]:
    """Prepare a folder of synthetic volumes in the system's temporary folder, once per number of workers."""
    rows = []
    with TemporaryDirectory() as name:
        source = Path(name) / "source"
        for seed in range(volumes):
            write_volume(source / f"volume{seed}.h5", slices, coils, matrix, seed=seed)
        megabytes = sum(path.stat().st_size for path in source.iterdir()) / 1e6
        for count in workers:
            start = perf_counter()
            prepare(source, Path(name) / f"prepared-{count}", Settings(maps=maps), workers=count)
            seconds = perf_counter() - start
            rows.append(Throughput(count, volumes * slices, seconds, volumes * slices / seconds, megabytes / seconds))
    return rows


def write_volume(
    path: Path, slices: int, coils: int, matrix: tuple[int, int], *, seed: int = 0, noise: float = 0.01
) -> None:
    """Write fully sampled k-space of phantoms as fastMRI stores it, complex64 ``(slices, coils, y, x)``.

    The phantom is the same in all slices, their noise is not: ``noise`` per part, where its maximum is 1.
    """
    import h5py

    height, width = matrix
    square = head_phantom(seed, max(matrix))
    top, left = (max(matrix) - height) // 2, (max(matrix) - width) // 2
    image = square[top : top + height, left : left + width]
    clean = fft2c(simulated_maps(coils, height, width, seed=seed)[0] * image)
    seeds = torch.arange(slices) + 1000 * seed

    def write(temporary: Path) -> None:
        with h5py.File(temporary, "w") as file:
            kspace = file.create_dataset("kspace", (slices, *clean.shape), "c8", chunks=(1, *clean.shape))
            for i in range(slices):
                kspace[i] = (clean + noise * complex_normal(seeds[i], clean.shape)).numpy()

    write_atomically(path, write)
