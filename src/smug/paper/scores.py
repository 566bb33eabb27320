"""Rows of methods x conditions x slices, the measurement that most exhibits show, and means of them."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from statistics import fmean
from typing import Any

from torch import Tensor

from smug.evaluation.conditions import Condition
from smug.evaluation.row import Row
from smug.paper.experiment import Experiment
from smug.paper.matched_noise import MatchedNoise
from smug.paper.measurement import Cells, Results
from smug.paper.runs import CLASSICAL, Run
from smug.paper.scales import Scale


@dataclass(frozen=True)
class Score:
    """A scored cell: the row of a method, trained from a seed on an anatomy at an acceleration."""

    anatomy: str
    acceleration: float
    method: str
    seed: int
    row: Row

    def record(self) -> dict[str, Any]:
        """Return it as one record of plain values."""
        own = {key: value for key, value in asdict(self).items() if key != "row"}
        return own | {key: value for key, value in self.row.to_json().items() if key != "model"}


@dataclass(frozen=True, eq=False)
class ScoredImage:
    """A score with its image and target, complex ``(y, x)``."""

    score: Score
    image: Tensor
    target: Tensor


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of methods under conditions on the test slices of an anatomy, of models trained at an acceleration.

    ``methods`` are names of :data:`smug.paper.runs.METHODS`, every training seed of which is scored, or of
    :data:`smug.paper.runs.CLASSICAL`. With ``slices``, so many are scored instead of the scale's, of the first training
    seed alone.
    """

    anatomy: str
    acceleration: float
    methods: tuple[str, ...]
    conditions: tuple[Condition | MatchedNoise, ...]
    slices: int | None = None

    def cells(self, scale: Scale) -> Iterator[Cells]:
        """Return the cells of all methods and seeds."""
        for condition in self.conditions:
            counted = condition.example if isinstance(condition, MatchedNoise) else condition
            for run in self._runs(scale):
                yield Cells(run, counted, self.slices or scale.slices)

    def score(self, experiment: Experiment, results: Results) -> list[Score]:
        """Return the scores, method by method."""
        return [each.score for each in self.images(experiment, results, wanted=False)]

    def images(self, experiment: Experiment, results: Results, *, wanted: bool = True) -> Iterator[ScoredImage]:
        """Return the scores with their images, which are empty where they are not ``wanted``."""
        levels = (each.level(results) if isinstance(each, MatchedNoise) else each for each in self.conditions)
        conditions = {condition.name: condition for condition in levels}  # a level may be found that is there already
        test = experiment.test(self.anatomy, self.acceleration, count=self.slices)
        for run in self._runs(experiment.scale):
            what = f"{self.anatomy} {self.acceleration:g}x {run.method}-{run.seed}"
            experiment.report(f"scoring {what}: {len(test.scans)} slices")
            for outcome in experiment.outcomes(run, tuple(conditions.values()), test, images=wanted):
                score = Score(self.anatomy, self.acceleration, run.method, run.seed, outcome.row)
                yield ScoredImage(score, outcome.image, outcome.target)

    def _runs(self, scale: Scale) -> Iterator[Run]:
        seeds = scale.seeds if self.slices is None else scale.seeds[:1]
        for method in self.methods:
            for seed in (0,) if method in CLASSICAL else seeds:
                yield Run(self.anatomy, self.acceleration, method, seed)


@dataclass(frozen=True, eq=False)
class SliceImages:
    """The images of methods under conditions of one slice, and of the first training seed.

    Nobody chooses the slice: it is the only one of a test set of one, in the middle of the split.
    """

    anatomy: str
    acceleration: float
    methods: tuple[str, ...]
    conditions: tuple[Condition, ...]

    def cells(self, scale: Scale) -> Iterator[Cells]:
        """Return the cells of all methods."""
        return self._scores.cells(scale)

    def score(self, experiment: Experiment, results: Results) -> list[ScoredImage]:
        """Return the scores with their images, method by method."""
        return list(self._scores.images(experiment, results))

    @property
    def _scores(self) -> Scores:
        return Scores(self.anatomy, self.acceleration, self.methods, self.conditions, slices=1)


def records(scores: Iterable[Score]) -> list[dict[str, Any]]:
    """Return scores as records of plain values."""
    return [each.record() for each in scores]


def mean_psnr(scores: Iterable[Score]) -> Mapping[tuple[str, str], float]:
    """Return mean PSNR by method and condition, over slices and training seeds."""
    cells: dict[tuple[str, str], list[float]] = {}
    for each in scores:
        cells.setdefault((each.method, each.row.condition), []).append(each.row.psnr)
    return {key: sum(values) / len(values) for key, values in cells.items()}


def mean_over_seeds(scores: Iterable[Score]) -> list[Row]:
    """Return a row per method, condition and slice, whose numbers are means over training seeds.

    The model of a row is the method. Its flags are those of any seed. A mean with a value that is not finite is NaN.
    """
    cells: dict[tuple[str, str, str], list[Row]] = {}
    for each in scores:
        cells.setdefault((each.method, each.row.condition, each.row.slice), []).append(each.row)
    return [_mean(method, rows) for (method, *_), rows in cells.items()]


def _mean(method: str, rows: Sequence[Row]) -> Row:
    numbers: dict[str, Any] = {name: _finite_mean([getattr(row, name) for row in rows]) for name in NUMBERS}
    flags = tuple(dict.fromkeys(flag for row in rows for flag in row.flags))
    return replace(rows[0], model=method, flags=flags, **numbers)


def _finite_mean(values: Sequence[float]) -> float:
    return fmean(values) if all(map(math.isfinite, values)) else math.nan


NUMBERS = tuple(field.name for field in fields(Row) if field.type is float)
"""The fields of a row that are averaged."""
