"""Cells: what is scored for an exhibit, and what came out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from smug.evaluation.conditions import Condition
from smug.evaluation.row import Row


@dataclass(frozen=True)
class Block:
    """Methods x conditions x the test slices of an anatomy whose models were trained at an acceleration.

    ``methods`` are names of :data:`smug.paper.runs.METHODS`, for which every training seed is scored, or of
    :data:`CLASSICAL`. ``images`` of the first slices are wanted too.
    """

    anatomy: str
    acceleration: float
    methods: tuple[str, ...]
    conditions: tuple[Condition, ...]
    images: int = 0


CLASSICAL = ("cg-sense", "tv", "zero-filled")
"""Methods that nobody trains; lam is tuned on validation slices."""


@dataclass(frozen=True)
class Found:
    """A scored cell."""

    anatomy: str
    acceleration: float
    method: str
    seed: int
    row: Row

    def flat(self) -> dict[str, Any]:
        """Return it as one record of plain values."""
        own = {key: value for key, value in asdict(self).items() if key != "row"}
        return own | {key: value for key, value in self.row.to_json().items() if key != "model"}


@dataclass(frozen=True, eq=False)
class Seen:
    """The image of a cell, ``(y, x)``, and its target."""

    found: Found
    image: Tensor
    target: Tensor


def mean_psnr(found: list[Found]) -> Mapping[tuple[str, str], float]:
    """Return mean PSNR by method and condition, over slices and training seeds."""
    cells: dict[tuple[str, str], list[float]] = {}
    for f in found:
        cells.setdefault((f.method, f.row.condition), []).append(f.row.psnr)
    return {key: sum(values) / len(values) for key, values in cells.items()}
