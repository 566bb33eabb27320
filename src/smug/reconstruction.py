"""Reconstruction of measured volumes, slice after slice."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from smug.bounds.bound import Certified
from smug.bounds.image_bound import image_bound, largest
from smug.data.kspace.centre import Centre
from smug.data.kspace.compression import compressed_volume
from smug.data.kspace.non_cartesian import NonCartesianVolume
from smug.data.kspace.positions import SliceOrder
from smug.data.kspace.read import AnyVolume, read_any
from smug.data.kspace.read import undersample as keep_lines
from smug.data.kspace.volume import MapsEstimator, Volume
from smug.data.scan import Scan, stacked
from smug.data.simulate import Acquisition, named_seed
from smug.data.slices import remembered
from smug.evaluation_mode import check_mode
from smug.metrics import WINDOW, nmse, psnr, ssim
from smug.models.noise_map import noise_map
from smug.models.normalised import Normalised
from smug.physics.maps.estimate import espirit_maps
from smug.physics.scale import common_scale
from smug.range_checks import ScanFacts, outside
from smug.reconstructor import Reconstructor, described, moved
from smug.system.arguments import check_arguments, check_integer, check_number
from smug.system.words import counted
from smug.zoo import load

ADVICE = (
    "model: outside its training range an image may be wrong without looking so; ridge (--model ridge, "
    'smug.load("ridge")) is for any matrix, coils and sampling.'
)
"""The last of the warnings about the training range."""

MOST_LOST = 0.01
"""The fraction of the energy that coil compression may lose where nobody has asked for it."""


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A reconstructed volume, cropped, on the CPU, in the units of its measurements.

    ``images`` are complex ``(slices, y, x)``. Where the full scan is known, ``target`` is its coil combination with the
    same maps, complex, and ``rss`` its root of the sum of squares over coils, real. ``noise_std`` is the noise map,
    real, where it was asked for. ``certified`` says by what part of its norm a slice can change at most where its
    measurements change by 1 % of theirs, for models of which that is proved: see :func:`smug.bounds.image_bound`.
    """

    images: Tensor
    target: Tensor | None
    rss: Tensor | None
    noise_std: Tensor | None
    certified: Certified | None = None

    @property
    def quality(self) -> dict[str, float]:
        """PSNR (dB) and SSIM; empty without a reference with signal, and for images smaller than the window of SSIM.

        Means over slices against the target; those that end in ``rss`` are fastMRI's, of the volume against its root
        of sum of squares.
        """
        if self.target is None or self.rss is None or not bool(self.target.any()):
            return {}
        if min(self.images.shape[-2:]) < WINDOW:
            return {}
        rows = self.target.flatten(1).any(1)
        x, t = self.images[rows], self.target[rows]
        return {
            "psnr": float(psnr(x, t).mean()),
            "psnr_complex": float(psnr(x, t, "complex").mean()),
            "ssim": float(ssim(x, t).mean()),
            "psnr_rss": float(psnr(self.images, self.rss, "volume")),
            "ssim_rss": float(ssim(self.images, self.rss, "volume")),
            "nmse_rss": float(nmse(self.images, self.rss, "volume")),
        }


def volume_scale(volume: AnyVolume) -> Tensor:
    """Return one scale for all slices of a volume, real ``(1, 1, 1)``.

    With s_i the :func:`smug.physics.scale.measurement_scale` of slice i it is ``(sum s_i^4 / sum s_i^2)^(1/2)``:
    near that of the brightest slices, and blind to those without signal. Raises ValueError if no slice has any.
    """
    scales = []
    for i in range(len(volume)):
        try:
            scale = volume.scale_of(i)
        except ValueError as error:
            raise ValueError(f"{volume.names[i]}: {error}") from None
        if scale is not None:
            scales.append(scale)
    if not scales:
        raise ValueError(f"{volume.name}: scale: expected measurements, got zeros in all slices")
    return common_scale(torch.cat(scales)).to(torch.float32).reshape(1, 1, 1)


