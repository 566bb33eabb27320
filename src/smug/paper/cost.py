"""What training a method costs: calls of the denoiser, counted, and seconds, from the runs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from torch import Tensor, nn

from smug.data.scan import Scan
from smug.paper.runs import Run
from smug.paper.workshop import Workshop
from smug.physics.sense import Sense
from smug.training.config import Config
from smug.training.configured import build
from smug.training.methods import training_loss
from smug.training.runs import DOCUMENT

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


class Counting(nn.Module):
    """A denoiser that does nothing but count images."""

    def __init__(self) -> None:
        super().__init__()
        self.images = 0

    def forward(self, x: Tensor) -> Tensor:
        """Return the images as they are."""
        self.images += len(x)
        return x


def calls_per_slice(config: Config) -> int:
    """Return how often an update calls the denoiser for each slice, counted on the smallest of problems.

    >>> calls_per_slice(Config(steps=5)), calls_per_slice(Config(method="smug", steps=5, training_samples=2))
    (5, 11)
    """
    counting, A = Counting(), Sense(mask=torch.ones(1, 8, dtype=torch.bool))
    target = torch.ones(1, 8, 8, dtype=torch.complex64)
    scan = Scan(A(target), A, target, ("smallest",)).normalised()
    training_loss(config, counting)(build(config, counting), scan, torch.zeros(1, dtype=torch.int64))
    return counting.images


def costs(workshop: Workshop, anatomy: str, acceleration: float, methods: Sequence[str]) -> list[Cost]:
    """Return the cost of the runs of trained methods, that of the warm start first."""
    shipped = isinstance(workshop.scale.start, str)
    shared = [_cost(workshop, [Run(anatomy, acceleration, method)]) for method in SHARED[shipped:]]
    return shared + [
        _cost(workshop, [Run(anatomy, acceleration, method, seed) for seed in workshop.scale.seeds])
        for method in methods
    ]


def _cost(workshop: Workshop, runs: Sequence[Run]) -> Cost:
    config = runs[0].config(workshop.scale)
    calls, settings = calls_per_slice(config), config.optimizer
    seconds = fmean(_document(workshop, run)["timing"]["seconds"] for run in runs)
    return Cost(runs[0].method, settings.updates, calls, calls * settings.updates * settings.batch, seconds)


def _document(workshop: Workshop, run: Run) -> Mapping[str, Any]:
    document: Mapping[str, Any] = json.loads((workshop.folder(run) / DOCUMENT).read_text())
    return document
