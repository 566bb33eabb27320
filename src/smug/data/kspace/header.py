"""The XML header of ISMRMRD, which fastMRI files carry as well."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

MAX_CHARACTERS = 4_000_000
"""Longest header that is parsed; those of scanners have some ten thousand characters."""

MAX_INTEGER = 65_535
"""Largest size and counter: those of ISMRMRD have 16 bits."""


@dataclass(frozen=True)
class Space:
    """Matrix size and field of view in mm along x (readout), y (phase encoding) and z."""

    matrix: tuple[int, int, int]
    field_of_view: tuple[float, float, float]


@dataclass(frozen=True)
class Limits:
    """First, last and central index of a counter."""

    minimum: int
    maximum: int
    center: int


@dataclass(frozen=True)
class Header:
    """What of the header tells how k-space becomes an image.

    ``limits`` are by the counter's name, such as ``kspace_encoding_step_1``; ``noise_bandwidth`` is the relative
    bandwidth of the receiver's noise, where it is stated.
    """

    trajectory: str
    encoded: Space
    recon: Space
    limits: Mapping[str, Limits]
    noise_bandwidth: float | None
    encodings: int

    @property
    def lines(self) -> Limits:
        """The limits of the phase-encoding lines; without any, those of the encoded matrix."""
        n = self.encoded.matrix[1]
        return self.limits.get("kspace_encoding_step_1", Limits(0, n - 1, n // 2))

    @property
    def image_size(self) -> tuple[int, int]:
        """How many pixels of the encoded image along readout and phase lie inside the field of view of ``recon``."""
        sizes = zip(self.encoded.matrix, self.recon.field_of_view, self.encoded.field_of_view, strict=True)
        x, y, _ = (min(n, max(1, round(n * inner / outer))) for n, inner, outer in sizes)
        return x, y


def parse_header(text: str, where: str, encoding: int = 0) -> Header:
    """Parse the header, of which ``encoding`` is the number of the encoding space; ``where`` names it in errors.

    Raises ValueError for what is no such header or lacks this encoding, and for one with a document type: it may define
    entities.
    """
    if len(text) > MAX_CHARACTERS or "<!DOCTYPE" in text:
        raise ValueError(f"{where}: expected a plain ISMRMRD header, got one that is too long or has a document type")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314  without a document type there are no entities to expand
        for element in root.iter():
            element.tag = str(element.tag).rpartition("}")[2]
        encodings = root.findall("encoding")
        if not encoding < len(encodings):
            raise ValueError(f"expected {encoding + 1} encodings, got {len(encodings)}")
        chosen = encodings[encoding]
        return Header(
            trajectory=(chosen.findtext("trajectory") or "").strip().lower(),
            encoded=_space(chosen, "encodedSpace"),
            recon=_space(chosen, "reconSpace"),
            limits={limit.tag: _limits(limit) for limit in chosen.findall("encodingLimits/*")},
            noise_bandwidth=_noise_bandwidth(root),
            encodings=len(encodings),
        )
    except (ElementTree.ParseError, ValueError) as error:
        raise ValueError(f"{where}: not an ISMRMRD header, or a damaged one: {error}") from None


def _space(encoding: ElementTree.Element, name: str) -> Space:
    x, y, z = (_integer(encoding, f"{name}/matrixSize/{axis}", minimum=1) for axis in "xyz")
    width, height, depth = (_positive(encoding, f"{name}/fieldOfView_mm/{axis}") for axis in "xyz")
    return Space((x, y, z), (width, height, depth))


def _limits(limit: ElementTree.Element) -> Limits:
    return Limits(*(_integer(limit, name, default="0") for name in ("minimum", "maximum", "center")))


def _noise_bandwidth(root: ElementTree.Element) -> float | None:
    name = "acquisitionSystemInformation/relativeReceiverNoiseBandwidth"
    return None if root.find(name) is None else _positive(root, name)


def _integer(parent: ElementTree.Element, name: str, minimum: int = 0, default: str = "") -> int:
    value = (parent.findtext(name) or default).strip()
    number = int(value) if value.isascii() and value.isdigit() and len(value) < 10 else -1
    if not minimum <= number <= MAX_INTEGER:
        raise ValueError(f"{parent.tag}/{name}: expected {minimum} to {MAX_INTEGER}, got {value[:20]!r}")
    return number


def _positive(parent: ElementTree.Element, name: str) -> float:
    value = parent.findtext(name) or ""
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError(f"{parent.tag}/{name}: expected a positive number, got {value[:20]!r}")
    return number
