"""What the paper prints in Tables I and II."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal, get_args

Column = Literal["clean", "noise", "pgd"]
"""The columns of Tables I and II."""

COLUMNS: tuple[Column, ...] = get_args(Column)


@dataclass(frozen=True)
class Printed:
    """A cell of Tables I and II: PSNR in dB and SSIM with standard deviations; but for MoDL, minus MoDL's."""

    psnr: float
    psnr_sd: float
    ssim: float
    ssim_sd: float


def printed(anatomy: str, acceleration: float, method: str, column: Column) -> Printed | None:
    """Return what the paper prints in a cell; None where it prints nothing.

    >>> printed("brain", 4, "smug", "pgd")
    Printed(psnr=3.98, psnr_sd=2.28, ssim=0.014, ssim_sd=0.11)
    """
    values = _paper().get(f"{anatomy}-{acceleration:g}x", {}).get(method, {}).get(column)
    return None if values is None else Printed(*values)


def printed_loss(anatomy: str, acceleration: float) -> float:
    """Return by how many dB the paper's random noise lowers the PSNR of MoDL: all that it says of the noise's level.

    Raises ValueError where the paper has no such table.
    """
    clean, noisy = (printed(anatomy, acceleration, "modl", column) for column in ("clean", "noise"))
    if clean is None or noisy is None:
        raise ValueError(f"{anatomy} {acceleration:g}x: the paper has no such table")
    return round(clean.psnr - noisy.psnr, 2)


def source() -> str:
    """Return where the numbers are printed, and for which setting."""
    paper = _paper()
    return f"{paper['source']}: {paper['setting']}"


@cache
def _paper() -> dict[str, Any]:
    return tomllib.loads((resources.files("smug.paper") / "reference.toml").read_text(encoding="utf-8"))
