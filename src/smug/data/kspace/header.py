"""The XML header of ISMRMRD, which fastMRI files carry as well."""

import math
from dataclasses import dataclass, field
from xml.etree import ElementTree

MAX_CHARACTERS = 4_000_000
"""Longest header that is parsed; those of scanners have some ten thousand characters."""

MAX_INTEGER = 65_535
"""Largest size and counter: those of ISMRMRD have 16 bits."""

EMPTY = "<ismrmrdHeader/>"
"""A header that states nothing."""


@dataclass(frozen=True)
class Space:
    """Matrix size and field of view in mm along x (readout), y (phase encoding) and z; None is not stated."""

    matrix: tuple[int | None, int | None, int | None] = (None, None, None)
    field_of_view: tuple[float | None, float | None, float | None] = (None, None, None)


@dataclass(frozen=True)
class Limits:
    """First, last and central index of a counter; ``center`` is None where it is not stated."""

    minimum: int
    maximum: int
    center: int | None

    @property
    def middle(self) -> int:
        """The central index; where it is not stated, the middle of the range."""
        return (self.minimum + self.maximum + 1) // 2 if self.center is None else self.center


@dataclass(frozen=True)
class Header:
    """What of the header tells how k-space becomes an image. What a header does not state is None, or not there.

    ``trajectory`` is in lower case and may be empty. ``lines`` are the limits of the phase-encoding lines, not stated
    where all are zero; ``noise_bandwidth`` is the relative bandwidth of the receiver's noise, ``channels`` the number
    of receiver channels and ``slices`` that of slices. ``warnings`` are of values that were taken as not stated, for
    they are impossible.
    """

    trajectory: str = ""
    encoded: Space = field(default_factory=Space)
    recon: Space = field(default_factory=Space)
    lines: Limits | None = None
    noise_bandwidth: float | None = None
    channels: int | None = None
    slices: int | None = None
    warnings: tuple[str, ...] = ()

    @property
    def voxel_size(self) -> tuple[float | None, float | None, float | None]:
        """The size of a voxel along x (readout), y (phase encoding) and z in mm, that of the image where it is stated.

        Along z it is the field of view: encoding is two-dimensional.
        """
        (x, y, _), (x2, y2, _) = (
            [extent / n if extent and n else None for extent, n in zip(space.field_of_view, space.matrix, strict=True)]
            for space in (self.recon, self.encoded)
        )
        return x or x2, y or y2, self.recon.field_of_view[2] or self.encoded.field_of_view[2]

    def pixels_kept(self, axis: int, encoded: int) -> int:
        """How many of the ``encoded`` pixels along an axis (0 is the readout) lie in the field of view of the image.

        Where a field of view is not stated, those of the image's matrix are; without that, all.
        """
        inner, outer, image = self.recon.field_of_view[axis], self.encoded.field_of_view[axis], self.recon.matrix[axis]
        kept = round(encoded * inner / outer) if inner and outer else image or encoded
        return min(encoded, max(1, kept))


def parse_header(text: str, where: str, encoding: int = 0) -> Header:
    """Parse the header, of which ``encoding`` is the number of the encoding space; ``where`` names it in errors.

    Sizes, fields of view and limits that are absent, empty or 0 are not stated, also in a header without any encoding
    and in an empty text. The only encoding stands for one that is not stated, with a warning. Raises ValueError for
    what is no such header or lacks this encoding, for sizes and limits of lines that are no numbers, and for a document
    type: it may define entities.
    """
    if len(text) > MAX_CHARACTERS or "<!DOCTYPE" in text:
        raise ValueError(f"{where}: expected a plain ISMRMRD header, got one that is too long or has a document type")
    try:
        # without a document type there are no entities to expand
        root = ElementTree.fromstring(text.strip(" \t\r\n\0\ufeff") or EMPTY)  # noqa: S314
        for element in root.iter():
            element.tag = str(element.tag).rpartition("}")[2]
        encodings = root.findall("encoding")
        if root.tag == "ismrmrdHeader" and not encodings:
            encodings = [ElementTree.Element("encoding")]
        system, warnings = "acquisitionSystemInformation", list[str]()
        if len(encodings) == 1 and encoding > 0:
            warnings.append(f"expected {encoding + 1} encodings, got 1: it is taken for that of the lines")
            encoding = 0
        if not encoding < len(encodings):
            raise ValueError(f"expected {encoding + 1} encodings, got {len(encodings)}")
        chosen = encodings[encoding]
        last_slice = _if_possible(chosen, "encodingLimits/slice/maximum", warnings)
        return Header(
            trajectory=(chosen.findtext("trajectory") or "").strip().lower(),
            encoded=_space(chosen, "encodedSpace", warnings),
            recon=_space(chosen, "reconSpace", warnings),
            lines=_lines(chosen),
            noise_bandwidth=_positive(root, f"{system}/relativeReceiverNoiseBandwidth", warnings),
            channels=_if_possible(root, f"{system}/receiverChannels", warnings) or None,
            slices=None if last_slice is None else last_slice + 1,
            warnings=tuple(f"{where}: {warning}" for warning in warnings),
        )
    except (ElementTree.ParseError, ValueError) as error:
        raise ValueError(f"{where}: not an ISMRMRD header, or a damaged one: {error}") from None


def _space(encoding: ElementTree.Element, name: str, warnings: list[str]) -> Space:
    x, y, z = (_integer(encoding, f"{name}/matrixSize/{axis}") or None for axis in "xyz")
    width, height, depth = (_positive(encoding, f"{name}/fieldOfView_mm/{axis}", warnings) for axis in "xyz")
    return Space((x, y, z), (width, height, depth))


def _lines(encoding: ElementTree.Element) -> Limits | None:
    """The limits of the phase-encoding lines; None where none are stated, or all are zero, which is unset."""
    first, last, centre = (
        _integer(encoding, f"encodingLimits/kspace_encoding_step_1/{name}") for name in ("minimum", "maximum", "center")
    )
    return Limits(first or 0, last or 0, centre) if last or centre else None


def _if_possible(parent: ElementTree.Element, name: str, warnings: list[str]) -> int | None:
    """A size or counter that images do not depend on; None, with a warning, where it is impossible."""
    try:
        return _integer(parent, name)
    except ValueError as error:
        warnings.append(f"{error}: taken as not stated")
        return None


def _integer(parent: ElementTree.Element, name: str) -> int | None:
    """A size or counter, which may be written as 64.0; None where it is absent or empty."""
    value = (parent.findtext(name) or "").strip()
    if not value:
        return None
    digits, _, decimals = value.partition(".")
    whole = digits.isascii() and digits.isdigit() and len(digits) < 10 and not decimals.strip("0")
    number = int(digits) if whole else -1
    if not 0 <= number <= MAX_INTEGER:
        raise ValueError(f"{parent.tag}/{name}: expected 0 to {MAX_INTEGER}, got {value[:20]!r}")
    return number


def _positive(parent: ElementTree.Element, name: str, warnings: list[str]) -> float | None:
    """A positive number; None where it is absent, empty or 0, and, with a warning, where it is impossible."""
    value = (parent.findtext(name) or "").strip()
    try:
        number = float(value or 0)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        warnings.append(f"{parent.tag}/{name}: expected a positive number, got {value[:20]!r}: taken as not stated")
        return None
    return number or None