@check_arguments
@torch.no_grad()
def reconstruct(
    model: Reconstructor | str | Path,
    volume: Volume | NonCartesianVolume | str | Path,
    *,
    centre: Centre = "checked",
    slices: SliceOrder = "checked",
    undersample: float | None = None,
    seed: int = 0,
    batch: int = 1,
    device: torch.device | str = "cpu",
    noise_sigma: float | None = None,
    replicas: int = 32,
    maps: MapsEstimator = espirit_maps,
    coils: int | None = None,
    advance: Callable[[int], None] | None = None,
    warn: Callable[[str], None] = warnings.warn,
) -> Reconstruction:
    """Reconstruct a volume, ``batch`` slices at a time; no more than these and the images are in memory.

    (Of a series whose frames share calibration lines, these too, those of one frame.) ``model`` is any reconstructor
    ``f(y, A, generator)`` whose networks are on ``device``, or what :func:`smug.load` takes, such as "tv". ``volume``
    is what :func:`smug.read` or :func:`smug.read_non_cartesian` returns, or the path of a file, which these read with
    ``centre`` and ``slices``; with ``undersample=4`` a quarter of its lines is kept. The model sees the volume divided
    by :func:`volume_scale`, so there is no step between slices. Each slice's noise depends on its name and ``seed``
    alone, the result not on ``batch``. A slice without signal is zero. With ``noise_sigma``, the receiver noise per
    part of k-space, comes the noise map of so many ``replicas``: see :func:`smug.noise_map`. ``maps`` estimates coil
    maps. ``advance`` is called with the number of slices that are done anew, ``warn`` with a sentence for all that
    is doubtful in a file that is read here, for each value of the volume that is outside the training range of the
    model's weights, and one that names a model without a range.

    Raises ValueError without signal, for a network in training mode, and for images of another shape or not finite.
    """
    check_integer("batch", batch, 1)
    if noise_sigma is not None:
        check_integer("replicas", replicas, 2)
        check_number("noise_sigma", noise_sigma, 0)
    told = 0 if isinstance(volume, str | Path) else len(volume.warnings)  # of a volume that was read before
    volume = _undersampled(_read(volume, centre, slices), undersample, seed)
    _tell(volume.warnings[told:], warn)
    if isinstance(model, str | Path):
        model = moved(load(model), device)
    check_mode(model)
    full, volume = volume, compressed(model, volume, coils, warn)
    _tell(advised(volume_warnings(model, volume)), warn)
    scale = volume_scale(volume)
    f = Normalised(described(model).unscaled(), scale=lambda y, A: scale.to(y.device))
    batch = 1 if isinstance(volume, NonCartesianVolume) else batch  # which has an operator for every slice
    volume, full = (replace(each, kspace=remembered(each.kspace)) for each in (volume, full))
    images: list[Tensor] = []
    others: list[tuple[Tensor | None, ...]] = []
    bounds: list[Certified | None] = []
    for first in range(0, len(volume), batch):
        rows = range(first, min(first + batch, len(volume)))
        scan, rss = _scan(volume, full, rows, maps)
        seeds = torch.tensor([named_seed(name, seed) for name in scan.id], dtype=torch.int64)
        image, noise_std = _images(f, scan.to(device), seeds, noise_sigma, replicas)
        images.append(image)
        bounds.append(image_bound(f, scan, volume.cropped(image)))
        others.append((scan.target, rss, noise_std))
        if advance is not None:
            advance(len(rows))
    target, rss, noise_std = (_joined(volume, column) for column in zip(*others, strict=True))
    return Reconstruction(volume.cropped(torch.cat(images)), target, rss, noise_std, largest(bounds))


def compressed(model: Reconstructor, volume: AnyVolume, coils: int | None, warn: Callable[[str], None]) -> AnyVolume:
    """Return a volume of so many virtual coils, of which ``warn`` is told; None is as :func:`reconstruct` says.

    Raises ValueError for no coils or more than there are.
    """
    if isinstance(volume, NonCartesianVolume):
        if coils is not None:
            raise ValueError("coils: expected Cartesian k-space, whose coils can be compressed")
        return volume
    there = volume.kspace[0].shape[0]
    if coils is None:
        trained = described(model).training_range()
        most = there if trained is None else max(trained.coils, default=there)
        if most >= there:
            return volume
        virtual, lost = compressed_volume(volume, most)
        if lost > MOST_LOST:
            return volume
    else:
        virtual, lost = compressed_volume(volume, coils)
    made = counted(virtual.kspace[0].shape[0], "virtual coil")
    warn(f"coils: {there} are compressed to {made}, which lose {100 * lost:.2g} % of the energy of k-space.")
    return virtual


def _scan(volume: AnyVolume, full: AnyVolume, rows: range, maps: MapsEstimator) -> tuple[Scan, Tensor | None]:
    """Return the scan of some slices and, where the full scan is known, the root of the sum of squares of all coils."""
    scans, roots = [], []
    for i in rows:  # one slice after the other, as the volume remembers the last that was read
        scans.append(volume.scan(i, maps))
        if isinstance(full, Volume) and volume.fully_sampled:
            roots.append(full.rss(i))
    return stacked(scans), torch.cat(roots) if roots else None


