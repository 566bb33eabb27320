"""A prepared volume: one HDF5 file of fully sampled slices, a chunk each, with their coil maps and targets.

``kspace`` and ``maps`` are complex64 ``(slices, coil, y, x)``, ``target`` is complex64 ``(slices, y, x)``; ``mask``,
bool ``(x,)``, is False where k-space is zero padded. Everything else are attributes, some of them JSON.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from smug.data.hdf5 import dataset, opened
from smug.data.hdf5_writing import ErrorKeepingFile
from smug.data.prepared.full_volume import FullVolume
from smug.data.prepared.manifest import AGAIN, SCHEMA, Entry, Origin, entry
from smug.data.scan import Scan
from smug.physics.scale import common_scale, measurement_scale
from smug.physics.sense import Sense, cartesian
from smug.system.files import write_atomically
from smug.version import __version__

CONTENT = ("schema", "kspace", "subject", "units", "crop", "voxel_size_mm", "encoded_lines", "settings")
"""Attributes that the hash of the contents covers."""


@dataclass(frozen=True)
class Source:
    """Where a prepared volume comes from: a file, below the source folder, that holds so many volumes."""

    file: str
    origin: Origin
    sha256: str
    volumes: int


@dataclass(frozen=True)
class Stored:
    """What a prepared file records about itself: its attributes."""

    entry: Entry
    source: Source
    settings: Mapping[str, Any]


def write_prepared(path: Path, volume: FullVolume, subject: str, source: Source, settings: Mapping[str, Any]) -> None:
    """Write a volume slice by slice, whole or not at all, without the slices that hold no signal.

    Raises ValueError where none of them does, and as its scans do; OSError where the file cannot be written.
    """
    attributes = {"subject": subject, **_described(volume, source), "settings": json.dumps(settings, sort_keys=True)}
    write_atomically(path, lambda temporary: _write(temporary, volume, attributes))


def read_prepared(path: Path) -> Stored:
    """Read what a prepared file says of itself; raises ValueError for any other file."""
    with opened(path) as file:
        a = dict(file.attrs)
        kspace = dataset(file, "kspace")
        shape: tuple[int, ...] = () if kspace is None else kspace.shape
    try:
        if a["schema"] != SCHEMA:
            raise ValueError(f"expected schema {SCHEMA}, got {a['schema']!r}")
        slices, coils, *matrix = shape
        values = {**a, "file": path.name, "slices": json.loads(a["slices"]), "coils": coils, "matrix": matrix}
        found = entry(values)
        if len(found.slices) != slices:
            raise ValueError(f"got {slices} slices with {len(found.slices)} names")
        origin = Origin(int(a["source_size"]), int(a["source_changed_ns"]))
        source = Source(found.source, origin, found.source_sha256, int(a["source_volumes"]))
        return Stored(found, source, dict(json.loads(a["settings"])))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a prepared volume: {error}") from None


def read_slice(path: Path, row: int, expected: Entry) -> Scan:
    """Read one slice with all that was encoded, as a batch of 1.

    Raises FileNotFoundError and ValueError where the file is not the one that is expected.
    """
    with opened(path) as file:
        if file.attrs.get("sha256") != expected.sha256:
            raise ValueError(f"{path}: not the volume that the manifest names; {AGAIN}")
        coils, matrix = expected.coils, expected.matrix
        shapes = {"kspace": (coils, *matrix), "maps": (coils, *matrix), "target": matrix}
        kspace, maps, target = (torch.from_numpy(_row(file, name, row, shape)) for name, shape in shapes.items())
        mask = dataset(file, "mask")
        if mask is None or mask.shape != matrix[1:]:
            raise ValueError(f"{path}: expected 'mask' of {matrix[1]} columns, got none; {AGAIN}")
        mask = torch.from_numpy(np.asarray(mask[()], dtype=bool))
    A, names = Sense(mask=mask[None], maps=maps[None]), (expected.slices[row],)
    return Scan(kspace[None], A, target[None], names, encoded=mask[None])


def _row(file: Any, name: str, row: int, shape: tuple[int, ...]) -> Any:
    found = dataset(file, name)
    if found is None or len(found) <= row:
        raise ValueError(f"{file.filename}: expected slice {row} of {name!r}, got none; {AGAIN}")
    if found.shape[1:] != shape:
        raise ValueError(f"{file.filename}: expected {name!r} of shape {shape}, got {found.shape[1:]}; {AGAIN}")
    return found[row].astype(np.complex64, copy=False)


def _described(volume: FullVolume, source: Source) -> dict[str, Any]:
    noise = {} if volume.noise_sigma is None else {"noise_sigma": volume.noise_sigma}
    return {
        "schema": SCHEMA,
        "smug_version": __version__,
        "kspace": volume.kspace,
        "units": volume.units,
        "crop": volume.crop,
        "voxel_size_mm": volume.voxel_size,
        "encoded_lines": volume.encoded_lines,
        **noise,
        "acquisition": json.dumps(dict(volume.attributes), sort_keys=True),
        "source": source.file,
        "source_sha256": source.sha256,
        "source_size": source.origin.size,
        "source_changed_ns": source.origin.changed_ns,
        "source_volumes": source.volumes,
    }


def _write(path: Path, volume: FullVolume, attributes: Mapping[str, Any]) -> None:
    import h5py

    size = (2 * volume.shape[0] + 1) * volume.shape[1] * volume.shape[2] * 8 * len(volume.names)
    if shutil.disk_usage(path.parent).free < size:
        raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: {size / 2**20:,.1f} MiB are needed")
    with ErrorKeepingFile(path, "w+") as raw:
        with h5py.File(raw, "w") as file:
            file.attrs.update({**attributes, **_write_slices(file, volume, attributes, raw.check)})
        raw.check()


def _write_slices(
    file: Any, volume: FullVolume, attributes: Mapping[str, Any], check: Callable[[], None]
) -> dict[str, Any]:
    """Write the data sets; return which slices hold a signal, their scale, and the hash of the contents."""
    shapes = {"kspace": volume.shape, "maps": volume.shape, "target": volume.shape[1:]}
    stored = {
        name: file.create_dataset(name, (0, *shape), "c8", chunks=(1, *shape), maxshape=(None, *shape))
        for name, shape in shapes.items()
    }
    file["mask"] = volume.mask[0].numpy()
    content = hashlib.sha256(json.dumps([attributes[key] for key in CONTENT]).encode() + file["mask"][()].tobytes())
    names: list[str] = []
    scales: list[torch.Tensor] = []
    for i, name in enumerate(volume.names):
        scan = _scan(volume, i)
        if not scan.truth.any():
            continue
        parts = {
            "kspace": scan.y[0],
            "maps": cartesian(scan.A, "prepared sets").maps[0].expand(volume.shape),
            "target": scan.truth[0],
        }
        for key, values in parts.items():
            numbers = values.to(torch.complex64).contiguous().numpy()
            stored[key].resize(len(names) + 1, axis=0)
            stored[key][-1] = numbers
            content.update(numbers.tobytes())
        check()
        names.append(name)
        scales.append(measurement_scale(scan.y.to(torch.complex128), Sense(mask=volume.mask)))
    if not names:
        raise ValueError("expected slices with signal, got only zeros")
    content.update("\n".join(names).encode())
    scale = float(common_scale(torch.cat(scales)))
    return {"slices": json.dumps(names), "scale": scale, "sha256": content.hexdigest()}


def _scan(volume: FullVolume, index: int) -> Scan:
    """Make the scan of a slice; its errors become ValueError, since OSError is for errors of writing."""
    try:
        return volume.scan(index)
    except (OSError, RuntimeError) as error:
        raise ValueError(f"slice {index}: {error}") from error
