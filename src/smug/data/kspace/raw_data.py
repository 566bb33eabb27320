"""What an ISMRMRD file holds, before it is known to be Cartesian: its table, its header, and what rows are for."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smug.data.hdf5 import text
from smug.data.kspace.acquisitions import acquisitions, read_heads
from smug.data.kspace.header import Header, parse_header
from smug.data.kspace.purposes import Purposes, purposes_of


@dataclass(frozen=True, eq=False)
class RawData:
    """The acquisitions of an open ``table``, with what was found when all of it was read.

    ``head`` ``(row,)`` are their headers, ``signal`` ``(row,)`` tells which hold anything but zeros, ``header`` is the
    file's, ``purposes`` are what rows are for, and ``where`` names the measurement in errors. ``straight`` tells
    whether the coordinates of the samples, where there are any, are those of readouts along one axis.
    """

    table: Any
    head: NDArray[np.void]
    signal: NDArray[np.bool_]
    header: Header
    purposes: Purposes
    straight: bool
    where: str

    @property
    def is_cartesian(self) -> bool:
        """Whether the header states a Cartesian trajectory; where it states none, whether there is no other one."""
        return self.straight and self.header.trajectory in ("", "cartesian")


def raw_data(group: Any, where: str) -> RawData:
    """Read the whole table of a group and its header.

    Raises ValueError for damaged ones, and unless they are those of a two-dimensional acquisition with signal.
    """
    table = acquisitions(group)
    head, signal, direction = read_heads(table)
    purposes = purposes_of(head, where)
    header = parse_header(
        text(group, "xml") or "", f"{where}/xml", int(head["encoding_space_ref"][purposes.imaging[0]])
    )
    if header.trajectory == "epi":
        raise ValueError(f"{where}: trajectory 'epi' is not supported: expected 'cartesian', 'radial', 'spiral', ...")
    found = np.unique(direction[purposes.imaging])
    straight = not ((found < 0).any() or len(found[found > 0]) > 1)
    if header.trajectory == "cartesian" and not straight:
        raise ValueError(
            f"{where}: the header states a Cartesian trajectory, and the coordinates of the samples are not Cartesian: "
            "expected readouts along one axis, or <trajectory>other</trajectory> in the header, to be read along them"
        )
    if (header.encoded.matrix[2] or 1) > 1 or head["idx"]["kspace_encode_step_2"][purposes.imaging].any():
        raise ValueError(
            f"{where}: three-dimensional encoding is not supported, got a matrix of {header.encoded.matrix}: "
            "expected two-dimensional slices; transform along the partitions first"
        )
    if not signal[purposes.imaging].any():
        raise ValueError(f"{where}: expected measurements, got only zeros")
    return RawData(table, head, signal, header, purposes, straight, where)
