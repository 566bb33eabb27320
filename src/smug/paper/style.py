"""The look of the paper's figures: a colour, marker and dash pattern for each method, and the caption below."""

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from smug.reports.palette import ORANGE, OWN
from smug.reports.palette import Style as Look

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Style:
    """How a method is called and drawn; brightness, marker and dashes tell it from others in grey."""

    label: str
    look: Look
    width: float = 1.6

    @property
    def colour(self) -> str:
        """The method's colour."""
        return self.look.colour

    @property
    def line(self) -> dict[str, Any]:
        """What ``Axes.plot`` takes; the label is not among it."""
        marker = {"marker": self.look.marker, "markersize": 2.5 + 1.4 * self.width, "markeredgewidth": 0.3}
        line = {"color": self.look.colour, "linestyle": self.look.dashes, "linewidth": self.width}
        return line | marker | {"markeredgecolor": self.look.colour if self.look.marker in "xX" else "white"}


STYLES: Mapping[str, Style] = {
    "modl": Style("MoDL", OWN["modl"]),
    "modl-longer": Style("MoDL, equal compute", Look("#332288", "p", (0, (2, 1)))),
    "rs-e2e": Style("RS-E2E", OWN["rs-e2e"]),
    "smug": Style("SMUG", OWN["smug"], 2.0),
    "weighted-smug": Style("Weighted SMUG", OWN["weighted-smug"], 2.0),
    "jitter": Style("jittering", Look(ORANGE, "P", ":")),
    "adversarial": Style("adversarial training", OWN["adversarial"]),
    "smug-target": Style("SMUG, t", Look("#332288", "o", "-")),
    "smug-denoised-iterate": Style("SMUG, D(xₙ)", Look("#44AA99", "^", "-.")),
    "smug-frozen-denoised-target": Style("SMUG, frozen D(t)", Look("#882255", "P", ":")),
    "smug-frozen-denoised-iterate": Style("SMUG, frozen D(xₙ)", Look("#999933", "v", (0, (6, 1, 1, 1)))),
    "cg-sense": Style("CG-SENSE", OWN["cg-sense"], 0.8),
    "tv": Style("total variation", OWN["tv"], 0.8),
    "zero-filled": Style("zero-filled", Look("#B0B0B0", "x", ":"), 0.8),
}
"""Every method of :data:`smug.paper.runs.METHODS` and :data:`smug.paper.cells.CLASSICAL`; references are thin."""

SMALL_PRINT = 6.5  # points


def captioned(figure: "Figure", text: str) -> "Figure":
    """Add room below a figure, and small print in it; everything else stays as large as it is."""
    width, height = (float(inches) for inches in figure.get_size_inches())
    lines = wrap(text, int(72 * width / (0.58 * SMALL_PRINT)))
    total = height + 0.1 + len(lines) * 1.35 * SMALL_PRINT / 72
    share = height / total
    for axes in figure.axes:
        place = axes.get_position()
        axes.set_position((place.x0, 1 - share * (1 - place.y0), place.width, share * place.height))
    for words in figure.texts:
        words.set_y(1 - share * (1 - words.get_position()[1]))
    for legend in figure.legends:
        box = legend.get_bbox_to_anchor().transformed(figure.transFigure.inverted())
        legend.set_bbox_to_anchor((box.x0, 1 - share * (1 - box.y0), box.width, share * box.height), figure.transFigure)
    figure.set_size_inches(width, total)
    at = 0.08 / width, 0.05 / total
    figure.text(*at, "\n".join(lines), fontsize=SMALL_PRINT, linespacing=1.2, va="bottom", parse_math=False)
    return figure
