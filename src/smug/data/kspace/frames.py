"""Which acquisitions of an ISMRMRD file are those of which slice and frame."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from smug.data.kspace.acquisitions import Rows, grouped
from smug.data.kspace.positions import SliceOrder, renumbered
from smug.data.kspace.raw_data import RawData

FRAME = ("contrast", "phase", "repetition", "set")
"""The counters whose values make a frame each."""

Groups = Mapping[tuple[int, ...], Rows]
"""Rows by the values of counters."""


def separate_slices(
    raw: RawData, rows: Rows, from_dc: NDArray[np.intp], pixel: float | None, order: SliceOrder
) -> list[str]:
    """Renumber, in the headers, slices that lie at several places but share a counter; return warnings.

    See :func:`smug.data.kspace.positions.renumbered`.
    """
    groups = grouped(raw.head, rows, (*FRAME, "slice"))
    try:
        numbers, warning = renumbered(raw.head, [*groups.values()], from_dc, pixel, order)
    except ValueError as error:
        raise ValueError(f"{raw.where}: {error}") from None
    changed = np.fromiter(numbers, dtype=np.intp)
    raw.head["idx"]["slice"][changed] = np.fromiter(numbers.values(), dtype=np.intp)
    return [f"{raw.where}: {warning}"] if warning else []


def frames_of(slices: Groups, where: str) -> int:
    """Return the number of frames of slices, by ``FRAME`` and "slice"; raises ValueError where one lacks a slice."""
    frames, numbers = ({key[part] for key in slices} for part in (slice(0, -1), slice(-1, None)))
    if len(slices) != len(frames) * len(numbers):
        frame, number = next((f, n) for f in sorted(frames) for n in sorted(numbers) if (*f, *n) not in slices)
        missing = ", ".join(f"{name} {value}" for name, value in zip((*FRAME, "slice"), (*frame, *number), strict=True))
        raise ValueError(f"{where}: expected all slices of every frame, got no lines of {missing}")
    return len(frames)
