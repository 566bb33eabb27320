"""Scans simulated from images: random coil maps, masks and receiver noise.

Such k-space comes from finite images with maps that are known exactly. Results on it flatter every method (a "data
crime"), which every table that is made from it states.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor

from smug.data.acquisition import Acquisition as Acquisition
from smug.data.acquisition import AcquisitionRange
from smug.data.scan import Scan
from smug.models.noise import complex_normal, complex_normal_where, derive
from smug.physics.maps import espirit_maps
from smug.physics.maps.simulated import simulated_maps
from smug.physics.sense import Sense, cartesian
from smug.system.arguments import check_arguments


@check_arguments
def simulate(
    images: Tensor,
    acquisition: Acquisition = Acquisition(),
    seeds: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> Scan:
    """Measure images ``(batch, y, x)``, complex or real: each with its own coil maps, mask, phase and receiver noise.

    Everything random about a slice is a function of its seed alone: 0, 1, ... unless ``seeds`` are given. ``names`` are
    "slice-000", "slice-001", ... by default. The target is the image without receiver noise, combined by the maps that
    are handed out: with estimated ones it is ``sum_c conj(s_c) x_c`` of the coil images x_c, as for a measured scan,
    and zero where these maps are. Raises ValueError for images of another shape, unless there is one seed and one name
    per image, and for fewer lines in the centre than maps can be estimated from.

    >>> import smug
    >>> simulate(smug.head_phantom(seed=1, size=32)[None]).y.shape
    torch.Size([1, 4, 32, 32])
    """
    if images.ndim != 3:
        raise ValueError(f"images: expected (batch, y, x), got {tuple(images.shape)}")
    seeds = range(len(images)) if seeds is None else seeds
    names = [f"slice-{index:03d}" for index in range(len(images))] if names is None else names
    if not len(seeds) == len(names) == len(images) > 0:
        raise ValueError(
            f"expected one seed and one name per image, got {len(images)} images, "
            f"{len(seeds)} seeds and {len(names)} names"
        )
    images = images.to(torch.promote_types(images.dtype, torch.complex64))  # receiver noise has two parts
    height, width = images.shape[-2:]
    a = acquisition
    maps = torch.cat(
        [simulated_maps(a.coils, height, width, seed=seed, profile_width=a.profile_width) for seed in seeds]
    ).to(images.device)
    masks = torch.cat([a.sample(height, width, named_seed("mask", seed)) for seed in seeds]).to(images.device)
    phase = torch.stack([smooth_phase(height, width, seed) for seed in seeds]).to(images.device)
    target = images * torch.polar(torch.ones_like(phase), a.phase * phase)
    addresses = torch.tensor(list(seeds), dtype=torch.int64)
    if a.background > 0:
        noise = complex_normal(derive(addresses, 1), (height, width), images.dtype, images.device)
        target = target + a.background * noise
    A = Sense(mask=masks, maps=maps)
    y = A(target)
    if a.noise > 0:
        address, noise = derive(addresses, 0), torch.zeros_like(y)
        for own, sampled, seed in zip(noise, A.sampled.expand_as(y), address, strict=True):
            own[sampled] = a.noise * complex_normal_where(seed, sampled, images.dtype)
        y = y + noise
    scan = Scan(y, A, target, tuple(names))
    return scan if a.maps == "exact" else _with_estimated_maps(scan)


def _with_estimated_maps(scan: Scan) -> Scan:
    """Return the scan with the maps of its own lines instead of the exact ones; a single coil has sensitivity 1."""
    y, A = scan.y, cartesian(scan.A, "estimated maps")
    maps = torch.ones_like(A.maps) if y.shape[1] == 1 else espirit_maps(y, A.mask)
    target = (maps.conj() * A.maps).sum(1) * scan.truth
    return Scan(y, Sense(mask=A.mask, maps=maps), target, scan.id)


def named_scans(
    images: Iterable[Tensor], names: Sequence[str], acquisition: Acquisition | AcquisitionRange
) -> tuple[Scan, ...]:
    """Return one scan per slice ``(y, x)``, whose acquisition, and all that is random, depend on its name only."""
    seeds = map(named_seed, names)
    rows = zip(images, names, seeds, strict=True)
    return tuple(simulate(image[None], acquisition.draw(seed), [seed], [name]) for image, name, seed in rows)


def smooth_phase(height: int, width: int, seed: int) -> Tensor:
    """Return a random smooth field of about unit size, real ``(y, x)``: a polynomial of degree 2."""
    a = np.random.default_rng([seed, 1]).normal(size=6)
    y = np.linspace(-1, 1, height)[:, None]
    x = np.linspace(-1, 1, width)
    field = 3 * a[0] + 0.5 * (a[1] * y + a[2] * x) + 0.3 * (a[3] * y**2 + a[4] * y * x + a[5] * x**2)
    return torch.from_numpy(field).to(torch.float32)


def named_seed(name: str, seed: int = 0) -> int:
    """Return a seed that depends on a slice's name (and ``seed``) only, so that its mask never changes."""
    import hashlib

    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:7], "big")
