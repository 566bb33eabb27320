"""A reproduction in phases: plan it, train, score, draw. Each phase goes on where it was stopped.

>>> from smug.paper.exhibits import EXHIBITS
>>> from smug.paper.scales import SCALES
>>> planned = plan([EXHIBITS["fig5"]], SCALES["tiny"])
>>> [run.method for run in planned.runs]
['start', 'warm', 'modl', 'rs-e2e', 'smug', 'weighted-smug', 'jitter', 'adversarial']
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smug.paper.exhibit import Content, Drawing, Exhibit, write_exhibit
from smug.paper.experiment import Experiment
from smug.paper.measurement import Cells, Measurement, Results
from smug.paper.runs import METHODS, Run
from smug.paper.scales import Scale


@dataclass(frozen=True, eq=False)
class Plan:
    """What exhibits need: ``runs`` to train, each after that which it starts from, and ``cells`` to score."""

    contents: Mapping[Exhibit, Content]
    runs: Sequence[Run]
    cells: Sequence[Cells]


def plan(exhibits: Iterable[Exhibit], scale: Scale) -> Plan:
    """Return what exhibits need at a scale, each run and each cell once."""
    contents = {exhibit: exhibit.content(scale) for exhibit in exhibits}
    measurements = [measurement for content in contents.values() for measurement in content.measurements]
    cells = {each.key: each for measurement in measurements for each in measurement.cells(scale)}
    trained = dict.fromkeys(each.run for each in cells.values() if each.run.method in METHODS)
    runs = dict.fromkeys(run for last in trained for run in _with_parents(last, scale))
    return Plan(contents, tuple(runs), tuple(cells.values()))


def train(planned: Plan, experiment: Experiment) -> None:
    """Train the models that are not trained yet; raises as :meth:`Experiment.train` does."""
    for run in planned.runs:
        experiment.train(run)


def score(planned: Plan, experiment: Experiment) -> Results:
    """Score what is not scored yet, with the trained models; return the results."""
    found: dict[Measurement[Any], Any] = {}
    for content in planned.contents.values():
        for measurement in content.measurements:
            found[measurement] = measurement.score(experiment, Results(found))
    return Results(found)


def draw(
    planned: Plan, experiment: Experiment, results: Results, folder: Path
) -> Iterator[tuple[Exhibit, Drawing, dict[str, Any]]]:
    """Draw the exhibits and write their files; yield each with its JSON document."""
    for exhibit, content in planned.contents.items():
        drawing = content.draw(results)
        yield exhibit, drawing, write_exhibit(exhibit, drawing, experiment, folder)


def _with_parents(run: Run, scale: Scale) -> Iterator[Run]:
    parent = run.parent(scale)
    if isinstance(parent, Run):
        yield from _with_parents(parent, scale)
    yield run