def _images(
    f: Reconstructor, scan: Scan, seeds: Tensor, noise_sigma: float | None, replicas: int
) -> tuple[Tensor, Tensor | None]:
    """Return the images of a scan and, where ``noise_sigma`` is known, their noise map; slices without signal are zero.

    Raises ValueError for images of another shape or not finite.
    """
    y, A = scan.y, scan.A
    signal = y.flatten(1).any(1)[:, None, None]
    images = f(y, A, seeds)
    _check_images(images, tuple(A.blank(y).shape), y, scan.id)
    if noise_sigma is None:
        return (images * signal).cpu(), None
    return (images * signal).cpu(), (noise_map(f, y, A, noise_sigma, replicas, seeds) * signal).cpu()


def _joined(volume: AnyVolume, parts: Sequence[Tensor | None]) -> Tensor | None:
    """Return the whole, cropped, of parts that are all there or all None."""
    there = [part for part in parts if part is not None]
    return volume.cropped(torch.cat(there)) if there else None


def _read(source: AnyVolume | str | Path, centre: Centre, slices: SliceOrder) -> AnyVolume:
    """Return a volume that may be a file; raises ValueError for options of reading without one."""
    if isinstance(source, str | Path):
        return read_any(source, centre=centre, slices=slices)
    for name, value in (("centre", centre), ("slices", slices)):
        if value != "checked":
            raise ValueError(f"{name}: would change nothing: it is for files, and the volume has been read already")
    return source


def _tell(sentences: Iterable[str], warn: Callable[[str], None]) -> None:
    for sentence in sentences:
        warn(sentence)


def _undersampled(volume: AnyVolume, rate: float | None, seed: int) -> AnyVolume:
    """Return a volume of which lines of a rate are kept, None for all; raises ValueError without lines."""
    if rate is None:
        return volume
    if isinstance(volume, NonCartesianVolume):
        raise ValueError("undersample: expected Cartesian k-space, of which lines are kept")
    return keep_lines(volume, rate, seed=seed)


def range_warnings(
    model: Reconstructor,
    shape: Sequence[int],
    mask: Tensor,
    *,
    acceleration: float | None = None,
    encoded_lines: int | None = None,
    simulated: Acquisition | None = None,
) -> list[str]:
    """Return one sentence for each value of a scan that is outside the training range of the model's weights.

    ``shape`` is that of its k-space, ``(..., coil, y, x)``. ``acceleration`` is the true one, by default that of the
    mask within the ``encoded_lines``. Of ``simulated`` k-space noise, phase, coil profiles and maps are
    compared too. A model without weights has no range. See :func:`volume_warnings` for measured volumes.
    """
    coils, height, width = shape[-3:]
    facts = ScanFacts((height, width), coils, mask, encoded_lines, acceleration)
    if simulated is not None:
        a = simulated
        facts = replace(facts, noise=a.noise, phase=a.phase, profile_width=a.profile_width)
        facts = replace(facts, maps=a.maps, background=a.background)
    trained = described(model).training_range()
    return [] if trained is None else outside(trained, facts)


def volume_warnings(model: Reconstructor, volume: AnyVolume) -> list[str]:
    """Return one sentence for each value of a measured volume that is outside the training range of the weights.

    Its receiver noise is compared where it is known; the scale, which that takes, reads all slices. Raises ValueError
    for a volume without signal.
    """
    trained = described(model).training_range()
    if trained is None:
        return []
    if isinstance(volume, NonCartesianVolume):
        return [
            "sampling: got a non-Cartesian trajectory, outside the training range of the weights (Cartesian lines)."
        ]
    coils, height, width = volume.kspace[0].shape
    noise = None if volume.noise_sigma is None else volume.noise_sigma / float(volume_scale(volume))
    rate, lines = volume.acceleration, volume.encoded_lines
    facts = ScanFacts((height, width), coils, volume.mask, lines, rate, noise, measured=True)
    return outside(trained, facts)


def advised(sentences: Sequence[str]) -> list[str]:
    """Return warnings about a training range with what to do about them."""
    return [*sentences, ADVICE] if sentences else []


def _check_images(images: Tensor, expected: tuple[int, ...], y: Tensor, names: tuple[str, ...]) -> None:
    if images.shape != expected:
        raise ValueError(f"model: expected images {expected} from k-space {tuple(y.shape)}, got {tuple(images.shape)}")
    finite = images.isfinite().flatten(1).all(1).tolist()
    if not all(finite):
        raise ValueError(f"model: expected a finite image of slice {names[finite.index(False)]}, got NaN or inf")
