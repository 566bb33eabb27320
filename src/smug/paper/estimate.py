"""How much a plan is and about how long it takes: denoiser calls, counted, times a step, measured on this machine."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from time import perf_counter

import torch
from torch import Tensor

from smug.data.phantom import head_phantom
from smug.data.scan import Scan
from smug.data.simulate import Acquisition, named_scans
from smug.evaluation.conditions import unchanged
from smug.models.normalised import normalised
from smug.paper.cost import CountingDenoiser, calls_per_slice
from smug.paper.experiment import Experiment, sampled
from smug.paper.measurement import Cells
from smug.paper.plan import Plan
from smug.paper.runs import METHODS, Run
from smug.paper.scales import Scale
from smug.physics.operator import Operator
from smug.reconstructor import Reconstructor
from smug.shifts.model import Inapplicable
from smug.system.words import counted
from smug.training.configured import build
from smug.training.runs import Model
from smug.zoo import CLASSICAL as RECONSTRUCTORS

SMALLEST = 24
"""Side of the image on which calls are counted."""

REPEATS, ENOUGH = 3, 1.0
"""A step is timed ``REPEATS`` times, or until ``ENOUGH`` seconds have passed; the fastest time counts."""


@dataclass(frozen=True)
class Calls:
    """How often something is called for a slice: without a gradient, and with one."""

    plain: float = 0
    differentiated: float = 0


@dataclass(frozen=True)
class Estimate:
    """A plan in numbers; runs that are finished are counted in ``finished`` alone.

    Rows that are stored are counted as if they were to be scored: which these are is known after training.
    """

    runs: int
    finished: int
    updates: int
    training_seconds: float
    reconstructions: int
    attacks: int
    scoring_seconds: float
    drawings: int

    @property
    def lines(self) -> list[str]:
        """The estimate in words, a line for each phase."""
        done = f" ({self.finished:,} of them finished)" if self.finished else ""
        slices = f"{counted(self.reconstructions, 'slice')} as measured, shifted or with noise"
        total = self.training_seconds + self.scoring_seconds
        return [
            f"train {counted(self.runs, 'model')}{done}: {counted(self.updates, 'update')}, "
            f"{about_time(self.training_seconds)}",
            f"score {slices}, and {counted(self.attacks, 'attack')}: {about_time(self.scoring_seconds)}",
            f"draw {counted(self.drawings, 'exhibit')}",
            f"in all {about_time(total)} on this machine, less what is scored already",
        ]


def estimate(planned: Plan, experiment: Experiment) -> Estimate:
    """Return a plan in numbers; the time is measured on short steps, on the experiment's device."""
    scale, missing = experiment.scale, [run for run in planned.runs if not experiment.is_trained(run)]
    seconds = _Seconds(experiment)
    training, updates = 0.0, 0
    for run in missing:
        config = run.config(scale)
        updates += config.optimizer.updates
        images = calls_per_slice(config) * config.optimizer.updates * config.optimizer.batch
        training += seconds.of(run.method, Calls(differentiated=images))
    attacks, others, scoring = 0, 0, 0.0
    counts: dict[tuple[str, str], Calls] = {}
    for cells in planned.cells:
        alike = _loop(cells.run, scale), cells.condition.recipe
        each = counts[alike] = counts.get(alike) or calls(cells, scale)
        attacks += cells.slices * (each.differentiated > 0)
        others += cells.slices * (each.differentiated == 0)
        scoring += cells.slices * seconds.of(cells.run.method, each)
    return Estimate(
        runs=len(planned.runs),
        finished=len(planned.runs) - len(missing),
        updates=updates,
        training_seconds=training,
        reconstructions=others,
        attacks=attacks,
        scoring_seconds=scoring,
        drawings=len(planned.contents),
    )


def calls(cells: Cells, scale: Scale) -> Calls:
    """Return how often a cell calls the denoiser or, of a classical method, the reconstructor itself.

    They are counted on a small image; none where the method does not have the setting that the condition changes.
    """
    counting = CountingDenoiser()
    f = _counted(cells.run, scale, counting)
    try:
        changed = cells.condition.change(f)
    except Inapplicable:
        return Calls()
    scan = _scan(SMALLEST, Acquisition(coils=1))
    seeds = torch.zeros(1, dtype=torch.int64)
    after = cells.condition.perturb(changed, scan, seeds).scan
    with torch.no_grad():
        changed(after.y, after.A, generator=seeds)
        if cells.condition.change is not unchanged and after is not scan:
            changed(scan.y, scan.A, generator=seeds)
    return Calls(counting.images - counting.differentiated, counting.differentiated)


def about_time(seconds: float) -> str:
    """Return a duration as people say it.

    >>> about_time(20), about_time(400), about_time(9000)
    ('less than a minute', 'about 7 minutes', 'about 2.5 hours')
    """
    if seconds < 45:
        return "less than a minute"
    minutes = round(seconds / 60)
    return f"about {counted(minutes, 'minute')}" if minutes < 100 else f"about {seconds / 3600:.2g} hours"


def _loop(run: Run, scale: Scale) -> str:
    """Return what the number of calls of a method depends on: the same for methods that differ in training alone."""
    if run.method not in METHODS:
        return run.method
    config = run.config(scale)
    return f"{type(build(config, CountingDenoiser())).__name__}, {config.steps} steps, {config.smoothing}"


def _counted(run: Run, scale: Scale, counting: CountingDenoiser) -> Reconstructor:
    """Return a reconstructor as it is tested, whose calls are counted."""
    if run.method in METHODS:
        config = run.config(scale)
        return sampled(Model(run.method, build(config, counting), config, {}), scale)

    def f(y: Tensor, A: Operator, generator: Tensor | None = None) -> Tensor:
        return counting(A.H(y))  # type: ignore[no-any-return]

    return f


class _Seconds:
    """Seconds of a call: of the denoiser, with its share of an unrolling step, or of a classical reconstructor."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._measured = cache(self._measure)

    def of(self, method: str, calls: Calls) -> float:
        """Return the seconds of calls of a method."""
        if calls == Calls():
            return 0.0
        plain, differentiated = self._measured(method if method in RECONSTRUCTORS else "")
        return plain * calls.plain + differentiated * calls.differentiated

    def _measure(self, classical: str) -> tuple[float, float]:
        experiment = self._experiment
        config = experiment.scale.config
        one = replace(config, method="modl", steps=1)
        f = RECONSTRUCTORS[classical]() if classical else normalised(build(one).to(experiment.device))
        scan = _scan(config.data.size, config.data.acquisition.draw(0)).to(experiment.device)

        def plain() -> None:
            with torch.no_grad():
                float(f(scan.y, scan.A).abs().sum())

        def differentiated() -> None:
            y = scan.y.clone().requires_grad_()
            f(y, scan.A).abs().square().sum().backward()  # type: ignore[no-untyped-call]
            float(torch.view_as_real(y.grad).sum())  # type: ignore[arg-type]

        return _fastest(plain), _fastest(differentiated)


def _fastest(work: Callable[[], None]) -> float:
    times: list[float] = []
    while len(times) < REPEATS and sum(times) < ENOUGH:
        began = perf_counter()
        work()
        times.append(perf_counter() - began)
    return min(times)


def _scan(size: int, acquisition: Acquisition) -> Scan:
    image = torch.as_tensor(head_phantom(0, size)).to(torch.complex64)
    (scan,) = named_scans(image[None], ("step",), acquisition)
    return scan
