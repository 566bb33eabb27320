"""The training range: what a network has seen, and whether a scan at use is like it.

Every field of :class:`TrainingRange` has its check in :data:`CHECKS`: what training fixed is compared at use.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

import torch
from torch import Tensor

from smug.physics.mask_kind import centre_lines, mask_patterns
from smug.physics.masks import calibration_region

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

PHANTOM = "phantom"
"""The source whose images are drawn by this library."""


@dataclass(frozen=True)
class TrainingRange:
    """What weights were trained on: every value that occurred.

    ``matrices`` ``(y, x)`` and ``coils`` are those of k-space. ``zoomed`` are the sides of the square images from which
    the matrices were cropped: pixels were as fine as theirs. ``accelerations``, ``center_fractions`` (of line masks)
    and ``masks``, as in :class:`smug.data.simulate.Acquisition`, are those that were asked for. ``noise``, ``phases``
    and ``profile_widths`` are those that were simulated; measured k-space has its own noise and profiles, which add
    none, and any phase, which adds pi. A field without values is not known, and nothing is outside it.
    """

    sources: tuple[str, ...]
    matrices: tuple[tuple[int, int], ...]
    coils: tuple[int, ...]
    accelerations: tuple[float, ...]
    masks: tuple[str, ...]
    noise: tuple[float, ...] = ()
    zoomed: tuple[int, ...] = ()
    center_fractions: tuple[float, ...] = ()
    phases: tuple[float, ...] = ()
    profile_widths: tuple[float, ...] = ()

    def __or__(self, other: Self) -> Self:
        """Return the range of what occurred in either."""
        values = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        return type(self)(**{name: tuple(sorted(set(found))) for name, found in values.items()})

    def has_matrix(self, height: int, width: int) -> bool:
        """Tell whether a matrix occurred, or its pixels: its sides are between those of the zoomed images."""
        between = bool(self.zoomed) and min(self.zoomed) <= min(height, width) <= max(height, width) <= max(self.zoomed)
        return between or (height, width) in self.matrices

    def warnings(self, scan: "ScanFacts") -> list[str]:
        """Return one sentence for each value of a scan that is outside."""
        found = (check(self, scan) for check in CHECKS.values())
        return list(dict.fromkeys(sentence for sentence in found if sentence))

    def completed(self, asked: Self) -> Self:
        """Return the range with the values that files of earlier versions do not hold.

        ``asked`` is the range of their configuration. All of these values are its own where everything else is: then
        all data were images. Of other data only the calibration lines are those that the configuration asked for.
        """
        if any(getattr(self, name) for name in LATER):
            return self
        values = {name: getattr(asked, name) for name in LATER}
        of_images = replace(self, **values)
        return of_images if of_images == asked else replace(self, center_fractions=asked.center_fractions)

    def to_json(self) -> str:
        """Return it as the text of a JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what :meth:`to_json` wrote, of this or an older version; raises ValueError for anything else.

        >>> found = TrainingRange(("knees",), ((320, 320),), (15,), (4.0,), ("random",), center_fractions=(0.08,))
        >>> TrainingRange.from_json(found.to_json()) == found
        True
        """
        try:
            values = json.loads(text)
            numbers = {name: tuple(map(float, values.get(name, ()))) for name in LATER}
            return cls(
                sources=tuple(map(str, values["sources"])),
                matrices=tuple((int(height), int(width)) for height, width in values["matrices"]),
                coils=tuple(map(int, values["coils"])),
                accelerations=tuple(map(float, values["accelerations"])),
                masks=tuple(map(str, values["masks"])),
                noise=tuple(map(float, values["noise"])),
                zoomed=tuple(map(int, values["zoomed"])),
                **numbers,
            )
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"expected the JSON of a training range, got {text[:60]!r}: {error}") from None


LATER = ("center_fractions", "phases", "profile_widths")
"""Fields that files from before version 0.2 do not have."""


@dataclass(frozen=True, eq=False)
class ScanFacts:
    """What is known of a scan at use; None where it is not.

    ``mask`` is bool ``(batch, x)`` or ``(batch, y, x)``, of which the ``encoded_lines`` around DC belong to the scan;
    what lies beyond is zero padding. ``acceleration`` is the true one, by default that of the mask. ``noise`` per part,
    ``phase`` and ``profile_width`` are as in :class:`smug.data.simulate.Acquisition`. ``measured`` k-space comes from a
    scanner, not from images.
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


