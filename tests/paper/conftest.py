"""An experiment that is made within seconds: 32 x 32 phantoms, two updates, two slices."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from smug.paper.exhibit import Drawing, Exhibit
from smug.paper.experiment import Experiment
from smug.paper.measurement import Results
from smug.paper.plan import draw, plan, score, train
from smug.paper.runs import Run
from smug.paper.scales import SCALES, Scale
from smug.paper.scores import Scores
from smug.training.config import OptimizerConfig
from smug.training.runs import Model


@pytest.fixture(scope="session")
def smallest() -> Scale:
    """The scale ``tiny``, made smaller."""
    tiny, few = SCALES["tiny"], OptimizerConfig(updates=2, learning_rate=3e-3, validate_every=2)
    data = replace(tiny.config.data, size=32, count=4, validation=2)
    config = replace(tiny.config, steps=2, data=data, optimizer=few)
    return replace(tiny, config=config, start=few, warm=few, slices=2)


@pytest.fixture(scope="session")
def experiment(smallest: Scale, tmp_path_factory: pytest.TempPathFactory, device: torch.device) -> Experiment:
    """One experiment for all tests, so that each model is trained once."""
    out: Path = tmp_path_factory.mktemp("reproduced")
    return Experiment(smallest, out, device=device, command="smug reproduce")


@dataclass(frozen=True)
class Make:
    """Shortcuts through the phases."""

    def exhibit(self, exhibit: Exhibit, experiment: Experiment, folder: Path) -> Drawing:
        """Train, score and draw an exhibit."""
        planned = plan([exhibit], experiment.scale)
        train(planned, experiment)
        ((_, drawing, _),) = draw(planned, experiment, score(planned, experiment), folder)
        return drawing

    def model(self, run: Run, experiment: Experiment) -> Model:
        """Train a model, and those that it starts from."""
        if isinstance(parent := run.parent(experiment.scale), Run):
            self.model(parent, experiment)
        experiment.train(run)
        return experiment.model(run)

    def scores(self, measured: Scores, experiment: Experiment) -> Any:
        """Score with models that are trained."""
        return measured.score(experiment, Results({}))


@pytest.fixture(scope="session")
def make() -> Make:
    """Shortcuts through the phases."""
    return Make()
