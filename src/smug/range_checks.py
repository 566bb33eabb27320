"""Whether a scan is like what weights were trained on: a check for every field of the training range."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from smug.physics.mask_kind import centre_lines, mask_patterns
from smug.physics.masks import calibration_region
from smug.physics.operator import LinearOperator
from smug.physics.parts import squared
from smug.training_range import TrainingRange

RATE_TOLERANCE = 0.1
"""How far the acceleration may be from that of training, relative, without a warning."""

TOLERANCE = 0.25
"""How far the calibration lines and the width of the coil profiles may be from those of training, relative."""

NOISE_TOLERANCE, LEAST_NOISE = 2.0, 0.002
"""Noise is louder than in training above twice its level, and above this share of the image's maximum."""

CALIBRATION = 24
"""The side of the fully sampled square of "poisson" masks."""

CHANCE = 1e-5
"""Lines drawn beside the calibration lines make these look wider; below this probability they were meant."""

NORMS = 0.7, 1.5
"""Between which norms of the operator a network does what it does at 1. Measured images have 0.98 to 1 with normalised
maps, noise alone 0.75 and more; at 0.5 and 2 ``modl`` loses more than 1 dB on the phantom, at 0.2 and 5 the image."""

PHANTOM = "phantom"
"""The source whose images are drawn by this library."""


@dataclass(frozen=True, eq=False)
class ScanFacts:
    """What is known of a scan at use; None where it is not.

    ``mask`` is bool ``(batch, x)`` or ``(batch, y, x)``, of which the ``encoded_lines`` around DC belong to the scan;
    what lies beyond is zero padding. ``acceleration`` is the true one, by default that of the mask. ``noise`` per part,
    ``phase``, ``profile_width``, ``maps`` and ``background`` are as in :class:`smug.data.acquisition.Acquisition`.
    ``measured`` k-space comes from a scanner, not from images.
    """

    matrix: tuple[int, int]
    coils: int
    mask: Tensor
    encoded_lines: int | None = None
    acceleration: float | None = None
    noise: float | None = None
    phase: float | None = None
    profile_width: float | None = None
    measured: bool = False
    maps: str | None = None
    background: float | None = None

    def encoded(self) -> Tensor:
        """Return the distinct masks without zero padding."""
        width = self.mask.shape[-1]
        lines = width if self.encoded_lines is None else min(self.encoded_lines, width)
        first = width // 2 - lines // 2
        masks = self.mask[..., first : first + lines].bool()
        if masks.ndim == 3 and bool((masks == masks[:, :1]).all()):  # lines, though written for every row
            masks = masks[:, 0]
        distinct: Tensor = torch.unique(masks, dim=0)
        return distinct


def outside(trained: TrainingRange, scan: ScanFacts) -> list[str]:
    """Return one sentence for each value of a scan that is outside the training range."""
    found = (check(trained, scan) for check in CHECKS.values())
    return list(dict.fromkeys(sentence for sentence in found if sentence))


@torch.no_grad()
def norm_warning(y: Tensor, A: LinearOperator) -> str | None:
    """Return a sentence if the norm of the operator is not about 1, as that of training: then lam weighs otherwise.

    It is that on the images ``A^H y`` of the measurements, the farthest from 1 of a batch: two applications of A.
    """
    image = A.H(y)
    norms = (squared(A(image)).flatten(1).sum(1) / squared(image).flatten(1).sum(1)).sqrt()
    far = [norm for norm in norms.tolist() if 0 < norm < torch.inf and not NORMS[0] <= norm <= NORMS[1]]
    if not far:
        return None
    norm = f"{float(f'{max(far, key=lambda norm: abs(math.log(norm))):.1g}'):g}"
    sentence = _sentence("norm of the operator", f"about {norm}", 1)
    return f"{sentence} Divide the operator and its measurements by {norm}."


