"""The acquisitions of an ISMRMRD file: a table with one readout of all receiver channels per row."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smug.data.hdf5 import record_table

COUNTERS = (
    "kspace_encode_step_1",
    "kspace_encode_step_2",
    "average",
    "slice",
    "contrast",
    "phase",
    "repetition",
    "set",
)
"""The counters of an acquisition that are read; others, such as the segment, do not change the image."""

HEAD = np.dtype(
    [
        ("flags", "u8"),
        ("number_of_samples", "u2"),
        ("active_channels", "u2"),
        ("discard_pre", "u2"),
        ("discard_post", "u2"),
        ("center_sample", "u2"),
        ("trajectory_dimensions", "u2"),
        ("encoding_space_ref", "u2"),
        ("sample_time_us", "f4"),
        ("position", "f4", 3),
        ("read_dir", "f4", 3),
        ("phase_dir", "f4", 3),
        ("slice_dir", "f4", 3),
        ("idx", [(name, "u2") for name in COUNTERS]),
    ]
)
"""What is read of the header of each acquisition."""

ROWS_AT_ONCE = 64
"""Most rows that are read at once: more are not faster."""

STRAIGHT = 0.01
"""A readout is along one axis if it extends along others by less than this, relative to that one."""

MAX_BYTES_AT_ONCE = 2 * 2**30
"""Most bytes that rows read at once may take, even if each of them is as long as the file."""

Rows = NDArray[np.intp]
"""Numbers of rows of the table, in ascending order."""


def acquisitions(group: Any) -> Any:
    """Return the table ``data`` of an open group, checked to be one of acquisitions.

    Raises ValueError for any other data set, or for none.
    """
    import h5py

    table, where = record_table(group, "data"), f"{group.file.filename}: {group.name}/data"
    if table is None:
        raise ValueError(f"{where}: expected the acquisitions of the scanner, got no such data set")
    fields = table.dtype.fields
    is_complete = "head" in fields and {"head", "traj", "data"} == set(fields) and _holds(fields["head"][0], HEAD)
    if not is_complete or h5py.check_vlen_dtype(fields["data"][0]) != np.float32:
        raise ValueError(f"{where}: expected ISMRMRD acquisitions with head, traj and data, got {', '.join(fields)}")
    if table.shape[0] == 0 or table.id.get_storage_size() == 0:
        raise ValueError(f"{where}: expected acquisitions, got an empty table")
    return table


def read_heads(table: Any) -> tuple[NDArray[np.void], NDArray[np.bool_], NDArray[np.intp]]:
    """Read the whole table; return headers, ``HEAD`` ``(row,)``, which rows hold anything but zeros, and directions.

    The direction of a row is the only coordinate of its trajectory that varies along it, from 1; 0 without a
    trajectory, and -1 if several vary: then it is not a readout of a Cartesian scan.

    Raises ValueError for values that are not finite, and for rows of another length than their header says.
    """
    head, signal = np.empty(len(table), dtype=HEAD), np.empty(len(table), dtype=bool)
    direction = np.zeros(len(table), dtype=np.intp)
    for part, block in _records(table, np.arange(len(table))):
        _copy(block["head"], head[part])
        for row, values in enumerate(block["data"], start=part.start):
            _check_length(table, row, values, int(head["active_channels"][row]), int(head["number_of_samples"][row]))
            if not np.isfinite(values).all():
                raise ValueError(
                    f"{table.file.filename}: acquisition {row}: expected finite values, got NaN or infinite ones"
                )
            signal[row] = values.any()
        for row, trajectory in enumerate(block["traj"], start=part.start):
            direction[row] = _direction(trajectory, int(head["trajectory_dimensions"][row]))
    return head, signal, direction


def readouts(table: Any, rows: Rows, channels: int, samples: int) -> Iterator[tuple[slice, NDArray[np.complex64]]]:
    """Yield which of the rows, and their measurements ``(row, channel, sample)``.

    Raises ValueError for rows of another length.
    """
    for part, block in _records(table, rows):
        for row, values in zip(rows[part], block["data"], strict=True):
            _check_length(table, row, values, channels, samples)
        yield part, np.stack(list(block["data"])).view(np.complex64).reshape(-1, channels, samples)


def coordinates(table: Any, rows: Rows, dimensions: int, samples: int) -> NDArray[np.float64]:
    """Read the coordinates of the samples of rows, ``(row, sample, dimension)``.

    Raises ValueError for values that are not finite, and for rows of another length than their header says.
    """
    import h5py

    where, kind = f"{table.file.filename}: acquisition", h5py.check_vlen_dtype(table.dtype.fields["traj"][0])
    if kind is None or kind.kind != "f":
        raise ValueError(f"{table.file.filename}: traj: expected numbers with a decimal point, got {kind}")
    found = np.empty((len(rows), samples, dimensions))
    for part, block in _records(table, rows):
        for row, at, values in zip(rows[part], range(part.start, part.stop), block["traj"], strict=True):
            if len(values) != dimensions * samples:
                raise ValueError(
                    f"{where} {row}: trajectory: expected {samples} samples x {dimensions} dimensions, as its header "
                    f"says, got {len(values)} numbers"
                )
            if not np.isfinite(values).all():
                raise ValueError(f"{where} {row}: trajectory: expected finite numbers, got NaN or infinite ones")
            found[at] = values.reshape(samples, dimensions)
    return found


def grouped(head: NDArray[np.void], rows: Rows, counters: Sequence[str]) -> dict[tuple[int, ...], Rows]:
    """Return the rows by the values of their counters, in the order of these."""
    values = np.stack([head["idx"][name][rows] for name in counters])
    order = np.lexsort(values[::-1])
    values, rows = values[:, order], rows[order]
    starts = np.flatnonzero((values[:, 1:] != values[:, :-1]).any(0)) + 1
    keys = values[:, np.concatenate([[0], starts])[: len(rows)]].T.tolist()
    return dict(zip(map(tuple, keys), np.split(rows, starts), strict=True)) if len(rows) else {}


def _records(table: Any, rows: Rows) -> Iterator[tuple[slice, NDArray[np.void]]]:
    """Whole records: of parts that are left out HDF5 does not release those of variable length."""
    if len(rows) and rows[-1] >= len(table):
        raise ValueError(f"{table.file.filename}: the file has changed since it was first read")
    at_once = max(1, min(ROWS_AT_ONCE, MAX_BYTES_AT_ONCE // table.file.id.get_filesize()))
    for start in range(0, len(rows), at_once):
        part = slice(start, min(start + at_once, len(rows)))
        yield part, table[rows[part]]


def _check_length(table: Any, row: int, values: NDArray[np.float32], channels: int, samples: int) -> None:
    if len(values) != 2 * channels * samples:
        raise ValueError(
            f"{table.file.filename}: acquisition {row}: expected 2 x {channels} channels x {samples} samples, "
            f"as its header says, got {len(values)} numbers"
        )


def _direction(trajectory: NDArray[np.float32], dimensions: int) -> int:
    """Which coordinate of a readout's trajectory varies, from 1; 0 for none, -1 for several."""
    if dimensions == 0 or len(trajectory) == 0 or len(trajectory) % dimensions:
        return 0
    extent = np.ptp(trajectory.reshape(-1, dimensions), axis=0)
    varying = np.flatnonzero(extent > STRAIGHT * extent.max())
    return int(varying[0]) + 1 if len(varying) == 1 else -1 if len(varying) else 0


def _holds(stored: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    """Whether a record has all wanted fields, with numbers of the same kind."""
    if wanted.fields is None:
        return stored.shape == wanted.shape and np.can_cast(stored.base, wanted.base, "same_kind")
    fields: Mapping[str, Any] = stored.fields or {}
    return all(name in fields and _holds(fields[name][0], field[0]) for name, field in wanted.fields.items())


def _copy(source: NDArray[np.void], target: NDArray[np.void]) -> None:
    """Copy those fields of a record that the target has too."""
    for name in target.dtype.names or ():
        if target[name].dtype.names is None:
            target[name] = source[name]
        else:
            _copy(source[name], target[name])
