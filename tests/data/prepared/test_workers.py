import ctypes
import multiprocessing
import time

import pytest
import torch

from smug.data.prepared.workers import worked


def test_a_process_that_dies_costs_its_job_only():
    jobs = [b"one", 0, b"two", b"three"]  # the string at address 0 is a segmentation fault
    done = dict(worked(ctypes.string_at, jobs, 2))
    assert done == {b"one": b"one", 0: None, b"two": b"two", b"three": b"three"}
    assert not multiprocessing.active_children()


def test_errors_are_raised_here_and_processes_end_with_the_work():
    with pytest.raises(ValueError, match="negative"):
        list(worked(time.sleep, [-1.0, 1000.0], 2))
    assert not multiprocessing.active_children()


def test_without_processes_on_one_thread():
    before = torch.get_num_threads()
    assert list(worked(_threads, [0, 1], 0)) == [(0, 1), (1, 1)]
    assert torch.get_num_threads() == before


def _threads(_: int) -> int:
    return torch.get_num_threads()
