import os

import pytest
import torch

from smug.system.distributed import ALONE, Group, joined

SHARED = """
import math, torch
from smug.system.distributed import joined

with joined("cpu") as group:
    mean = group.mean(torch.tensor([group.rank, 1e8 + 1 + 2 * group.rank], dtype=torch.float64, requires_grad=True))
    assert mean.tolist() == [0.5, 1e8 + 2] and not mean.requires_grad
    assert group.mean(torch.tensor(1 + group.rank, dtype=torch.float32)) == 1.5
    assert group.any(group.rank == 1) and group.any(True) and not group.any(False)
    for count in range(4):
        items = [{"slice": f"Ä{i}", "psnr": 0.1 + i, "nmse": math.inf} for i in range(count)]
        assert group.gathered(items[group.rows]) == items
        tensors = [torch.randn(i, 2, dtype=torch.complex64, generator=torch.Generator().manual_seed(i)).mT
                   for i in range(count)]
        back = group.gathered_tensors(tensors[group.rows])
        assert len(back) == count and all(map(torch.equal, back, tensors))
    print("first" if group.first else "second", group)
assert not torch.distributed.is_initialized()
"""

FAILING = """
import sys
from smug.system.distributed import joined

try:
    with joined(sys.argv[1]) as group:
        if group.rank == int(sys.argv[2]):
            raise ValueError(f"told by {group.rank}")
        group.mean(__import__("torch").ones(()))
except ValueError as error:
    sys.exit(f"smug: {error}")
"""

KILLED = """
import os, signal, sys
from smug.system.distributed import joined

try:
    with joined("cpu") as group:
        if not group.first:
            os.kill(os.getpid(), signal.SIGKILL)
except ConnectionError as error:
    sys.exit(f"smug: {error}")
"""


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)


def test_alone_everything_is_the_identity(device):
    with joined(device) as group:
        assert group == ALONE == Group(0, 1)
        assert group.first
        assert list("abc")[group.rows] == list("abc")
        assert group.mean(torch.tensor(3.0, device=device)) == 3
        assert group.any(True) and not group.any(False)
        assert group.gathered([1, "a"]) == [1, "a"]
        assert [t.tolist() for t in group.gathered_tensors([torch.ones(2, device=device)])] == [[1, 1]]


def test_a_world_of_one_needs_nothing_else(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    with joined("cpu") as group:
        assert group == ALONE


def test_two_ranks_share_and_gather(ranks):
    (status0, first, errors0), (status1, second, errors1) = ranks("-c", SHARED)
    assert (status0, status1) == (0, 0), errors0 + errors1
    assert first == "first Group(rank=0, world=2)\n"
    assert second == "second Group(rank=1, world=2)\n"


@pytest.mark.parametrize("failing", [0, 1])
def test_the_rank_that_fails_tells_why_and_the_waiting_one_ends_silently(ranks, failing):
    results = ranks("-c", FAILING, "cpu", str(failing))
    assert results[failing][2].endswith(f"smug: told by {failing}\n")
    assert [status for status, _, _ in results] == [1, 1]
    assert "Traceback" not in results[0][2] + results[1][2]
    assert not results[1 - failing][2]


def test_more_processes_than_gpus_are_told_once(ranks):
    results = ranks("-c", FAILING, "cuda", "0")
    assert {status for status, _, _ in results} == {1}
    assert "".join(errors for _, _, errors in results).count("on a machine with 0 GPUs") == 1


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_rank_that_is_killed_ends_the_others_with_one_line(ranks):
    (status, _, errors), (killed, _, _) = ranks("-c", KILLED)
    assert killed < 0
    assert status == 1
    assert errors.startswith("smug: another process of the group was killed")


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"WORLD_SIZE": "2"}, "RANK, LOCAL_RANK, MASTER_ADDR, MASTER_PORT not set: start with torchrun"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE: expected a whole number, got 'two'"),
        ({"WORLD_SIZE": "2", "RANK": "2", "LOCAL_RANK": "0"}, "RANK: expected less than WORLD_SIZE, 2, got 2"),
    ],
)
def test_an_environment_that_describes_no_group_is_refused(monkeypatch, environment, message):
    if "RANK" in environment:
        environment = {**environment, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=message), joined("cpu"):
        pass