def _outside(name: str, got: Any, seen: Any) -> str:
    listed = ", ".join(map(str, seen)) if isinstance(seen, tuple | list) else seen
    return f"{name}: got {got}, outside the training range of the weights ({listed})."


def _sources(trained: TrainingRange, scan: ScanFacts) -> str | None:
    """Drawn phantoms alone are no training for what a scanner measures; other anatomy cannot be told from k-space."""
    if scan.measured and set(trained.sources) == {PHANTOM}:
        return _outside("anatomy", "measured k-space", "drawn phantoms only")
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
    return _outside("matrix size", f"{height} x {width}", listed)


def _coils(trained: TrainingRange, scan: ScanFacts) -> str | None:
    return None if scan.coils in trained.coils else _outside("number of coils", scan.coils, trained.coils)


def _acceleration(trained: TrainingRange, scan: ScanFacts) -> str | None:
    masks = scan.encoded()
    rate = masks.numel() / max(int(masks.sum()), 1) if scan.acceleration is None else scan.acceleration
    if any(abs(rate / each - 1) <= RATE_TOLERANCE for each in trained.accelerations):
        return None
    return _outside("acceleration", f"{rate:.2f}", [f"{each:.2f}" for each in trained.accelerations])


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
            return _outside("sampling", WORDS[patterns[0]], [WORDS.get(kind, kind) for kind in trained.masks])
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
            return _outside("calibration lines", f"{lines} of {width}, {100 * lines / width:.3g} %", seen)
    return None


def _square(trained: TrainingRange, masks: Tensor) -> str | None:
    """Compare the fully sampled square of points with that of training, which all "poisson" masks have."""
    if "poisson" not in trained.masks:
        return None
    usual = min(CALIBRATION, *masks.shape[1:])
    side = min(map(_square_side, masks))
    return None if side >= (1 - TOLERANCE) * usual else _outside("calibration square", f"{side} points wide", [usual])


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
    return _outside("noise", f"{scan.noise:.3g} of the image's maximum", trained.noise)


def _phase(trained: TrainingRange, scan: ScanFacts) -> str | None:
    if not trained.phases:
        return None
    if scan.measured:  # what a scanner measures has some
        without = not any(trained.phases)
        return _outside("phase", "measured k-space, whose images have one", "images without") if without else None
    if scan.phase is None or scan.phase <= max(trained.phases):
        return None
    return _outside("phase", f"{scan.phase:g} rad", trained.phases)


def _profiles(trained: TrainingRange, scan: ScanFacts) -> str | None:
    if scan.profile_width is None or not trained.profile_widths:
        return None
    least, most = min(trained.profile_widths), max(trained.profile_widths)
    if (1 - TOLERANCE) * least <= scan.profile_width <= (1 + TOLERANCE) * most:
        return None
    return _outside("width of the coil profiles", f"{scan.profile_width:g}", trained.profile_widths)


CHECKS: Mapping[str, Callable[[TrainingRange, ScanFacts], str | None]] = {
    "sources": _sources,
    "matrices": _matrix,
    "zoomed": _matrix,
    "coils": _coils,
    "accelerations": _acceleration,
    "masks": _mask,
    "center_fractions": _center,
    "noise": _noise,
    "phases": _phase,
    "profile_widths": _profiles,
}
"""The check of every field: a sentence where a scan is outside, None where it is inside or not known."""
