"""K-space in files of BART (Uecker et al. 2015): ``X.cfl``, and its dimensions in ``X.hdr``."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from smug.data.kspace.pools import Pools, masks_of
from smug.data.kspace.sampling import check_mask, check_slice, common, encoded_lines, is_full, of_slices, signal
from smug.data.kspace.volume import Volume, unknown_size
from smug.data.slices import Slices
from smug.physics.maps.calibration import MAX_CALIBRATION
from smug.system.words import printable

DIMENSIONS = 16
"""The number of dimensions of BART: readout, two phase encodings, coils, and those below."""

ECHO, TIME, TIME2, SLICE, AVERAGE = 5, 10, 11, 13, 14

REFUSED = {4: "maps", 6: "coefficients", 7: "coefficients 2", 8: "iterations", 9: "shifts", 12: "levels", 15: "batch"}
"""Dimensions that k-space of images does not have."""

MAX_BLOCKS = 2**20
"""Most slices of all frames and averages."""

MAX_HEADER_BYTES = 2**16
"""How much of the header is read: dimensions come first."""


@dataclass(frozen=True, eq=False)
class StoredBlocks:
    """K-space of slices: the means of ``blocks`` of a file, each complex64 ``(coil, x, y)`` and ``shape``.

    Entries that are zero do not count in the mean. Only the ``lines`` along x are read, others are zero.
    """

    path: Path
    shape: tuple[int, int, int]
    blocks: tuple[tuple[int, ...], ...]
    lines: slice

    @property
    def kspace(self) -> Slices[Tensor]:
        """The slices, each read when needed."""
        return Slices(len(self.blocks), self.read)

    def read(self, index: int) -> Tensor:
        """Read a slice, complex64 ``(coil, y, x)``."""
        stored = np.memmap(self.path, dtype="<c8", mode="r").reshape(-1, *self.shape)
        total = np.zeros(self.shape, dtype=np.complex64)
        count = np.zeros(self.shape[1:], dtype=np.float32)
        with np.errstate(invalid="ignore", over="ignore"):  # values that are not finite are refused by the reader
            for block in self.blocks[index]:
                values = stored[block, :, self.lines]
                total[:, self.lines] += values
                count[self.lines] += (values != 0).any(0)
            mean = total / np.maximum(count, 1)
        return torch.from_numpy(mean).mT.contiguous()


def read_cfl(path: str | Path) -> Volume:
    """Read Cartesian k-space of BART, named by its ``.cfl``, its ``.hdr`` or without a suffix.

    The image is ``bart fft -u -i 3`` of it. With a readout, that is y and the phase encoding x, and lines are sampled;
    where the first dimension is 1, y and x are the two phase encodings. What is zero in all coils is not measured.
    Echoes and times are frames, in this order; averages are averaged. Where there are several times, coil maps are
    estimated from their mean. Slices are read when needed.

    Raises FileNotFoundError, and ValueError for a header that does not tell the dimensions, for a file of another size,
    for values that are not finite, and for what is not supported: three encoded dimensions, several sets of maps, ...
    """
    header = header_of(path)
    path = Path(f"{str(header)[:-4]}.cfl")
    dims = read_dimensions(header)
    y, x = _matrix(dims, header)
    shape = dims[3], x, y
    check_slice((dims[3], y, x), str(header))
    check_size(path, dims, header)
    images, pools = _blocks(path, shape, dims)
    check_mask((len(images.blocks), y, x), str(header))

    entries = np.stack([signal(values, str(path)).numpy() for values in images.kspace])
    if not entries.any():
        raise ValueError(f"{path}: expected measurements, got only zeros")
    mask = of_slices(entries)
    lines = mask.ndim == 2
    encoded = encoded_lines(np.any(mask, axis=0)) if lines else x
    frames = len(images.blocks) // dims[SLICE]
    volume = Volume(
        name=printable(path.stem),
        kspace=images.kspace,
        mask=common(mask),
        encoded_lines=encoded,
        fully_sampled=lines and all(is_full(pattern, encoded) for pattern in mask),
        crop=(y, x),
        frames=frames,
        attributes=unknown_size((None, None, None)),
    )
    if pools is None:
        return volume
    pooled = mask.reshape(dims[ECHO], -1, dims[SLICE], *mask.shape[1:]).any(1).reshape(-1, *mask.shape[1:])
    pooled[..., : pools.lines.start] = False
    pooled[..., pools.lines.stop :] = False
    echoes, slices = dims[ECHO], dims[SLICE]
    of = [echo * slices + i for echo in range(echoes) for _ in range(frames // echoes) for i in range(slices)]
    kspace, pool_mask = Pools(pools.kspace, of).kspace, masks_of(common(pooled), of)
    return replace(volume, calibration=replace(volume, kspace=kspace, mask=pool_mask, fully_sampled=False))


def header_of(path: str | Path) -> Path:
    """Return the ``.hdr`` of a file that is named by its ``.cfl``, its ``.hdr`` or without a suffix."""
    path = Path(path)
    return Path(f"{path.with_suffix('') if path.suffix in ('.cfl', '.hdr') else path}.hdr")


def stored_values(header: Path, dims: list[int]) -> Any:
    """Return the values of a file, complex64 ``(blocks, coils, third, second, first dimension)``, not in memory.

    Raises FileNotFoundError, and ValueError for a file of another size.
    """
    path = Path(f"{str(header)[:-4]}.cfl")
    check_size(path, dims, header)
    return np.memmap(path, dtype="<c8", mode="r").reshape(-1, dims[3], dims[2], dims[1], dims[0])


def read_dimensions(header: Path) -> list[int]:
    """Return the dimensions in a header; raises ValueError unless they are positive whole numbers."""
    try:
        with header.open("rb") as file:
            text = file.read(MAX_HEADER_BYTES).decode("ascii", errors="replace")
    except FileNotFoundError:
        raise FileNotFoundError(f"{header}: no such file; BART keeps the dimensions of a .cfl in it") from None
    except OSError as error:
        raise ValueError(f"{header}: cannot be read: {error.strerror}") from None
    lines = [line.strip() for line in text.splitlines()]
    following = lines[lines.index("# Dimensions") + 1 :] if "# Dimensions" in lines else []
    told = following[0].split() if following else []
    if not 1 <= len(told) <= DIMENSIONS or not all(
        n.isascii() and n.isdigit() and len(n) < 16 and int(n) > 0 for n in told
    ):
        raise ValueError(
            f"{header}: expected '# Dimensions' and below it up to {DIMENSIONS} positive whole numbers, "
            f"got {' '.join(told)[:60]!r}"
        )
    return [int(n) for n in told] + [1] * (DIMENSIONS - len(told))


def _matrix(dims: list[int], header: Path) -> tuple[int, int]:
    """The sizes of y and x: of readout and phase encodings the two that are encoded."""
    for number, name in REFUSED.items():
        if dims[number] > 1:
            raise ValueError(
                f"{header}: got {dims[number]} {name} (dimension {number}), expected k-space with one: "
                "bart slice or bart extract takes it out"
            )
    readout, phase, partition = dims[:3]
    if readout == 3 and min(phase, partition) > 1 and dims[3] == 1:
        raise ValueError(
            f"{header}: got 3 x {phase} x {partition}, a non-Cartesian trajectory: expected Cartesian "
            "k-space; the samples along it are read by smug reconstruct KSPACE.cfl --trajectory with this file"
        )
    if min(readout, phase, partition) > 1:
        raise ValueError(
            f"{header}: three-dimensional encoding is not supported, got {readout} x {phase} x {partition}: expected "
            "two-dimensional slices; transform along the readout (bart fft -u -i 1) and save each slice"
        )
    y, x = (phase, partition) if readout == 1 else (readout, max(phase, partition))
    if min(y, x) == 1:
        raise ValueError(
            f"{header}: got {readout} x {phase} x {partition}, a single line: expected Cartesian k-space in two of the "
            "first three dimensions; a non-Cartesian scan needs its trajectory: --trajectory TRAJ.cfl"
        )
    return y, x


def check_size(path: Path, dims: list[int], header: Path) -> None:
    """Raise ValueError unless the file is as large as its header says."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; {header} tells its dimensions")
    size, expected = path.stat().st_size, 8 * math.prod(dims)
    if size != expected:
        raise ValueError(
            f"{path}: expected {expected} bytes, as {header} says, got {size}: the file is not complete, or another's"
        )
    if math.prod(dims[4:]) > MAX_BLOCKS:
        raise ValueError(f"{header}: got {math.prod(dims[4:])} slices, echoes, times and averages, too many")


def _blocks(path: Path, shape: tuple[int, int, int], dims: list[int]) -> tuple[StoredBlocks, StoredBlocks | None]:
    """The blocks of each slice, and those that coil maps are estimated from for each slice of an echo, if others."""
    order = [ECHO, TIME, TIME2, SLICE, AVERAGE]
    numbers = np.arange(math.prod(dims[4:])).reshape(dims[4:], order="F")
    numbers = np.moveaxis(numbers, [axis - 4 for axis in order], range(5))
    numbers = numbers.reshape(dims[ECHO], -1, dims[SLICE], dims[AVERAGE])
    images = StoredBlocks(path, shape, tuple(map(tuple, numbers.reshape(-1, dims[AVERAGE]).tolist())), slice(None))
    if numbers.shape[1] == 1:
        return images, None
    pools = numbers.transpose(0, 2, 1, 3).reshape(dims[ECHO] * dims[SLICE], -1).tolist()
    start = max(0, shape[1] // 2 - MAX_CALIBRATION // 2)
    return images, replace(
        images,
        blocks=tuple(map(tuple, pools)),
        lines=slice(start, min(shape[1], start + MAX_CALIBRATION)),
    )
