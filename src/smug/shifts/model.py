"""Shifts of the reconstructor instead of the scan: other unrolling steps, other smoothing, the same weights."""

from dataclasses import fields, is_dataclass
from typing import Any

from smug.reconstructor import Reconstructor


class Inapplicable(ValueError):  # noqa: N818 - it says why a cell of a table is empty
    """The reconstructor does not have the setting."""


STEPS = (1, 2, 4, 8, 16)
"""The usual numbers of unrolling steps."""

SIGMAS = (0.0, 0.005, 0.01, 0.02, 0.05)
"""The usual smoothing, per real and imaginary part of the normalised image."""


def steps(f: Reconstructor, value: int) -> Reconstructor:
    """Return ``f`` with so many unrolling steps; raises Inapplicable, a ValueError, where it has none."""
    return _changed(f, "steps", value, "unrolling steps")


def sigma(f: Reconstructor, value: float) -> Reconstructor:
    """Return ``f`` with smoothing noise of this size; raises Inapplicable, a ValueError, where it has none."""
    return _changed(f, "sigma", value, "smoothing noise")


def settings(f: Reconstructor) -> set[str]:
    """Return the names of the settings that ``f.replace`` takes, those of the smoothing too; none without it."""
    core = _core(f)
    return _names(core) | _names(getattr(core, "smoothing", None)) if hasattr(f, "replace") else set()


def _changed(f: Reconstructor, setting: str, value: float, meaning: str) -> Reconstructor:
    if setting not in settings(f):
        core = _core(f)
        name = getattr(core, "__name__", type(core).__name__)
        raise Inapplicable(
            f"{setting}: {name} has no {meaning}; expected a reconstructor with f.replace({setting}=...)"
        )
    changed: Reconstructor = f.replace(**{setting: value})  # type: ignore[attr-defined]
    return changed


def _core(f: Reconstructor) -> Any:
    core: Any = f
    while hasattr(core, "reconstructor"):  # as a model and smug.models.normalised wrap it
        core = core.reconstructor
    return core


def _names(record: Any) -> set[str]:
    return {field.name for field in fields(record)} if is_dataclass(record) else set()
