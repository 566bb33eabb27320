"""Scan: the measurements of a batch of slices, with their operator, targets and names."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import pad

from smug.physics.operator import LinearOperator, check_measurements, operator
from smug.physics.parts import per_slice
from smug.physics.sense import Sense, cartesian
from smug.system.arguments import check_fields
from smug.system.words import counted


@dataclass(frozen=True, eq=False)
class Scan:
    """Measurements of a batch of slices.

    ``y`` is k-space ``(batch, coil, y, x)``, or what else the operator ``A`` measures, ``(batch, ...)``; ``A`` is a
    :class:`smug.Sense` or any :class:`smug.LinearOperator`. ``target`` is the image to compare with, ``(batch, y, x)``,
    or None: of MRI the fully sampled one, combined with the same maps. ``id`` is one name per slice. ``encoded`` is
    where an MRI scanner encodes lines, and no zeros are padded, ``bool (1, x)`` or ``(batch, x)``; None is everywhere.

    Raises ValueError for parts that do not belong together.
    """

    y: Tensor
    A: LinearOperator
    target: Tensor | None
    id: tuple[str, ...]
    encoded: Tensor | None = None

    def __post_init__(self) -> None:
        """Check that the parts belong together."""
        object.__setattr__(self, "A", operator(self.A))
        check_fields(self)
        check_measurements(self.y, self.A)
        for name in ("y", "target"):
            values = getattr(self, name)
            if values is not None and not bool(values.isfinite().all()):
                raise ValueError(
                    f"{name}: expected finite numbers, got {int((~values.isfinite()).sum())} that are NaN or infinite"
                )
        batch = self.y.shape[0]
        if self.target is not None and self.target.shape != (expected := self.A.blank(self.y).shape):
            raise ValueError(f"target: expected {tuple(expected)}, got {tuple(self.target.shape)}")
        if len(self.id) != batch:
            raise ValueError(f"id: expected a tuple of {counted(batch, 'name')}, one per slice, got {self.id!r}")

    @property
    def truth(self) -> Tensor:
        """The target; raises ValueError where there is none."""
        if self.target is None:
            raise ValueError(f"scan {self.id[0]}: expected a fully sampled target, got none")
        return self.target

    @property
    def encoded_lines(self) -> Tensor:
        """The lines of k-space that are encoded, ``bool (batch, x)``."""
        batch, width = self.y.shape[0], self.y.shape[-1]
        lines = torch.ones(1, width, dtype=torch.bool) if self.encoded is None else self.encoded
        return lines.to(self.y.device).expand(batch, width)

    def normalised(self) -> Self:
        """Return the scan in units in which images have a magnitude of about 1."""
        scale = self.A.scale(self.y)
        target = None if self.target is None else self.target / scale
        return replace(self, y=self.y / per_slice(scale, self.y), target=target)

    def to(self, device: torch.device | str) -> Self:
        """Return the scan on another device."""
        target = None if self.target is None else self.target.to(device)
        return replace(self, y=self.y.to(device), A=self.A.to(device), target=target)

    def __getitem__(self, index: int | slice) -> Self:
        """Return some slices of the batch; an integer gives a batch of 1."""
        if isinstance(index, int) and not -len(self.id) <= index < len(self.id):
            raise IndexError(f"scan of {len(self.id)} slices: got index {index}")
        rows = slice(index, index + 1 or None) if isinstance(index, int) else index
        target = None if self.target is None else self.target[rows]
        encoded = None if self.encoded is None else self.encoded_lines[rows]
        return replace(self, y=self.y[rows], A=self.A[index], target=target, id=self.id[rows], encoded=encoded)


def stacked(scans: Sequence[Scan]) -> Scan:
    """Return one scan of the slices of several, whose matrix, coils and kind of mask are the same.

    Raises ValueError for several that are no Cartesian MRI.
    """
    if len(scans) == 1:
        return scans[0]
    operators = [cartesian(scan.A, "stacked scans") for scan in scans]
    targets = [scan.target for scan in scans if scan.target is not None]
    pairs = list(zip(scans, operators, strict=True))
    masks = [A.mask.expand(len(scan.id), *A.mask.shape[1:]) for scan, A in pairs]
    maps = [A.maps.expand(len(scan.id), *A.maps.shape[1:]) for scan, A in pairs]
    encoded = [scan.encoded_lines for scan in scans]
    return Scan(
        torch.cat([scan.y for scan in scans]),
        Sense(mask=torch.cat(masks), maps=torch.cat(maps)),
        torch.cat(targets) if len(targets) == len(scans) else None,
        tuple(name for scan in scans for name in scan.id),
        torch.cat(encoded) if any(scan.encoded is not None for scan in scans) else None,
    )


def padded(scan: Scan, coils: int) -> Scan:
    """Return the scan with so many coils, of which the last saw nothing: k-space and maps are zero.

    Every reconstruction is the same: no sum over coils changes. For training only: in what counts entries over coils,
    as the sizes of :class:`smug.Threat` that are spread over entries do, those of the added coils count. Raises
    ValueError for fewer coils than there are.
    """
    added = coils - scan.y.shape[1]
    if added < 0:
        raise ValueError(f"coils: expected at least {scan.y.shape[1]}, got {coils}")
    if added == 0:
        return scan
    A = cartesian(scan.A, "coils")
    maps = A.maps.expand(*A.maps.shape[:2], *scan.y.shape[-2:])
    y, maps = (pad(values, (0, 0, 0, 0, 0, added)) for values in (scan.y, maps))
    return replace(scan, y=y, A=Sense(mask=A.mask, maps=maps))
