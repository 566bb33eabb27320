"""Other settings for reconstructors, the weights stay: ``smug evaluate --set num_samples=0``."""

from collections.abc import Mapping, Sequence

from smug.reconstructor import Reconstructor
from smug.shifts.model import settings
from smug.training.reading import read_override

EXAMPLE = "num_samples=0"

PAIR = ("num_samples=2", "noise=antithetic")
"""Smoothing with an antithetic pair: nearer to the expectation than the paper's ten iid samples, at a fifth of the cost
(the sampler table of the results page)."""


def with_settings(models: Mapping[str, Reconstructor], overrides: Sequence[str]) -> dict[str, Reconstructor]:
    """Return the reconstructors with the settings ``KEY=VALUE``, each with those that it has.

    Raises ValueError for a setting that none has, and for values out of range.
    """
    read = (read_override(override, EXAMPLE) for override in overrides)
    changes = {".".join(parts): value for parts, value in read}
    known = set().union(*map(settings, models.values()))
    if unknown := changes.keys() - known:
        raise ValueError(
            f"--set {', '.join(sorted(unknown))}: expected a setting of a model: {', '.join(sorted(known))}"
        )
    return {name: _changed(f, {k: v for k, v in changes.items() if k in settings(f)}) for name, f in models.items()}


def _changed(f: Reconstructor, changes: Mapping[str, object]) -> Reconstructor:
    changed: Reconstructor = f.replace(**changes) if changes else f  # type: ignore[attr-defined]
    return changed
