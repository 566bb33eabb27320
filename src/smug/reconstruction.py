"""Reconstruction of measured volumes, and the file it is written to."""

import json
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import smug
from smug.data.scan import Scan
from smug.data.simulate import named_seed
from smug.evaluation.metrics import psnr, ssim
from smug.files import write_atomically
from smug.models.noise_map import noise_map
from smug.models.normalised import Normalised
from smug.physics import masks
from smug.physics.scale import measurement_scale
from smug.reconstructor import Reconstructor

RATE_TOLERANCE = 0.1
"""How far the acceleration may be from that of training, relative, without a warning."""

NOTICE = "research use only, not for diagnosis"


def volume_scale(scan: Scan) -> Tensor:
    """Return one scale for all slices of a volume, real ``(1, 1, 1)``.

    With s_i the :func:`smug.physics.scale.measurement_scale` of slice i it is ``(sum s_i^4 / sum s_i^2)^(1/2)``:
    near that of the brightest slices, and blind to those without signal. Raises ValueError if no slice has any.
    """
    unit = scan.y.abs().max()  # k-space may be in any unit; in this one its fourth power is a float
    if not unit > 0:
        raise ValueError("scale: expected measurements, got zeros in all slices")
    rows = scan.y.flatten(1).any(1).nonzero().flatten().tolist()
    squares = torch.cat([measurement_scale(scan.y[i : i + 1] / unit, scan.A[i]) for i in rows]).square()
    return unit * (squares.square().sum() / squares.sum()).sqrt().reshape(1, 1, 1)


def volume_noise_map(
    model: Reconstructor,
    scan: Scan,
    noise_sigma: float,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
    advance: Callable[[int], None] | None = None,
) -> Tensor:
    """Return the noise map of every slice, real ``(slices, y, x)``: see :func:`smug.noise_map`.

    A slice without signal has none. ``advance`` is called with the number of slices that are done anew.
    """
    f = _in_units_of(model, volume_scale(scan))
    maps = []
    for i, name in enumerate(scan.id):
        seeds = torch.tensor([named_seed(name, seed)], dtype=torch.int64)
        one = noise_map(f, scan.y[i : i + 1].to(device), scan.A[i].to(device), noise_sigma, generator=seeds).cpu()
        maps.append(one * bool(scan.y[i].any()))
        if advance is not None:
            advance(1)
    return torch.cat(maps)


def _in_units_of(model: Reconstructor, scale: Tensor) -> Normalised:
    return Normalised(getattr(model, "reconstructor", model), scale=lambda y, A: scale.to(y.device))


@torch.no_grad()
def reconstruct(
    model: Reconstructor,
    scan: Scan,
    *,
    seed: int = 0,
    batch: int = 1,
    device: torch.device | str = "cpu",
    advance: Callable[[int], None] | None = None,
) -> Tensor:
    """Reconstruct a volume: complex ``(slices, y, x)``, in the units of its measurements, on the CPU.

    ``model`` is a trained model or any reconstructor ``f(y, A, generator)``; it sees the volume divided by
    :func:`volume_scale`, so there is no step between slices. ``batch`` slices at a time are on ``device``, where the
    model's networks are. Each slice's noise depends on its name and ``seed`` alone, the result not on ``batch``.
    A slice without signal is zero. ``advance`` is called with the number of slices that are done anew.

    Raises ValueError for measurements without signal and for a model whose images are of another shape or not finite.
    """
    if batch < 1:
        raise ValueError(f"batch: expected at least one slice at a time, got {batch}")
    f = _in_units_of(model, volume_scale(scan))
    images = []
    for first in range(0, len(scan.id), batch):
        rows = slice(first, first + batch)
        names = scan.id[rows]
        seeds = torch.tensor([named_seed(name, seed) for name in names], dtype=torch.int64)
        y = scan.y[rows].to(device)
        image = f(y, scan.A[rows].to(device), seeds)
        _check_image(image, y, names)
        images.append((image * y.flatten(1).any(1)[:, None, None]).cpu())
        if advance is not None:
            advance(len(names))
    return torch.cat(images)


