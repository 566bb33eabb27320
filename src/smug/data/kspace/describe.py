"""A measured volume described in words: its content, and how it would be read and reconstructed."""

import numpy as np
from numpy.typing import NDArray

from smug.data.kspace.volume import Volume
from smug.physics.masks import calibration_region
from smug.system.words import counted

ORDINALS = {2: "2nd", 3: "3rd"}


def described(volume: Volume) -> dict[str, str | tuple[str, ...]]:
    """Return what is known of a volume, by name: its format, sizes, sampling, noise, places and warnings.

    What would be done with it stands beside: how the image is cropped, where coil maps come from, whether channels are
    prewhitened. All is text; ``warnings`` and ``notes`` are several.
    """
    coils, height, width = volume.kspace[0].shape
    frames = f" in {counted(volume.frames, 'frame')}" if volume.frames > 1 else ""
    y, x, z = volume.geometry.voxel_size
    place = "with a known place in the patient" if volume.geometry.oriented else "of unknown orientation"
    notes = dict(volume.attributes)
    return {
        "format": volume.format,
        "slices": f"{counted(len(volume), 'slice')}{frames}, {counted(coils, 'coil')}",
        "matrix": f"{height} x {width} samples (readout x phase), {volume.encoded_lines} of these lines encoded",
        "sampling": sampling(volume),
        "central lines": _central(volume),
        "full scan": "yes: --undersample keeps a part and compares" if volume.fully_sampled else "no: no reference",
        "receiver noise": _noise(volume),
        "prewhitening": notes.pop("prewhitening", "none: no noise scan"),
        "image": _image(volume, (height, width)),
        "voxels": f"{y:.3g} x {x:.3g} x {z:.3g} mm (y, x, slice), {place}",
        "coil maps": _maps(volume, coils),
        "units": volume.units,
        "notes": tuple(f"{name}: {text}" for name, text in notes.items()),
        "warnings": volume.warnings,
    }


def sampling(volume: Volume) -> str:
    """Return which lines or points are sampled, of the first slice, and the acceleration of all."""
    mask = volume.mask_of(0)[0].numpy()
    rate = f"{volume.acceleration:.2f}x"
    if mask.ndim == 2:
        rows = np.asarray(mask.any(axis=1))
        if not np.array_equal(mask, np.outer(rows, mask.any(0))):
            return f"{rate}, points in two dimensions"
        gapless = np.diff(np.flatnonzero(rows)).max(initial=1) == 1 and rows[0] != rows[-1]
        return f"{rate}, {'lines with an asymmetric echo' if gapless else 'lines along both axes'}"
    if volume.fully_sampled:
        return f"{rate}, all lines"
    sampled = np.flatnonzero(mask)
    gaps = np.diff(sampled)
    if len(gaps) == 0 or gaps.max() == 1:
        return f"{rate}, {len(sampled)} lines without gaps, {sampled[0]} to {sampled[-1]} (partial Fourier)"
    step = _step(gaps)
    kind = f"every {ORDINALS.get(step, f'{step}th')} line" if step else "irregular lines"
    each = "" if len(volume.mask) == 1 else ", of each slice its own"
    return f"{rate}, {kind}{each}"


def _step(gaps: NDArray[np.intp]) -> int:
    """The distance of equispaced lines, beside those of a fully sampled centre; 0 for irregular ones."""
    outer = gaps[gaps > 1]
    common = int(np.bincount(outer).argmax())
    beside = np.count_nonzero(outer != common)  # the distance next to the centre may be another
    return common if beside <= min(2, len(outer) // 4) else 0


def _central(volume: Volume) -> str:
    box = _box(volume)
    if box is None:
        return "none: the centre of k-space is not sampled"
    return f"{box[1]}" if volume.mask.ndim == 2 else f"{box[0]} x {box[1]} points"


def _box(volume: Volume) -> tuple[int, int] | None:
    """The size of the fully sampled centre; None where the centre is not sampled."""
    try:
        region = calibration_region(volume.mask_of(0))
    except ValueError:
        return None
    height, width = (len(range(size)[part]) for size, part in zip(volume.kspace[0].shape[1:], region, strict=True))
    return height, width


def _noise(volume: Volume) -> str:
    if volume.noise_sigma is None:
        return "not known: --noise-sigma says it"
    return f"{volume.noise_sigma:.3g} per real and imaginary part"


def _image(volume: Volume, matrix: tuple[int, int]) -> str:
    kept = f"{volume.crop[0]} x {volume.crop[1]} pixels"
    return kept if volume.crop == matrix else f"{kept}, the central part of {matrix[0]} x {matrix[1]}"


def _maps(volume: Volume, coils: int) -> str:
    if coils == 1:
        return "none: a single coil"
    source = volume if volume.calibration is None else volume.calibration
    box = _box(source)
    if box is None:
        return "none: the centre of k-space is not sampled, and there are no calibration lines"
    count = f"{box[0]} x {box[1]}"
    which = f"its own {count} central" if volume.calibration is None else f"{count} separate calibration"
    return f"by ESPIRiT, from {which} samples"
