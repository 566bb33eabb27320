"""One look per method in all figures: colours that the colour-blind tell apart, markers and dashes that grey keeps."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """A colour, a marker and a dash pattern of matplotlib."""

    colour: str
    marker: str
    dashes: str | tuple[int, tuple[float, ...]]


BLUE, VERMILION, PURPLE, GREEN, BLACK = "#0072B2", "#D55E00", "#CC79A7", "#009E73", "#000000"
ORANGE, SKY, GREY = "#E69F00", "#56B4E9", "#767676"

OWN = {
    "modl": Style(BLUE, "o", "-"),
    "smug": Style(VERMILION, "s", "--"),
    "weighted-smug": Style(PURPLE, "D", "-."),
    "rs-e2e": Style(GREEN, "^", (0, (4, 1, 1, 1, 1, 1))),
    "adversarial": Style(SKY, "<", (0, (6, 1, 1, 1))),
    "cg-sense": Style(BLACK, "X", (0, (8, 1.5))),
    "tv": Style(GREY, "v", (0, (2, 1))),
}
"""The methods of this library look the same in every figure. Colours are those of Okabe and Ito."""

OTHERS = tuple(
    Style(colour, marker, dashes)
    for marker, dashes in zip("Pdph<>*", ("-", "--", "-.", "-", "--", "-.", "-"), strict=True)
    for colour in (ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE, BLACK)
)


def styles(models: Iterable[str]) -> dict[str, Style]:
    """Return the look of each model; the more than 49 others that nobody can tell apart begin anew."""
    found: dict[str, Style] = {}
    for model in models:
        found[model] = OWN.get(model) or OTHERS[len(found.keys() - OWN.keys()) % len(OTHERS)]
    return found
