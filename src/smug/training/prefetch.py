"""Batches are made in threads while the ones before are trained on."""

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from smug.data.scan import Scan
from smug.training.batches import TrainingData


def prefetched(
    data: TrainingData, updates: range, size: int, seed: int, rows: slice = slice(None), workers: int = 1
) -> Generator[Scan, None, None]:
    """Yield ``data.batch(update, size, seed, rows)`` for each update in turn.

    So many ``workers``, which are threads, keep ``2 * workers`` batches ready or in the making, none beyond the last
    update; 0 makes each when it is asked for. The scans do not depend on it. What goes wrong is raised at its own
    update. When the iterator is closed, or its consumer raises, no further batch is begun, and nothing is waited for.
    Raises ValueError for a negative number of workers.
    """
    if workers < 0:
        raise ValueError(f"workers: expected at least 0, got {workers}")
    if workers == 0:
        return (data.batch(update, size, seed, rows) for update in updates)
    return _ahead(data, updates, size, seed, rows, workers)


def _ahead(
    data: TrainingData, updates: range, size: int, seed: int, rows: slice, workers: int
) -> Generator[Scan, None, None]:
    remaining = iter(updates)
    waiting: deque[Future[Scan]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="batches")

    def submit(count: int) -> None:
        waiting.extend(pool.submit(data.batch, update, size, seed, rows) for update in islice(remaining, count))

    try:
        submit(2 * workers)
        while waiting:
            scan = waiting.popleft().result()
            submit(1)
            yield scan
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
