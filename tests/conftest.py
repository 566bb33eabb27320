"""What every test shares: the device, the seeded generator, the data folder, and their options."""

import os
from pathlib import Path

import hypothesis
import pytest
import torch

ROOT = Path(__file__).parents[1]

# Deterministic examples and no deadline: a test says what is computed, not how fast.
hypothesis.settings.register_profile("smug", deadline=None, derandomize=True)
hypothesis.settings.load_profile("smug")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="torch device that the tests run on (default: cpu)")
    parser.addoption("--update-snapshot", action="store_true", help="rewrite tests/public_api.txt")


def pytest_configure(config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        torch.set_num_threads(min(2, torch.get_num_threads()))
    device = config.getoption("device")
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch asserts where it was built without CUDA
        raise pytest.UsageError(f"--device {device}: {error}") from error


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> torch.device:
    """The device named by --device; a missing one has already ended the run."""
    return torch.device(request.config.getoption("device"))


@pytest.fixture
def generator(device: torch.device) -> torch.Generator:
    """A generator on the device, seeded with 0."""
    return torch.Generator(device).manual_seed(0)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of MRI data: $SMUG_DATA, or ../shared/data beside the repository."""
    if named := os.environ.get("SMUG_DATA"):
        root = Path(named)
        if not root.is_dir():
            pytest.fail(f"SMUG_DATA={named} is not a folder")
        return root
    root = ROOT.parent / "shared" / "data"
    if not root.is_dir():
        pytest.skip("needs MRI data: set SMUG_DATA to its folder")
    return root
