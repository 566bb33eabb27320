"""A workshop that everything is made in within seconds: 32 x 32 phantoms, two updates, two slices."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from smug.paper.regime import SCALES, Scale
from smug.paper.workshop import Workshop
from smug.training.config import OptimizerConfig


@pytest.fixture(scope="session")
def smallest() -> Scale:
    """The scale ``tiny``, made smaller."""
    tiny, few = SCALES["tiny"], OptimizerConfig(updates=2, learning_rate=3e-3, validate_every=2)
    data = replace(tiny.config.data, size=32, count=4, validation=2)
    config = replace(tiny.config, steps=2, data=data, optimizer=few)
    return replace(tiny, config=config, start=few, warm=few, slices=2)


@pytest.fixture(scope="session")
def workshop(smallest: Scale, tmp_path_factory: pytest.TempPathFactory, device: torch.device) -> Workshop:
    """One workshop for all tests, so that each model is trained once."""
    out: Path = tmp_path_factory.mktemp("reproduced")
    return Workshop(smallest, out, device=device, command="smug reproduce")
