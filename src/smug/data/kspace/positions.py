"""Slices that differ in position or orientation although their counter is the same."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from smug.data.kspace.acquisitions import Rows

SliceOrder = Literal["checked", "by-counter", "by-position"]
"""What decides to which slice a line belongs: its counter checked against positions, its counter, or its position."""

DISTANCE = 0.5
"""In mm: places nearer to each other than this, or than the size of a pixel, count as one place."""

MOST_MOVED = 5.0
"""In mm: lines of a slice that moves during the scan are not farther apart."""

TURNED = 0.05
"""Slices whose normals differ by more than this are different slices."""

SHARED = 0.25
"""Slices that share a counter repeat at least this fraction of their lines; one slice that moved repeats fewer."""

MAX_PLACES = 1024
"""Most slices that may share a counter."""

NEAR_CENTRE, SPAN = 4, 0.75
"""Lines are an image by themselves if one is this near the centre and they span this fraction of all lines."""


def renumbered(
    head: NDArray[np.void], groups: Sequence[Rows], from_dc: NDArray[np.intp], pixel: float | None, order: SliceOrder
) -> tuple[dict[int, int], str]:
    """Return a new slice counter by row, for slices at several places that share one, and a warning or "".

    Without such slices both are empty. ``groups`` are the rows of each slice by its counter, in each frame; ``from_dc``
    ``(row,)`` is how far the line of a row is from the centre of k-space and ``pixel`` the size of a pixel in mm. New
    slices are ordered along their normal. Lines that are near each other but no images by themselves are one slice that
    has moved. Raises ValueError where they are far apart.
    """
    if order == "by-counter":
        return {}, ""
    distance = min(pixel or DISTANCE, DISTANCE)
    parts = [_places(head, rows, distance) for rows in groups]
    most = max(map(len, parts))
    if most == 1:
        return {}, ""
    if order == "checked":
        doubtful = next((places for places in parts if not _are_images(places, from_dc)), None)
        if doubtful is not None:
            return {}, _moved(head, doubtful)
    counters = np.unique([head["idx"]["slice"][rows[0]] for rows in groups])
    numbers: dict[int, int] = {}
    for places in parts:
        first = most * int(np.searchsorted(counters, head["idx"]["slice"][places[0][0]]))
        for i, rows in enumerate(places):
            numbers |= dict.fromkeys(rows.tolist(), first + i)
    return numbers, "slices that share a counter are told apart by their position"


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


def _are_images(places: Sequence[Rows], from_dc: NDArray[np.intp]) -> bool:
    """Whether the lines at each place are an image by themselves."""
    if len(places) == 1:
        return True
    lines = [np.unique(from_dc[rows]) for rows in places]
    together = np.unique(np.concatenate(lines))
    repeated = sum(map(len, lines)) - len(together)
    whole = all(np.abs(part).min() <= NEAR_CENTRE and np.ptp(part) >= SPAN * np.ptp(together) for part in lines)
    return whole and repeated >= SHARED * min(map(len, lines))


def _moved(head: NDArray[np.void], places: Sequence[Rows]) -> str:
    """Return the warning about one slice that has moved; raises ValueError if its lines are too far apart for that."""
    position, normal = (
        head[name][[rows[0] for rows in places]].astype(np.float64) for name in ("position", "slice_dir")
    )
    apart = float(np.linalg.norm(position - position[0], axis=1).max())
    turned = float(np.linalg.norm(normal - normal[0], axis=1).max())
    told = f"lines of slice {int(head['idx']['slice'][places[0][0]])} lie at {len(places)} places, {apart:.1f} mm apart"
    if apart > MOST_MOVED or turned > 2 * TURNED:
        raise ValueError(
            f"{told}: whether they are slices that share a counter or one that has moved is not certain; --slices "
            "by-position (slices=...) reads one slice for each place, --slices by-counter one for each counter"
        )
    return f"{told}: read as one slice that has moved"
