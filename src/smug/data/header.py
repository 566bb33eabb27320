"""The XML header of ISMRMRD, which fastMRI files carry as well."""

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

MAX_CHARACTERS = 4_000_000
"""Longest header that is parsed; those of scanners have some ten thousand characters."""


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


def parse_header(text: str, where: str) -> Header:
    """Parse the header; ``where`` names it in errors.

    Raises ValueError for what is no such header, and for one that defines entities.
    """
    if len(text) > MAX_CHARACTERS or "<!" in text.replace("<!--", ""):
        raise ValueError(f"{where}: expected a plain ISMRMRD header, got one that is too long or defines entities")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314  without entities there is nothing to expand
        for element in root.iter():
            element.tag = str(element.tag).rpartition("}")[2]
        encodings = root.findall("encoding")
        encoding = encodings[0]
        bandwidth = root.findtext("acquisitionSystemInformation/relativeReceiverNoiseBandwidth")
        return Header(
            trajectory=(encoding.findtext("trajectory") or "").strip().lower(),
            encoded=_space(encoding, "encodedSpace"),
            recon=_space(encoding, "reconSpace"),
            limits={limit.tag: _limits(limit) for limit in encoding.findall("encodingLimits/*")},
            noise_bandwidth=None if bandwidth is None else float(bandwidth),
            encodings=len(encodings),
        )
    except (ElementTree.ParseError, ValueError, IndexError, TypeError, OverflowError) as error:
        raise ValueError(f"{where}: not an ISMRMRD header, or a damaged one ({error})") from None


def _space(encoding: ElementTree.Element, name: str) -> Space:
    x, y, z = (int(encoding.findtext(f"{name}/matrixSize/{axis}") or "") for axis in "xyz")
    fov = tuple(float(encoding.findtext(f"{name}/fieldOfView_mm/{axis}") or "") for axis in "xyz")
    if min(x, y, z) < 1 or not all(0 < extent < float("inf") for extent in fov):
        raise ValueError(f"{name}: expected positive sizes, got {(x, y, z)} and {fov} mm")
    return Space((x, y, z), (fov[0], fov[1], fov[2]))


def _limits(limit: ElementTree.Element) -> Limits:
    return Limits(*(int(limit.findtext(name) or 0) for name in ("minimum", "maximum", "center")))
