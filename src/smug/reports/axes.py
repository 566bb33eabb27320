"""What the axes of all figures share: their size, labels, legend, and limits that follow the points."""

import math
from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from smug.evaluation.summary import Summary, few
from smug.system.words import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (5.2, 3.9)  # inches

MARGIN = 0.12
"""Empty space on either side of the points, as a share of what they span."""

LINE = 24
"""Characters of a name in a line of a legend."""

SMALLEST = 0.5
"""The least that an axis spans, in dB: differences of a few hundredths shall look small."""


def legend_label(model: str) -> str:
    """Return a name as a label: in lines, and not too many; matplotlib leaves out what begins with an underscore."""
    text = short(model)
    return f" {text}" if text.startswith("_") else text


def short(name: str) -> str:
    """Return a name in up to three lines of a legend or heading, cut off where it is longer."""
    return "\n".join(wrap(printable(name), LINE, max_lines=3, placeholder="…"))


def no_interval(axis: "Axes", summaries: Sequence[Summary]) -> None:
    """Write into the legend why there are no intervals, where there are none."""
    if few(summaries):
        axis.plot([], [], linestyle="none", label=few(summaries))


def legend(figure: "Figure") -> None:
    """Put a legend below the axes; names are no mathematics."""
    for text in figure.legend(
        loc="outside lower center", ncols=3, fontsize=8, handlelength=3, frameon=False
    ).get_texts():
        text.set_parse_math(False)


def limits(points: Iterable[float], bounds: Iterable[float] = ()) -> tuple[float, float] | None:
    """Return limits of an axis that follow the finite ``points``; None where there are none.

    Ends of intervals, ``bounds``, widen them to three times what the points span at most: a wide interval is cut off,
    so that it does not press the points together.

    >>> limits([30, 32]), limits([30, 32], [29, 33]), limits([30, 32], [-100, 130])
    ((29.76, 32.24), (28.76, 33.24), (27.76, 34.24))
    """
    shown = [value for value in points if math.isfinite(value)]
    if not shown:
        return None
    span = max(max(shown) - min(shown), SMALLEST)
    middle = (max(shown) + min(shown)) / 2
    inner = middle - span / 2, middle + span / 2
    ends = [min(max(bound, inner[0] - span), inner[1] + span) for bound in bounds if math.isfinite(bound)]
    return min(*inner, *ends) - MARGIN * span, max(*inner, *ends) + MARGIN * span
