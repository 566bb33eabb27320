"""Settings of models: told in documents, and changed by KEY=VALUE."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from smug.evaluation.store import fingerprint
from smug.reconstructor import Reconstructor, described, replaced
from smug.training.config_file import read_override
from smug.training.runs import Model

EXAMPLE = "num_samples=0"

PAIR = ("num_samples=2", "noise=antithetic")
"""Smoothing with an antithetic pair: nearer to the expectation than the paper's ten iid samples, at a fifth of the cost
(the sampler table of the results page)."""


def settings_of(models: Mapping[str, Reconstructor]) -> dict[str, Any]:
    """Return the settings of each model: its configuration, or its parameters."""
    return {name: _settings(model) for name, model in models.items()}


def with_settings(models: Mapping[str, Reconstructor], overrides: Sequence[str]) -> dict[str, Reconstructor]:
    """Return the reconstructors with the settings ``KEY=VALUE``, each with those that it has.

    Raises ValueError for a setting that none has, and for values out of range.
    """
    read = (read_override(override, EXAMPLE) for override in overrides)
    changes = {".".join(parts): value for parts, value in read}
    known = set().union(*(described(f).settings() for f in models.values()))
    if unknown := changes.keys() - known:
        raise ValueError(
            f"--set {', '.join(sorted(unknown))}: expected a setting of a model: {', '.join(sorted(known))}"
        )
    return {
        name: replaced(f, **{key: value for key, value in changes.items() if key in described(f).settings()})
        for name, f in models.items()
    }


def _settings(model: Reconstructor) -> Any:
    if isinstance(model, Model):
        known = {"name": model.name, "weights": fingerprint(model), "config": asdict(model.config)}
        return {**known, **dict(sorted(model.metadata.items()))}
    return repr(model)
