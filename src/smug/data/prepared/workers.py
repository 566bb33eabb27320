"""Many files at a time, each in a process of its own: one that crashes costs its file only."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from typing import TypeVar

import torch

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class _Process:
    """A pool of one process, so that it is known what it died of; ``pid`` has come once it has started."""

    pool: ProcessPoolExecutor
    pid: Future[int]


def worked(work: Callable[[Job], Result], jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, Result | None]]:
    """Yield each job with its result, in the order in which they are done; None where its process crashed.

    ``work`` runs on one thread, in ``workers`` processes, or with 0 in this one. Its errors are raised here. The
    processes end with this generator and with this process, whatever they are doing. Raises OSError where none can be
    started.
    """
    if workers == 0:
        with _one_thread():
            for job in jobs:
                yield job, work(job)
        return
    context = multiprocessing.get_context("spawn")
    lifeline, held = context.Pipe(duplex=False)

    def started() -> _Process:
        pool = ProcessPoolExecutor(1, context, _start, (lifeline,))
        with _interrupts_held():
            return _Process(pool, pool.submit(os.getpid))

    waiting = iter(jobs)
    idle = [started() for _ in range(min(workers, len(jobs)))]
    busy: dict[Future[Result], tuple[_Process, Job]] = {}
    try:
        while True:
            for job in islice(waiting, len(idle)):
                process = idle.pop()
                busy[process.pool.submit(work, job)] = process, job
            if not busy:
                return
            for future in wait(busy, return_when=FIRST_COMPLETED).done:
                process, job = busy.pop(future)
                died = isinstance(future.exception(), BrokenProcessPool)
                if died and process.pid.exception() is not None:
                    raise OSError("processes cannot be started: is the script guarded by __name__ == '__main__'?")
                idle.append(started() if died else process)
                yield job, None if died else future.result()
    finally:
        held.close()
        for process in [*idle, *(process for process, _ in busy.values())]:
            process.pool.shutdown(cancel_futures=True)
        lifeline.close()


def _start(lifeline: Connection) -> None:
    """Prepare a process: one thread, and no work without a parent."""
    torch.set_num_threads(1)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()


def _end_with(lifeline: Connection) -> None:
    """Wait for the end of the pipe, which the parent holds, and leave at once."""
    try:
        lifeline.poll(None)
    finally:
        os._exit(1)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold an interrupt back; a process that starts meanwhile never gets one, for that is its parent's business."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
