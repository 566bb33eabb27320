"""The measurements behind exhibits: the plan counts their cells, scoring carries them out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from smug.evaluation.conditions import Condition
from smug.paper.experiment import Experiment
from smug.paper.runs import Run
from smug.paper.scales import Scale

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True)
class Cells:
    """A method, trained from a seed, under a condition, on ``slices`` of a split: one cell for each slice."""

    run: Run
    condition: Condition
    slices: int
    split: str = "test"

    @property
    def key(self) -> tuple[Run, str, str, int, str]:
        """The identity of the cells: those with equal keys are scored once."""
        return self.run, self.condition.name, self.condition.recipe, self.slices, self.split


class Measurement(Protocol[R_co]):
    """Something that an exhibit shows, scored with models that are trained already."""

    def cells(self, scale: Scale) -> Iterable[Cells]:
        """Return what is to be scored: what is trained for it follows from this."""
        ...

    def score(self, experiment: Experiment, results: "Results") -> R_co:
        """Return the result; ``results`` holds those of the measurements before it."""
        ...


@dataclass(frozen=True, eq=False)
class Results:
    """The results of measurements."""

    found: Mapping[Measurement[Any], Any]

    def of(self, measurement: Measurement[R]) -> R:
        """Return the result of a measurement."""
        return cast(R, self.found[measurement])