def quality(images: Tensor, scan: Scan) -> dict[str, float]:
    """Return mean magnitude-slice and complex PSNR (dB) and SSIM over the slices that have a target with signal."""
    if scan.target is None or not bool(scan.target.any()):
        return {}
    rows = scan.target.flatten(1).any(1)
    x, t = images[rows], scan.target[rows]
    values = {"psnr": psnr(x, t), "psnr_complex": psnr(x, t, "complex"), "ssim": ssim(x, t)}
    return {name: float(value.mean()) for name, value in values.items()}


def range_warnings(model: Any, scan: Scan, acceleration: float | None = None) -> list[str]:
    """Return one sentence for each value of the scan that is outside the training range of the model's weights.

    ``acceleration`` is the true one (see :attr:`smug.data.kspace.KSpace.acceleration`), by default that of the mask. A
    model without weights has no range.
    """
    config = getattr(model, "config", None)
    if config is None:
        return []
    size, trained = config.data.size, config.data.acquisition
    coils, height, width = scan.y.shape[1:]
    rate = float(masks.acceleration(scan.A.mask)[0]) if acceleration is None else acceleration
    kind, trained_kind = (
        "line mask" if lines else "2-D mask" for lines in (scan.A.is_line_mask, trained.mask != "poisson")
    )
    compared = [
        ("matrix size", f"{height} x {width}", f"{size} x {size}", (height, width) == (size, size)),
        ("number of coils", f"{coils}", f"{trained.coils}", coils == trained.coils),
        (
            "acceleration",
            f"{rate:.2f}",
            f"{trained.acceleration:.2f}",
            abs(rate / trained.acceleration - 1) <= RATE_TOLERANCE,
        ),
        ("sampling", kind, trained_kind, kind == trained_kind),
    ]
    return [
        f"{name}: got {got}, outside the training range of the weights ({expected})."
        for name, got, expected, inside in compared
        if not inside
    ]


def write_reconstruction(
    path: str | Path, images: Tensor, metadata: Mapping[str, Any], *, noise_std: Tensor | None = None
) -> None:
    """Write magnitudes as HDF5 data set ``reconstruction``, float32 ``(slices, y, x)``, whole or not at all.

    ``noise_std``, real and of the same shape, is added where it is known. ``metadata`` become attributes (nested values
    as JSON): by custom ``model``, ``input``, ``acceleration`` and ``settings``. The version, the units and the notice
    "research use only" are always there. Raises ValueError for images of another shape and OSError where the file
    cannot be written.
    """
    import h5py

    volumes = {"reconstruction": images} | ({} if noise_std is None else {"noise_std": noise_std})
    for name, volume in volumes.items():
        if volume.ndim != 3 or volume.shape != images.shape:
            raise ValueError(f"{name}: expected (slices, y, x) like the reconstruction, got {tuple(volume.shape)}")
    attributes = {
        "smug_version": smug.__version__,
        "notice": NOTICE,
        "units": "those of the input k-space",
        "kspace": "measured",
        **{
            key: value if isinstance(value, str | int | float) else json.dumps(value) for key, value in metadata.items()
        },
    }

    file_in_memory = BytesIO()  # HDF5 does not report every failure to write; Python does
    with h5py.File(file_in_memory, "w") as file:
        for name, volume in volumes.items():
            file.create_dataset(name, data=volume.detach().abs().to("cpu", torch.float32).numpy())
        file.attrs.update(attributes)
    write_atomically(Path(path), lambda temporary: temporary.write_bytes(file_in_memory.getbuffer()))


def _check_image(image: Tensor, y: Tensor, names: tuple[str, ...]) -> None:
    expected = (y.shape[0], *y.shape[-2:])
    if image.shape != expected:
        raise ValueError(f"model: expected images {expected} from k-space {tuple(y.shape)}, got {tuple(image.shape)}")
    finite = image.isfinite().flatten(1).all(1).tolist()
    if not all(finite):
        raise ValueError(f"model: expected a finite image of slice {names[finite.index(False)]}, got NaN or inf")
