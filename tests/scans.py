"""Small scans for tests: of random images, whose every property is generic, and of phantoms, which look like heads."""

import torch
from torch import Tensor

from smug.data.phantom import head_phantom
from smug.data.scan import Scan
from smug.data.simulate import Acquisition, simulate
from smug.models.noise import complex_normal
from smug.physics.sense import Sense


def tiny_scan(
    batch: int = 2,
    coils: int = 3,
    height: int = 24,
    width: int = 20,
    *,
    noise: float = 0.01,
    seed: int = 0,
    dtype: torch.dtype = torch.complex128,
    device: torch.device | str = "cpu",
) -> Scan:
    """Random images in random normalised maps: every other line, another half for each slice, and the centre.

    Slices differ in size by a factor; each is the same in every batch.
    """
    maps, images, errors = (
        complex_normal(torch.arange(batch) + 100 * stream + 1000 * seed, shape, dtype)
        for stream, shape in enumerate([(coils, height, width), (height, width), (coils, height, width)])
    )
    mask = (torch.arange(width) + torch.arange(batch)[:, None]) % 2 == 0
    mask[:, width // 2 - width // 10 : width // 2 + width // 10 + 1] = True
    A = Sense(mask=mask, maps=maps / maps.abs().square().sum(1, keepdim=True).sqrt())
    target = images / (3 - torch.arange(batch)[:, None, None] % 2)
    names = tuple(f"slice {i}" for i in range(batch))
    return Scan(A(target) + noise * A.sampled * errors, A, target, names).to(device)


def phantom_scan(size: int | tuple[int, int] = 32, count: int = 1, *, seed: int = 0, **acquisition: object) -> Scan:
    """Head phantoms, simulated with these settings of an acquisition."""
    seeds = range(seed, seed + count)
    images = torch.stack([head_phantom(each, size) for each in seeds])
    return simulate(images, Acquisition(**acquisition), seeds, [f"phantom-{each}" for each in seeds])


def dense(A: Sense, index: int = 0, height: int | None = None) -> Tensor:
    """The matrix of one slice's operator, complex128 ``(coil * y * x, y * x)``, from its action on unit vectors.

    The maps tell the height, where there are any.
    """
    height, width = height or A.maps.shape[-2], A.mask.shape[-1]
    basis = torch.eye(height * width, dtype=torch.complex128, device=A.mask.device).reshape(-1, 1, height, width)
    return A[index](basis).flatten(1).mT
