import resource

import h5py
import numpy as np
import pytest

from smug.data.hdf5_writing import ErrorKeepingFile


@pytest.fixture
def limited():
    """No file may grow beyond 100 kB, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_hdf5_writes_can_be_read(tmp_path):
    values = np.arange(20_000.0).reshape(20, 1000)
    with ErrorKeepingFile(tmp_path / "file.h5", "w+") as raw:
        with h5py.File(raw, "w") as file:
            file["values"] = values
        raw.check()
    with h5py.File(tmp_path / "file.h5") as file:
        assert np.array_equal(file["values"], values)


@pytest.mark.parametrize("chunks", [None, (1, 1000)])
def test_a_failure_is_told_in_the_end_and_hdf5_survives(tmp_path, limited, chunks):
    with ErrorKeepingFile(tmp_path / "file.h5", "w+") as raw:
        with h5py.File(raw, "w") as file:
            file.create_dataset("values", data=np.ones((20, 1000)), chunks=chunks)
        with pytest.raises(OSError, match="File too large"):
            raw.check()
