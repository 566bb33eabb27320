"""Intervals of means whose unit is the subject: slices of one person resemble each other.

The paired cluster bootstrap draws subjects with all their slices and gives the standard error of the mean. Its
percentiles are too narrow for few subjects: of six, nominal 95 % cover 84 %, and BCa's no more. So the interval is the
mean and Student's t times that error, which covers 95 % (90 % where subjects differ skewly): the tests measure it. Of
fewer than five subjects it would mostly tell how few they are, so there is none.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from smug.evaluation.row import Row

Array = NDArray[np.float64]
Unit = Literal["subject", "slice"]
Key = TypeVar("Key", bound=Hashable)

CONFIDENCE = 0.95
RESAMPLES = 10_000

FEWEST = 5
"""The fewest subjects (or slices of unknown subjects) for which an interval is computed."""


@dataclass(frozen=True)
class Interval:
    """A mean over slices with its 95 % confidence interval; NaN where there is none, as of fewer than five units.

    ``unit`` is what the interval is about: subjects, of which there are ``units``, or slices, where somebody's subject
    is unknown. Only over subjects is there a two-sided ``p`` for a mean of zero.
    """

    mean: float
    low: float
    high: float
    unit: Unit
    units: int
    p: float = math.nan


@dataclass(frozen=True)
class SeedSpread:
    """Mean PSNR in dB of a method under a condition: its mean and standard deviation over training seeds."""

    method: str
    condition: str
    mean: float
    sd: float
    seeds: int


def interval(
    values: Sequence[float], subjects: Sequence[str], *, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Return the mean of slices ``values`` with its interval; ``subjects`` tells whom each shows, "" if unknown.

    The unit is the subject, or where one is unknown the slice; of fewer than five units there is no interval and no p.
    Raises ValueError for no values.
    """
    if not values:
        raise ValueError("values: expected at least one slice, got none")
    slices = np.asarray(values, float)
    over_subjects = all(subjects)
    names = np.asarray(subjects) if over_subjects else np.arange(len(slices))
    units = len(np.unique(names))
    mean = sum(values) / len(values)
    unit: Unit = "subject" if over_subjects else "slice"
    if units < FEWEST or not np.isfinite(slices).all():
        return Interval(mean, math.nan, math.nan, unit, units)
    # Resamples of n units spread (n - 1) / n times as much as samples of n do.
    error = float(bootstrap(slices, names, resamples, seed).std()) * math.sqrt(units / (units - 1))
    half = _student(units - 1) * error
    return Interval(mean, mean - half, mean + half, unit, units, _p(mean, error, units) if over_subjects else math.nan)


def paired(rows: Iterable[Row], reference: Iterable[Row], **options: int) -> Interval | None:
    """Return the interval of the mean PSNR difference, in dB, over the slices of both; None where they share none.

    ``options`` are those of :func:`interval`.
    """
    there = {(row.subject, row.slice): row.psnr for row in reference}
    shared = [row for row in rows if (row.subject, row.slice) in there]
    if not shared:
        return None
    differences = [row.psnr - there[row.subject, row.slice] for row in shared]
    return interval(differences, [row.subject for row in shared], **options)


def bootstrap(values: Array, units: NDArray[np.generic], resamples: int = RESAMPLES, seed: int = 0) -> Array:
    """Return the means of resamples ``(resamples,)``: whole units, drawn with replacement, with all their values."""
    names, place = np.unique(units, return_inverse=True)
    sums, sizes = (np.bincount(place, weights) for weights in (values, None))
    counts = _counts(len(names), resamples, seed)
    means: Array = (counts @ sums) / (counts @ sizes.astype(float))
    return means


@lru_cache(maxsize=2)
def _counts(units: int, resamples: int, seed: int) -> Array:
    """How often each unit is in each resample ``(resamples, units)``: the same for every cell of a table."""
    return np.random.default_rng(seed).multinomial(units, np.full(units, 1 / units), resamples).astype(float)


def holm(p: Mapping[Key, float]) -> dict[Key, float]:
    """Return p-values that are corrected for their number by Holm's step-down procedure; NaN is no test.

    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'b': 0.06, 'c': 0.06}
    """
    tests = sorted((key for key in p if not math.isnan(p[key])), key=lambda key: p[key])
    corrected, largest = dict(p), 0.0
    for rank, key in enumerate(tests):
        largest = max(largest, min(1.0, (len(tests) - rank) * p[key]))
        corrected[key] = largest
    return corrected


def over_seeds(rows: Iterable[Row], methods: Mapping[str, str]) -> list[SeedSpread]:
    """Return the spread over training seeds of each method's mean PSNR.

    ``methods`` names the method of each model; models that it lacks are left out, and so are methods of one seed.
    """
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    for row in rows:
        if row.model in methods:
            found.setdefault((methods[row.model], row.condition), {}).setdefault(row.model, []).append(row.psnr)
    spreads = []
    for (method, condition), models in found.items():
        means = [sum(values) / len(values) for values in models.values()]
        if len(means) > 1:
            sd = float(np.std(means, ddof=1)) if all(map(math.isfinite, means)) else math.nan
            spreads.append(SeedSpread(method, condition, sum(means) / len(means), sd, len(means)))
    return spreads


def sentence(intervals: Iterable[Interval]) -> str:
    """Return the note about the intervals of a table, or why there are none; "" if it has no differences."""
    every = list(intervals)
    units = {interval.unit: interval.units for interval in every if math.isfinite(interval.low)}
    texts = []
    if "subject" in units:
        texts.append(
            f"95 % confidence intervals are over subjects ({units['subject']} here): paired cluster bootstrap, "
            f"{RESAMPLES:,} resamples of subjects with all their slices; Student's t times its standard error, "
            "as percentiles are too narrow for few subjects."
        )
    if "slice" in units:
        texts.append(
            "95 % confidence intervals are over slices, of unknown subjects: they say how sure the mean over such "
            "slices is, and nothing about other people."
        )
    return " ".join([*texts, *no_interval(every)])


def no_interval(intervals: Iterable[Interval]) -> list[str]:
    """Return a sentence per number of units that is too small for an interval."""
    few = dict.fromkeys((interval.units, interval.unit) for interval in intervals if interval.units < FEWEST)
    return [f"n = {units}: no interval, which takes at least {FEWEST} {unit}s." for units, unit in few]


def _student(freedom: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + CONFIDENCE) / 2))


def _p(mean: float, error: float, units: int) -> float:
    from scipy.special import stdtr

    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * stdtr(units - 1, -abs(mean) / error))
