"""Slices that differ in position or orientation although their counter is the same."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from smug.data.kspace.acquisitions import Rows

SliceOrder = Literal["checked", "by-counter", "by-position"]
"""How lines are told to belong to a slice: by the counter, if positions do not contradict it; or by one of them."""

USUAL_DISTANCE = 0.5
"""In mm: slices that are nearer than this, or than the size of a pixel where it is known, are one that has moved."""

TURNED = 0.05
"""Slices whose normal differs by more than this are others."""

SHARED = 0.25
"""Slices that share an index repeat at least this fraction of their lines; fewer may be those of one that has moved."""

MAX_PLACES = 1024
"""Most slices that may share a counter."""

NEAR_CENTRE, SPAN = 4, 0.75
"""What is an image by itself has a line this near the centre, and spans this fraction of the lines of all."""


def renumbered(
    head: NDArray[np.void], groups: Sequence[Rows], from_dc: NDArray[np.intp], pixel: float | None, order: SliceOrder
) -> dict[int, int]:
    """Return a new slice counter by row, for those that need one: of slices at several places that share a counter.

    ``groups`` are the rows of each slice by its counter, in each frame; ``from_dc`` ``(row,)`` is how far the line of a
    row is from the centre of k-space and ``pixel`` the size of a pixel in mm. Slices are ordered along their normal.
    Raises ValueError where lines of a slice lie at several places and it is not certain what they are.
    """
    if order == "by-counter":
        return {}
    parts = [_places(head, rows, pixel or USUAL_DISTANCE) for rows in groups]
    most = max(map(len, parts))
    if most == 1:
        return {}
    if order == "checked":
        for places in parts:
            _check_images(head, places, from_dc)
    counters = np.unique([head["idx"]["slice"][rows[0]] for rows in groups])
    numbers: dict[int, int] = {}
    for places in parts:
        first = most * int(np.searchsorted(counters, head["idx"]["slice"][places[0][0]]))
        for i, rows in enumerate(places):
            numbers |= dict.fromkeys(rows.tolist(), first + i)
    return numbers


def _places(head: NDArray[np.void], rows: Rows, distance: float) -> list[Rows]:
    """The rows at each place, along the normal if all have the same, else in the order of acquisition."""
    position, normal = (head[name][rows].astype(np.float64) for name in ("position", "slice_dir"))
    left, places = np.arange(len(rows)), list[NDArray[np.intp]]()
    while len(left):
        first = left[0]
        apart = np.linalg.norm(position[left] - position[first], axis=1)
        turned = np.linalg.norm(normal[left] - normal[first], axis=1)
        here = ~((apart > distance) | (turned > TURNED))  # places that are no numbers are not told apart
        here[0] = True
        places.append(left[here])
        left = left[~here]
        if len(places) > MAX_PLACES:
            raise ValueError(f"lines of a slice lie at more than {MAX_PLACES} places: read it with --slices by-counter")
    if len(places) > 1 and (np.linalg.norm(normal - normal[0], axis=1) <= TURNED).all():
        axis = normal[0] if normal[0].any() else _direction(position)
        places.sort(key=lambda part: float(position[part[0]] @ axis))
    return [rows[part] for part in places]


def _direction(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """The direction in which places differ most, towards the patient's left, back or head."""
    axis: NDArray[np.float64] = np.linalg.svd(position - position.mean(0), full_matrices=False)[2][0]
    return axis if axis[np.abs(axis).argmax()] > 0 else -axis


def _check_images(head: NDArray[np.void], places: Sequence[Rows], from_dc: NDArray[np.intp]) -> None:
    """Raise ValueError unless the lines at each place are an image by themselves."""
    if len(places) == 1:
        return
    lines = [np.unique(from_dc[rows]) for rows in places]
    together = np.unique(np.concatenate(lines))
    whole = all(np.abs(part).min() <= NEAR_CENTRE and np.ptp(part) >= SPAN * np.ptp(together) for part in lines)
    repeated = sum(map(len, lines)) - len(together)
    if not whole or repeated < SHARED * min(map(len, lines)):
        number = int(head["idx"]["slice"][places[0][0]])
        raise ValueError(
            f"lines of slice {number} lie at {len(places)} places: whether they are slices that share a counter or one "
            "that has moved is not certain; --slices by-position (slices=...) reads one slice for each place, "
            "--slices by-counter one for each counter"
        )
