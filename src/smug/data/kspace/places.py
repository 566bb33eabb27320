"""Where the slices of an ISMRMRD file lie, and their order: along their normal, where every place is certain."""

import numpy as np
from numpy.typing import NDArray

from smug.data.geometry import Geometry
from smug.data.kspace.acquisitions import Rows, grouped
from smug.data.kspace.positions import DISTANCE, TURNED, SliceOrder
from smug.data.kspace.raw_data import RawData

MOST_LISTED = 32
"""Most counters that are listed."""


def sort_slices(raw: RawData, rows: Rows, pixel: float | None, order: SliceOrder) -> dict[str, str]:
    """Renumber, in the headers, slices whose counters run neither along nor against their normal; say so.

    They are sorted along it, in the same way in all frames. That takes parallel slices, each apart from all others
    wherever its ``rows`` lie; other slices stay in the order of their counters, as all do "by-counter".
    """
    slices = grouped(raw.head, rows, ("slice",))
    normal = raw.head["slice_dir"][rows].astype(np.float64)
    parallel = normal[0].any() and (np.linalg.norm(normal - normal[0], axis=1) <= TURNED).all()
    if order == "by-counter" or not parallel:
        return {}
    along = [raw.head["position"][part].astype(np.float64) @ normal[0] for part in slices.values()]
    first, last = np.array([(places.min(), places.max()) for places in along]).T
    by_place = np.argsort(first, kind="stable")
    apart = (first[by_place][1:] - last[by_place][:-1] > min(pixel or DISTANCE, DISTANCE)).all()
    if not apart or (np.diff(by_place) > 0).all() or (np.diff(by_place) < 0).all():
        return {}
    counters = np.array([counter for (counter,) in slices])[by_place]
    _renumber(raw.head, counters)
    listed = ", ".join(map(str, counters[:MOST_LISTED].tolist())) + (", ..." if len(counters) > MOST_LISTED else "")
    return {"slice_order": f"along their normal, in which their counters are {listed}"}


def _renumber(head: NDArray[np.void], counters: NDArray[np.intp]) -> None:
    """Number slices of these counters from 0, and then those of others."""
    found, row = np.unique(head["idx"]["slice"], return_inverse=True)
    numbers = {counter: i for i, counter in enumerate([*counters.tolist(), *np.setdiff1d(found, counters).tolist()])}
    head["idx"]["slice"] = np.array([numbers[counter] for counter in found.tolist()])[row]


def directions(first: NDArray[np.void]) -> NDArray[np.floating]:
    """Return the directions of the axes x, y and slice from the headers of one row of each slice."""
    return np.stack([first["phase_dir"], first["read_dir"], first["slice_dir"]], axis=1)


def unplaced(geometry: Geometry, first: NDArray[np.void], where: str) -> list[str]:
    """Return a warning where places are stated, by the headers of a row of each slice, that are not kept."""
    if geometry.oriented or len(first) == 1 or not np.any(directions(first), axis=-1).all():
        return []
    along = np.sum(first["position"] * first["slice_dir"], axis=1)
    order = np.argsort(along)
    sorted_ = Geometry.stacked((1, 1, 1), directions(first[order]), first["position"][order], (0, 0))
    if sorted_.oriented:
        why = "their counters are not in the order of their positions: slices come in the order of the counters"
    else:
        why = "they are no even stack"
    return [f"{where}: the stated places of slices are not kept, as {why}"]
