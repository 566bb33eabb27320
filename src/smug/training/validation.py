"""The quality of a network on the validation scans."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.metrics import psnr
from smug.models.noise import derive
from smug.reconstructor import Reconstructor
from smug.system.distributed import ALONE, Group
from smug.training.pictures import MOST, write_validation


@torch.no_grad()
def validate(
    f: Reconstructor,
    scans: Iterable[Scan],
    device: torch.device,
    *,
    group: Group = ALONE,
    picture: Path | None = None,
) -> float:
    """Return the mean magnitude-slice PSNR in dB over scans, with the same smoothing noise every time.

    The processes of a group share the scans; ``picture`` is the PNG of the first ones' images, those of this process.
    """
    values: list[float] = []
    pictured: list[tuple[Scan, Tensor]] = []
    for scan, image in _reconstructed(f, list(scans)[group.rows], device):
        values.extend(psnr(image, scan.truth, "slice").tolist())
        if len(pictured) < MOST:
            pictured.append((scan, image))
    if picture is not None:
        write_validation(picture, [scan for scan, _ in pictured], [image for _, image in pictured])
    everything = group.gathered(values)
    return fmean(everything)


def _reconstructed(f: Reconstructor, scans: Iterable[Scan], device: torch.device) -> Iterator[tuple[Scan, Tensor]]:
    for scan in scans:
        scan = scan.to(device).normalised()
        yield scan, f(scan.y, scan.A, derive(torch.arange(len(scan.id)), 0))
