"""What every test shares: the device, the seeded generator, the data folder, and their options."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import hypothesis
import pytest
import torch
from torch.distributed import TCPStore

from smug.data import hdf5_check
from smug.data.prepared import workers
from smug.training import records, validation

from .processes import Started, forking, leave_empty, run_check

ROOT = Path(__file__).parents[1]

# Deterministic examples and no deadline: a test says what is computed, not how fast.
hypothesis.settings.register_profile("smug", deadline=None, derandomize=True)
hypothesis.settings.load_profile("smug")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="torch device that the tests run on (default: cpu)")
    parser.addoption("--update-snapshot", action="store_true", help="rewrite tests/public_api.txt")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The whole suite on all cores; files or tests that are asked for by name here, where they start at once."""
    named = any(Path(argument.split("::")[0]).is_file() for argument in config.args)
    if named or config.option.keyword or config.option.markexpr:
        return 0
    return min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "long: tests of many seconds, which start first so that all workers end together"
    )
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that tests start
        torch.set_num_threads(1)
    else:
        torch.set_num_threads(min(2, torch.get_num_threads()))
    device = config.getoption("device")
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch asserts where it was built without CUDA
        raise pytest.UsageError(f"--device {device}: {error}") from error


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep rows that commands score out of the user's cache."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", autouse=True)
def checks_start_at_once() -> None:
    """Read HDF5 files first in a forked process, not in an interpreter of its own, which takes a fifth of a second."""
    hdf5_check.subprocess = SimpleNamespace(run=run_check, TimeoutExpired=subprocess.TimeoutExpired)


@pytest.fixture(scope="session", autouse=True)
def workers_start_at_once() -> None:
    """Fork the processes that make volumes, which else would first import torch, for seconds."""
    workers.multiprocessing = SimpleNamespace(get_context=forking)


@pytest.fixture(scope="session", autouse=True)
def runs_are_not_drawn() -> None:
    """Let trainings leave empty pictures, which would take longer than the rest of a short one."""
    records.write_losses = validation.write_validation = leave_empty


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
        processes = [
            Started(
                *arguments, cwd=cwd, RANK=str(rank), LOCAL_RANK=str(rank), CUDA_VISIBLE_DEVICES="", **group, **agent
            )
            for rank in range(world)
        ]
        return [process.wait() for process in processes]

    return run
