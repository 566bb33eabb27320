"""One measured scan, undersampled in one way: what models get, and how good their images are."""

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.measured.ghosts import ghost, line_spacing
from smug.data.kspace.read import read, undersample
from smug.data.kspace.volume import MapsEstimator, Volume
from smug.metrics import head_mask, psnr, ssim
from smug.physics.maps.estimate import espirit_maps
from smug.reconstruction import reconstruct
from smug.reconstructor import Reconstructor

CEILING = 120.0
"""A higher PSNR, in dB, is one of rounding in single precision."""


@dataclass(frozen=True)
class Scores:
    """Of one image, means over slices with signal, inside the head; PSNR in dB, seconds of computing per slice.

    ``psnr`` and ``ssim`` are against the coil combination of the full scan with its own maps, ``psnr_rss`` is against
    its root of the sum of squares. ``ghost`` is that of :func:`benchmarks.measured.ghosts.ghost`.
    """

    psnr: float
    ssim: float
    psnr_rss: float
    ghost: float
    seconds: float


@dataclass(frozen=True, eq=False)
class FullScan:
    """A fully sampled file: its volume, and what images are compared with, on the slices that have signal.

    ``reference`` is complex, ``rss`` real, ``head`` bool; all ``(slices, y, x)``, cropped as reconstructions are.
    """

    volume: Volume
    reference: Tensor
    rss: Tensor
    head: Tensor
    signal: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Case:
    """A full scan of which only lines of one acceleration, kind and seed are kept."""

    file: str
    acceleration: float
    kind: str
    seed: int
    full: FullScan
    volume: Volume = field(init=False)
    maps: MapsEstimator = field(init=False)

    def __post_init__(self) -> None:
        """Keep the lines that ``smug reconstruct --undersample --lines --seed`` keeps."""
        kept = undersample(self.full.volume, self.acceleration, seed=self.seed, lines=self.kind)
        object.__setattr__(self, "volume", kept)
        object.__setattr__(self, "maps", remembered_maps(espirit_maps))


def full_scan(path: Path) -> FullScan:
    """Read a fully sampled file; raises ValueError for one that is not, or holds no signal, and as reading does."""
    volume = read(path)
    if not volume.fully_sampled:
        raise ValueError(f"{path}: expected all lines, which make a reference, got {volume.acceleration:.2f}x")
    targets = torch.cat([volume.scan(i).truth for i in range(len(volume))])
    signal = tuple(torch.nonzero(targets.flatten(1).any(1)).flatten().tolist())
    reference = volume.cropped(targets[list(signal)])
    rss = volume.cropped(torch.cat([volume.rss(i) for i in signal]))
    return FullScan(volume, reference, rss, head_mask(reference), signal)


def reconstructed(case: Case, model: Reconstructor, device: torch.device) -> tuple[Tensor, float]:
    """Return what ``smug reconstruct`` makes of the slices with signal, and seconds per slice without maps."""
    for i in range(len(case.volume)):
        case.volume.scan(i, case.maps)
    began = time.perf_counter()
    result = reconstruct(model, case.volume, seed=case.seed, device=device, maps=case.maps)
    return result.images[list(case.full.signal)], (time.perf_counter() - began) / len(case.volume)


def scores(images: Tensor, case: Case, seconds: float) -> Scores:
    """Score images ``(slices, y, x)`` of a case."""
    full = case.full
    return Scores(
        psnr=head_psnr(images, full),
        ssim=float(ssim(images, full.reference, region=full.head).mean()),
        psnr_rss=float(psnr(images, full.rss, region=full.head).clamp(max=CEILING).mean()),
        ghost=ghost(images, full.reference, full.head, line_spacing(case.volume.mask, case.volume.encoded_lines)),
        seconds=seconds,
    )


def head_psnr(images: Tensor, full: FullScan) -> float:
    """Return the PSNR inside the head, at most :data:`CEILING`."""
    return float(psnr(images, full.reference, region=full.head).clamp(max=CEILING).mean())


def remembered_maps(maps: MapsEstimator) -> MapsEstimator:
    """Return an estimator that estimates the maps of each slice once."""
    known: dict[str, Tensor] = {}

    def estimate(y: Tensor, mask: Tensor) -> Tensor:
        address = hashlib.sha256(y.numpy().tobytes() + mask.numpy().tobytes()).hexdigest()
        if address not in known:
            known[address] = maps(y, mask)
        return known[address]

    return estimate