def _sentence(name: str, got: Any, seen: Any) -> str:
    listed = ", ".join(map(str, seen)) if isinstance(seen, tuple | list) else seen
    return f"{name}: got {got}, outside the training range of the weights ({listed})."


def _sources(trained: TrainingRange, scan: ScanFacts) -> str | None:
    """Drawn phantoms alone are no training for what a scanner measures; other anatomy cannot be told from k-space."""
    if scan.measured and set(trained.sources) == {PHANTOM}:
        return _sentence("anatomy", "measured k-space", "drawn phantoms only")
    return None


def _matrix(trained: TrainingRange, scan: ScanFacts) -> str | None:
    """Compare the matrix with those that occurred, and its sides with those of the zoomed images."""
    height, width = scan.matrix
    if trained.has_matrix(height, width):
        return None
    names, sides = [f"{height} x {width}" for height, width in trained.matrices], sorted(trained.zoomed)
    listed = names if len(names) <= 4 else [*names[:3], f"{len(names) - 3} others"]
    if any((side, side) not in trained.matrices for side in sides):
        ends = " to ".join(f"{side}" for side in dict.fromkeys((sides[0], sides[-1])))
        listed = [*listed, f"parts of images {ends} wide"]
    return _sentence("matrix size", f"{height} x {width}", listed)


def _coils(trained: TrainingRange, scan: ScanFacts) -> str | None:
    if scan.coils in trained.coils:
        return None
    first, last = min(trained.coils, default=0), max(trained.coils, default=0)
    all_between = len(set(trained.coils)) == last - first + 1 > 2
    return _sentence("number of coils", scan.coils, f"{first} to {last}" if all_between else trained.coils)


def _acceleration(trained: TrainingRange, scan: ScanFacts) -> str | None:
    masks = scan.encoded()
    rate = masks.numel() / max(int(masks.sum()), 1) if scan.acceleration is None else scan.acceleration
    ends = [*trained.acceleration_spans, *((each, each) for each in trained.accelerations)]
    if any((1 - RATE_TOLERANCE) * low <= rate <= (1 + RATE_TOLERANCE) * high for low, high in ends):
        return None
    spans = [f"{low:.2f} to {high:.2f}" for low, high in trained.acceleration_spans]
    inside = {end for span in trained.acceleration_spans for end in span}
    single = [f"{each:.2f}" for each in trained.accelerations if each not in inside]
    return _sentence("acceleration", f"{rate:.2f}", [*spans, *single])


WORDS: Mapping[str, str] = {
    "random": "random lines",
    "equispaced": "equispaced lines",
    "variable-density": "lines of variable density",
    "poisson": "points (a 2-D mask)",
    "grid": "equispaced points (a 2-D mask)",
}


def _mask(trained: TrainingRange, scan: ScanFacts) -> str | None:
    """Compare the pattern of every mask with the kinds of training, as far as a pattern tells."""
    for patterns in map(mask_patterns, scan.encoded()):
        if not set(patterns) & set(trained.masks):
            return _sentence("sampling", WORDS[patterns[0]], [WORDS.get(kind, kind) for kind in trained.masks])
    return None


def _center(trained: TrainingRange, scan: ScanFacts) -> str | None:
    """Compare the calibration lines around DC with those of training; chance may add lines, and takes none away."""
    masks = scan.encoded()
    if masks.ndim == 3:
        return _square(trained, masks)
    if not trained.center_fractions or masks.all():
        return None
    width = masks.shape[-1]
    least, most = (
        bound * max(1, round(fraction * width)) + step
        for bound, fraction, step in (
            (1 - TOLERANCE, min(trained.center_fractions), -1),
            (1 + TOLERANCE, max(trained.center_fractions), 1),
        )
    )
    for mask in masks:
        first, end = centre_lines(mask)
        lines, beside = end - first, width - (end - first)
        density = (int(mask.sum()) - lines) / max(beside, 1)
        if "variable-density" in trained.masks:  # three times as dense in the centre as on average
            density = min(0.95, 3 * density)
        extra = int(lines - most)
        if lines < least or (extra > 0 and (extra + 1) * density**extra < CHANCE):
            seen = [f"{100 * fraction:.3g} %" for fraction in trained.center_fractions]
            return _sentence("calibration lines", f"{lines} of {width}, {100 * lines / width:.3g} %", seen)
    return None


