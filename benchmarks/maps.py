"""Coil maps: the time of ESPIRiT here, in sigpy and in BART, on the same data in one run."""

import math
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smug.data.phantom import head_phantom
from smug.physics.fourier import fft2c, ifft2c
from smug.physics.maps.eigenvectors import Espirit, espirit
from smug.physics.maps.simulated import simulated_maps

SETTINGS = Espirit(crop=0)
"""The same for every program; nothing is cropped, so that there is a map to compare at every pixel."""

WARM_UP = 48
"""Side of the slice that every program works on once before it is timed."""

Method = Callable[[Tensor], tuple[Tensor, float]]
"""From k-space ``(1, coil, y, x)`` to maps of that shape and the seconds that they took."""


@dataclass(frozen=True)
class MapsTiming:
    """One program: its seconds per slice, and how well its maps agree with ours.

    The agreement is ``|<a, b>| / (|a| |b|)`` of the coil vectors of a pixel, over the pixels whose root sum of squares
    exceeds a tenth of the largest. ``speedup`` is the median time of sigpy over that of this program, None where sigpy
    is not installed. ``truth`` is the mean agreement with the maps that the data were simulated with.
    """

    name: str
    seconds_min: float
    seconds_median: float
    seconds_max: float
    speedup: float | None
    agreement_mean: float
    agreement_min: float
    truth: float


def time_maps(
    coils: int = 12, size: int = 320, *, repeats: int = 3, noise: float = 0.01, seed: int = 0
) -> list[MapsTiming]:
    """Time ESPIRiT on one simulated slice with a calibration region of 24 x 24: smug, and sigpy and BART where present.

    The programs take turns, so that all of them see a busy machine. smug and sigpy are timed in this process, BART from
    the start of ``bart ecalib`` to its end, files read and written. Threads are those of the environment. Raises
    ValueError for sizes that cannot be simulated, and CalledProcessError where BART fails.
    """
    if repeats < 1:
        raise ValueError(f"repeats: expected at least one, got {repeats}")
    kspace, truth = _simulated(coils, size, noise, seed)
    methods = available_methods()
    for method in methods.values():
        method(_simulated(coils, WARM_UP, noise, seed)[0])
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    maps: dict[str, Tensor] = {}
    for _ in range(repeats):
        for name, method in methods.items():
            maps[name], elapsed = method(kspace)
            seconds[name].append(elapsed)

    rss = torch.linalg.vector_norm(ifft2c(kspace), dim=1)
    inside = rss > 0.1 * rss.max()
    rows = []
    for name, times in seconds.items():
        agreement = _agreement(maps["smug"], maps[name])[inside]
        speedup = median(seconds["sigpy"]) / median(times) if "sigpy" in seconds else None
        mean, least = float(agreement.mean()), float(agreement.min())
        true = float(_agreement(truth, maps[name])[inside].mean())
        rows.append(MapsTiming(name, min(times), median(times), max(times), speedup, mean, least, true))
    return rows


def available_methods() -> dict[str, Method]:
    """Return the programs that are installed, by name; ``smug`` is the first."""
    methods: dict[str, Method] = {"smug": _smug}
    if find_spec("sigpy"):
        methods["sigpy"] = _sigpy
    if shutil.which("bart"):
        methods["bart"] = _bart
    return methods


def _smug(kspace: Tensor) -> tuple[Tensor, float]:
    mask = torch.ones(1, kspace.shape[-1], dtype=torch.bool)
    start = time.perf_counter()
    maps = espirit(kspace, mask, SETTINGS).maps
    return maps, time.perf_counter() - start


def _sigpy(kspace: Tensor) -> tuple[Tensor, float]:
    EspiritCalib = import_module("sigpy.mri.app").EspiritCalib
    values = kspace[0].numpy()
    start = time.perf_counter()
    maps = EspiritCalib(
        values,
        calib_width=SETTINGS.calibration,
        kernel_width=SETTINGS.kernel,
        thresh=math.sqrt(SETTINGS.threshold),  # of singular values
        crop=SETTINGS.crop,
        show_pbar=False,
    ).run()
    return torch.from_numpy(maps)[None], time.perf_counter() - start


def _bart(kspace: Tensor) -> tuple[Tensor, float]:
    program = shutil.which("bart") or "bart"
    k, r = SETTINGS.kernel, SETTINGS.calibration
    options = ["-m1", f"-k{k}", f"-r{r}", f"-t{SETTINGS.threshold}", f"-c{SETTINGS.crop}"]
    with tempfile.TemporaryDirectory() as folder:
        _write_cfl(Path(folder, "kspace"), kspace[0].numpy())
        start = time.perf_counter()
        subprocess.run(  # noqa: S603 - the program is the user's own, and no shell is involved
            [program, "ecalib", *options, "kspace", "maps"], cwd=folder, check=True, capture_output=True
        )
        elapsed = time.perf_counter() - start
        return torch.from_numpy(_read_cfl(Path(folder, "maps"), tuple(kspace.shape[1:])))[None], elapsed


def _write_cfl(path: Path, values: NDArray[np.complex64]) -> None:
    """Write ``(coil, y, x)`` as BART's (read, phase, slice, coil), column-major."""
    coils, height, width = values.shape
    path.with_suffix(".hdr").write_text(f"# Dimensions\n{height} {width} 1 {coils}\n")
    values.transpose(1, 2, 0).ravel("F").tofile(path.with_suffix(".cfl"))


def _read_cfl(path: Path, shape: tuple[int, ...]) -> NDArray[np.complex64]:
    coils, height, width = shape
    values = np.fromfile(path.with_suffix(".cfl"), dtype=np.complex64)
    return values.reshape((height, width, coils), order="F").transpose(2, 0, 1).copy()


def _simulated(coils: int, size: int, noise: float, seed: int) -> tuple[Tensor, Tensor]:
    """K-space of a head phantom ``(1, coil, y, x)``, and its maps."""
    maps = simulated_maps(coils, size, size, seed=seed)
    kspace = fft2c(maps * head_phantom(seed, size))
    generator = torch.Generator().manual_seed(seed)
    white = math.sqrt(2) * torch.randn(kspace.shape, dtype=kspace.dtype, generator=generator)  # 1 per part
    return kspace + noise * white, maps


def _agreement(a: Tensor, b: Tensor) -> Tensor:
    """``|<a, b>| / (|a| |b|)`` of the coil vectors at every pixel; 0 where one of them vanishes."""
    length = torch.linalg.vector_norm(a, dim=1) * torch.linalg.vector_norm(b, dim=1)
    agreement: Tensor = (a.conj() * b).sum(1).abs() / length.clamp(min=torch.finfo(length.dtype).tiny)
    return agreement.clamp(max=1)
