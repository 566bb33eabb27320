"""Shifts of the reconstructor instead of the scan: other unrolling steps, other smoothing, the same weights."""

from inspect import isfunction

from smug.reconstructor import Reconstructor, described, replaced
from smug.system.arguments import check_arguments


class Inapplicable(ValueError):  # noqa: N818 - it says why a cell of a table is empty
    """The reconstructor does not have the setting."""


STEPS = (1, 2, 4, 8, 16)
"""The usual numbers of unrolling steps."""

SIGMAS = (0.0, 0.005, 0.01, 0.02, 0.05)
"""The usual smoothing, per real and imaginary part of the normalised image."""


@check_arguments
def steps(f: Reconstructor, value: int) -> Reconstructor:
    """Return ``f`` with so many unrolling steps; raises Inapplicable, a ValueError, where it has none."""
    return _changed(f, "steps", value, "unrolling steps")


@check_arguments
def sigma(f: Reconstructor, value: float) -> Reconstructor:
    """Return ``f`` with smoothing noise of this size; raises Inapplicable, a ValueError, where it has none."""
    return _changed(f, "sigma", value, "smoothing noise")


def _changed(f: Reconstructor, setting: str, value: float, meaning: str) -> Reconstructor:
    if setting not in described(f).settings():
        core = described(f).core()
        name = core.__name__ if isfunction(core) else type(core).__name__
        raise Inapplicable(
            f"{setting}: {name} has no {meaning}; expected a reconstructor with f.replace({setting}=...)"
        )
    return replaced(f, **{setting: value})
