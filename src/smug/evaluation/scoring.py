"""Scoring: every model under every condition on every slice."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.data.simulate import named_seed
from smug.evaluation.conditions import Condition, Perturbed
from smug.evaluation.measures import effects, qualities, reconstructions
from smug.evaluation.row import Outcome, Row
from smug.evaluation.store import RowStore
from smug.reconstructor import Reconstructor, described, taking_generator
from smug.shifts.model import Inapplicable


def score(
    models: Mapping[str, Reconstructor],
    conditions: Iterable[Condition],
    scans: Iterable[Scan],
    *,
    seed: int = 0,
    draws: int = 1,
    subjects: Mapping[str, str] | None = None,
    store: RowStore | None = None,
    keep: Callable[[Outcome], None] | None = None,
    advance: Callable[[int], None] | None = None,
) -> list[Row]:
    """Score every model under every condition on every scan; return one row per slice.

    A condition that changes a setting which a model does not have gives no row for it.

    Noise and attacks are seeded by the slice's name and ``seed``, so they do not depend on order or on what else is
    scored; the smoothing noise that scores an attack, of ``draws`` draws, was not seen by it. ``subjects`` tells whom a
    slice shows. Rows that the ``store`` holds are not computed again, new ones go there. ``keep`` receives images too,
    ``advance(1)`` is called after each cell.
    """
    conditions = tuple(conditions)
    if len({condition.name for condition in conditions}) < len(conditions):
        raise ValueError(f"conditions: expected different names, got {', '.join(c.name for c in conditions)}")
    if draws < 1:
        raise ValueError(f"draws: expected at least 1, got {draws}")
    rows = []
    for scan in scans:
        for name, f in models.items():
            cells = _Cells(f, scan, seed, draws, store, images=keep is not None)
            for condition in conditions:
                for outcome in cells.outcomes(condition):
                    subject = (subjects or {}).get(outcome.row.slice, "")
                    row = replace(outcome.row, model=name, condition=condition.name, subject=subject)
                    rows.append(row)
                    if keep is not None:
                        keep(replace(outcome, row=row))
                if advance is not None:
                    advance(1)
    return rows


class _Cells:
    """A model on a scan: its reconstructions of the clean measurements are made once for all conditions."""

    def __init__(
        self, f: Reconstructor, scan: Scan, seed: int, draws: int, store: RowStore | None, *, images: bool
    ) -> None:
        self.scan, self.store, self.images = scan, store, images
        self.made = _seeds(scan, f"made:{seed}")
        self.scored = [_seeds(scan, f"scored:{seed}" if n == 0 else f"scored:{seed}:{n}") for n in range(draws)]
        self.changed = cache(lambda change: taking_generator(change(f)))
        self.clean = cache(lambda change: reconstructions(self.changed(change), scan.y, scan.A, self.scored))
        self.address = partial(_address, store, f, scan, seed, draws)

    def outcomes(self, condition: Condition) -> list[Outcome]:
        """Return one outcome per slice, stored or computed; none if the model lacks the setting that is varied."""
        try:
            self.changed(condition.change)
        except Inapplicable:
            return []
        address = self.address(condition)
        if self.store is None or address is None:
            return self.scored_anew(condition)
        outcomes = self.store.read(address, images=self.images)
        if outcomes is None:
            outcomes = self.scored_anew(condition)
            self.store.write(address, outcomes, images=self.images)
        return outcomes

    def scored_anew(self, condition: Condition) -> list[Outcome]:
        """Score a condition."""
        f, clean = self.changed(condition.change), self.clean(condition.change)
        made = condition.perturb(f, self.scan, self.made)
        after = made.scan
        images = clean if after is self.scan else reconstructions(f, after.y, after.A, self.scored[: len(clean)])
        columns = {**qualities(images, after.truth), **effects(f, self.scan, made, clean, images)}
        calls = float(described(f).denoiser_calls)
        rows = [
            Row("", condition.name, name, denoiser_calls=calls, **_found(columns, made, i))
            for i, name in enumerate(self.scan.id)
        ]
        return [Outcome(row, images[0, i], after.truth[i]) for i, row in enumerate(rows)]


def _found(columns: Mapping[str, Tensor], made: Perturbed, i: int) -> dict[str, Any]:
    """Return the measures of a slice and what an attack recorded about it."""
    found: dict[str, Any] = {key: _number(column[i]) for key, column in columns.items()}
    if made.attack:
        found["attack"] = made.attack[i]
    if made.optimism is not None:
        found["optimism"] = float(made.optimism[i])
    if made.flags:
        found["flags"] = tuple(made.flags[i])
    return found


def _address(
    store: RowStore | None, f: Reconstructor, scan: Scan, seed: int, draws: int, condition: Condition
) -> str | None:
    return None if store is None else store.address(f, condition, scan, seed, draws)


def _number(value: Tensor) -> float:
    """Return a number; NaN is always the same one, so that rows can be compared."""
    number = float(value)
    return math.nan if math.isnan(number) else number


def _seeds(scan: Scan, purpose: str) -> Tensor:
    return torch.tensor([named_seed(f"{purpose}:{name}") for name in scan.id], dtype=torch.int64)
