"""The record of a shift, and the streams of its random numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from smug.data.scan import Scan
from smug.system.arguments import check_fields

MASK, MEASUREMENT, MAPS, DIRECTION, PLACE, NOISE = range(1, 7)
"""Addresses below a slice's seed (see :func:`smug.models.noise.derive`), so that no two draws share numbers.

0 is that of the receiver noise of :func:`smug.simulate`.
"""


@dataclass(frozen=True)
class Shift:
    """A way in which a scan differs from what a reconstructor was made for.

    ``apply(scan, severity, seeds)`` returns the shifted scan; ``seeds`` are ``int64 (batch,)``, and a slice's result
    depends on the slice and its seed alone. ``severities`` are the usual ones, in ``unit``.
    """

    name: str
    description: str
    apply: Callable[[Scan, Any, Tensor], Scan]
    severities: tuple[float, ...] | tuple[str, ...]
    unit: str

    def __post_init__(self) -> None:
        """Check the fields."""
        check_fields(self)


def check_severity(shift: str, severity: float, *, least: float = 0.0) -> None:
    """Raise ValueError unless the severity is finite and at least ``least``."""
    if not least <= severity < float("inf"):
        raise ValueError(f"{shift}: expected a finite severity >= {least:g}, got {severity}")
