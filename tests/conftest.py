"""What every test shares: the device, the seeded generator, the data folder, and their options."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest
import torch
from torch.distributed import TCPStore

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


@pytest.fixture(scope="session")
def ranks() -> Callable[..., list[tuple[int, str, str]]]:
    """Run ``python *arguments`` once per rank, as torchrun does; return every rank's status, output and errors."""

    def run(*arguments: str, world: int = 2, cwd: Path | None = None) -> list[tuple[int, str, str]]:
        store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        group = {"WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port)}
        agent = {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0"}
        usual = {**os.environ, **group, **agent, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        processes = [
            subprocess.Popen(
                [sys.executable, *arguments],
                env={**usual, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                cwd=cwd,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(world)
        ]
        try:
            return [(process.wait(100), process.stdout.read(), process.stderr.read()) for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.communicate()

    return run
