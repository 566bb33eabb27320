"""What training a method costs: calls of the denoiser, counted, and seconds, from the runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor, nn

from smug.data.scan import Scan
from smug.paper.experiment import Experiment
from smug.paper.measurement import Cells, Results
from smug.paper.runs import Run
from smug.paper.scales import Scale
from smug.physics.sense import Sense
from smug.training.config import Config
from smug.training.configured import build
from smug.training.methods import training_loss

SHARED = ("start", "warm")
"""The runs that all methods start from; there is no first one where the second starts from a shipped model."""


@dataclass(frozen=True)
class Cost:
    """What a run of a method cost: updates, denoiser calls (forwards, of one image), and seconds, mean over seeds."""

    method: str
    updates: int
    calls_per_slice: int
    calls: int
    seconds: float


@dataclass(frozen=True)
class TrainingCost:
    """The costs of the runs of trained methods, that of the warm start first."""

    anatomy: str
    acceleration: float
    methods: tuple[str, ...]

    def cells(self, scale: Scale) -> Sequence[Cells]:
        """Return nothing: what is trained is counted with the scores of the same methods."""
        return ()

    def score(self, experiment: Experiment, results: Results) -> list[Cost]:
        """Return the costs, from the documents of the runs."""
        scale = experiment.scale
        shared = [(method, (0,)) for method in SHARED[isinstance(scale.start, str) :]]
        return [
            _cost(experiment, [Run(self.anatomy, self.acceleration, method, seed) for seed in seeds])
            for method, seeds in (*shared, *((method, scale.seeds) for method in self.methods))
        ]


class CountingDenoiser(nn.Module):
    """A denoiser that changes nothing and counts images: ``images`` all, ``differentiated`` those with a gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.images = self.differentiated = 0

    def forward(self, x: Tensor) -> Tensor:
        """Return the images as they are."""
        self.images += len(x)
        self.differentiated += len(x) * x.requires_grad
        return x


def calls_per_slice(config: Config) -> int:
    """Return how often an update calls the denoiser for each slice, counted on the smallest of problems.

    >>> calls_per_slice(Config(steps=5)), calls_per_slice(Config(method="smug", steps=5, training_samples=2))
    (5, 11)
    """
    counting, A = CountingDenoiser(), Sense(mask=torch.ones(1, 8, dtype=torch.bool))
    target = torch.ones(1, 8, 8, dtype=torch.complex64)
    scan = Scan(A(target), A, target, ("smallest",)).normalised()
    training_loss(config, counting)(build(config, counting), scan, torch.zeros(1, dtype=torch.int64))
    return counting.images


def _cost(experiment: Experiment, runs: Sequence[Run]) -> Cost:
    config = runs[0].config(experiment.scale)
    calls, settings = calls_per_slice(config), config.optimizer
    seconds = fmean(map(experiment.training_seconds, runs))
    return Cost(runs[0].method, settings.updates, calls, calls * settings.updates * settings.batch, seconds)
