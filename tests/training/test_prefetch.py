import threading
from contextlib import closing

import pytest
import torch

from smug.training.batches import load_training_data
from smug.training.config import DataConfig
from smug.training.prefetch import prefetched


class Recorded:
    """Stands for training data: a batch is its update; those from ``stuck`` on wait for ``release``."""

    def __init__(self, stuck: int = 1000, fails: int = 1000) -> None:
        self.begun: list[int] = []
        self.lock, self.release = threading.Lock(), threading.Event()
        self.stuck, self.fails = stuck, fails

    def batch(self, update: int, size: int, seed: int, rows: slice) -> int:
        with self.lock:
            self.begun.append(update)
        if update >= self.fails:
            raise ValueError(f"update {update}")
        if update >= self.stuck:
            assert self.release.wait(60)
        return update


def settled() -> None:
    """Wait for the threads to end."""
    for thread in threading.enumerate():
        if thread.name.startswith("batches"):
            thread.join(60)
            assert not thread.is_alive()


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_scans_are_those_of_the_data_in_order(workers):
    data = load_training_data(DataConfig(size=24, count=4, validation=1))
    found = list(prefetched(data, range(3, 9), 4, 1, slice(1, 3), workers))
    assert len(found) == 6
    for update, scan in zip(range(3, 9), found, strict=True):
        expected = data.batch(update, 4, 1, slice(1, 3))
        assert scan.id == expected.id and torch.equal(scan.y, expected.y)


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("count", [0, 1, 2, 20])
def test_every_batch_is_made_once_and_none_beyond_the_last(workers, count):
    data = Recorded()
    assert list(prefetched(data, range(1, count + 1), 1, 0, slice(None), workers)) == list(range(1, count + 1))
    assert sorted(data.begun) == list(range(1, count + 1))
    settled()


@pytest.mark.parametrize(("workers", "ahead"), [(0, 0), (1, 2), (3, 6)])
def test_so_many_batches_are_ahead(workers, ahead):
    data = Recorded()
    with closing(prefetched(data, range(1, 100), 1, 0, slice(None), workers)) as scans:
        for update in range(1, 20):
            assert next(scans) == update
            with data.lock:
                assert max(data.begun) <= update + ahead
    settled()
    assert max(data.begun) <= 19 + ahead


def test_workers_work_at_the_same_time():
    data = Recorded(stuck=1)
    arrived = threading.Barrier(4)
    data.release.wait = lambda timeout: arrived.wait(timeout) >= 0  # nobody passes alone
    assert list(prefetched(data, range(1, 5), 1, 0, slice(None), 4)) == [1, 2, 3, 4]


@pytest.mark.parametrize("workers", [0, 2])
def test_what_goes_wrong_is_raised_at_its_own_update(workers):
    data, seen = Recorded(fails=5), []
    with pytest.raises(ValueError, match="update 5"):
        seen.extend(update for update in prefetched(data, range(1, 100), 1, 0, slice(None), workers))
    settled()
    assert max(data.begun) <= 5 + 2 * workers
    scans = prefetched(data, range(1, 100), 1, 0, slice(None), workers)
    assert [next(scans) for _ in range(4)] == [1, 2, 3, 4]
    with pytest.raises(ValueError, match="update 5"):
        next(scans)
    settled()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_consumer_that_stops_waits_for_nothing_and_nothing_is_begun_after_it(error):
    data = Recorded(stuck=2)

    def consume() -> None:
        for update in prefetched(data, range(1, 100), 1, 0, slice(None), 2):
            assert update == 1
            raise error

    with pytest.raises(error):
        consume()  # though two threads are stuck
    assert not data.release.is_set()
    with data.lock:
        begun = list(data.begun)
    data.release.set()
    settled()
    assert data.begun == begun and set(begun) <= {1, 2, 3}


def test_the_number_of_workers_is_checked_at_once():
    with pytest.raises(ValueError, match="workers: expected at least 0, got -1"):
        prefetched(Recorded(), range(1), 1, 0, slice(None), -1)
