"""Names beside the markers of a figure, each where there is room."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

PLACES = ((7, 5), (7, -5), (-7, 5), (-7, -5), (0, 9), (0, -9), (14, 12), (-14, 12), (14, -12), (-14, -12), (0, 20))
"""Where a label may stand, in points from its marker, in the order of preference."""


def place_labels(axis: "Axes", points: Sequence[tuple[str, float, float]]) -> None:
    """Write each name beside its marker ``(x, y)``, where it covers least of markers and names, and is not cut off."""
    from matplotlib.patheffects import withStroke
    from matplotlib.transforms import Bbox

    axis.figure.canvas.draw()  # now the axes have their place
    taken = [Bbox.from_bounds(x - 7, y - 7, 14, 14) for x, y in axis.transData.transform([p[1:] for p in points])]
    for name, x, y in points:
        halo = [withStroke(linewidth=2.5, foreground="white")]
        label = axis.annotate(
            name,
            (x, y),
            PLACES[0],
            textcoords="offset points",
            fontsize=8,
            va="center",
            parse_math=False,
            path_effects=halo,
        )
        covered = [_move(label, place, taken, axis.bbox) for place in PLACES]
        _move(label, PLACES[covered.index(min(covered))], taken, axis.bbox)
        taken.append(label.get_window_extent())


def _move(label: "Annotation", place: tuple[float, float], taken: Sequence["Bbox"], axes: "Bbox") -> float:
    """Put a label at a place; return the area of what it covers, and more for what is cut off."""
    label.set_position(place)
    label.set_horizontalalignment("left" if place[0] > 0 else "right" if place[0] < 0 else "center")
    box = label.get_window_extent()
    outside = box.width * box.height - _shared(box, axes)
    return sum(_shared(box, other) for other in taken) + 2 * outside


def _shared(one: "Bbox", other: "Bbox") -> float:
    """Area of what two boxes share, in pixels."""
    from matplotlib.transforms import Bbox

    both = Bbox.intersection(one, other)
    return 0.0 if both is None else float(both.width * both.height)