def _square(trained: TrainingRange, masks: Tensor) -> str | None:
    """Compare the fully sampled square of points with that of training, which all "poisson" masks have."""
    if "poisson" not in trained.masks:
        return None
    usual = min(CALIBRATION, *masks.shape[1:])
    side = min(map(_square_side, masks))
    return None if side >= (1 - TOLERANCE) * usual else _sentence("calibration square", f"{side} points wide", [usual])


def _square_side(mask: Tensor) -> int:
    height, width = mask.shape
    if not bool(mask[height // 2, width // 2]):
        return 0
    rows, columns = calibration_region(mask[None])
    return min(len(range(height)[rows]), len(range(width)[columns]))


def _noise(trained: TrainingRange, scan: ScanFacts) -> str | None:
    if scan.noise is None or not trained.noise:
        return None
    if scan.noise <= max(LEAST_NOISE, NOISE_TOLERANCE * max(trained.noise)):
        return None
    return _sentence("noise", f"{scan.noise:.3g} of the image's maximum", trained.noise)


def _phase(trained: TrainingRange, scan: ScanFacts) -> str | None:
    if not trained.phases:
        return None
    if scan.measured:  # what a scanner measures has some
        without = not any(trained.phases)
        return _sentence("phase", "measured k-space, whose images have one", "images without") if without else None
    if scan.phase is None or scan.phase <= max(trained.phases):
        return None
    return _sentence("phase", f"{scan.phase:g} rad", trained.phases)


def _profiles(trained: TrainingRange, scan: ScanFacts) -> str | None:
    if scan.profile_width is None or not trained.profile_widths:
        return None
    least, most = min(trained.profile_widths), max(trained.profile_widths)
    if (1 - TOLERANCE) * least <= scan.profile_width <= (1 + TOLERANCE) * most:
        return None
    return _sentence("width of the coil profiles", f"{scan.profile_width:g}", trained.profile_widths)


def _maps(trained: TrainingRange, scan: ScanFacts) -> str | None:
    """Compare what kind of maps are handed out: those of measured k-space are estimated, but for a single coil."""
    if not trained.maps:
        return None
    if scan.measured:
        exact = set(trained.maps) == {"exact"} and scan.coils > 1
        return _sentence("coil maps", "measured k-space, whose maps are estimated", trained.maps) if exact else None
    return None if scan.maps in (None, *trained.maps) else _sentence("coil maps", scan.maps, trained.maps)


def _background(trained: TrainingRange, scan: ScanFacts) -> str | None:
    """Compare the noise of the images themselves; of measured images it is part of what was measured."""
    if scan.background is None or not trained.backgrounds:
        return None
    if scan.background <= max(LEAST_NOISE, NOISE_TOLERANCE * max(trained.backgrounds)):
        return None
    return _sentence("noise of the image", f"{scan.background:.3g} of its maximum", trained.backgrounds)


CHECKS: Mapping[str, Callable[[TrainingRange, ScanFacts], str | None]] = {
    "sources": _sources,
    "matrices": _matrix,
    "zoomed": _matrix,
    "coils": _coils,
    "accelerations": _acceleration,
    "acceleration_spans": _acceleration,
    "masks": _mask,
    "center_fractions": _center,
    "noise": _noise,
    "phases": _phase,
    "profile_widths": _profiles,
    "maps": _maps,
    "backgrounds": _background,
}
"""The check of every field: a sentence where a scan is outside, None where it is inside or not known."""
