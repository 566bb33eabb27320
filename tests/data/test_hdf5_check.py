"""The process that opens HDF5 files first."""

import subprocess

import h5py
import numpy as np
import pytest

from smug.data import hdf5_check
from smug.data.hdf5_check import walk


@pytest.fixture(autouse=True)
def own_interpreter(monkeypatch):
    """Start the program itself, for which other tests fork a process."""
    monkeypatch.setattr(hdf5_check, "subprocess", subprocess)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("group/data", data=np.ones((4, 4)), chunks=(2, 2)).attrs["name"] = "value"
        file.create_dataset("text", data=["a", "b"], dtype=h5py.string_dtype())
    return path


def test_a_good_file_passes(path):
    hdf5_check.check_readable(path)
    walk(str(path))


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_what_python_can_tell_is_left_to_the_reader(path, content):
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    hdf5_check.check_readable(path)


def run(monkeypatch, tmp_path, code):
    script = tmp_path / "script.py"
    script.write_text(code)
    monkeypatch.setattr(hdf5_check, "__file__", str(script))


def test_a_crash_is_told(monkeypatch, tmp_path, path):
    run(monkeypatch, tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(ValueError, match=r"file\.h5: the HDF5 file is damaged.*signal 11"):
        hdf5_check.check_readable(path)


def test_what_does_not_end_is_told(monkeypatch, tmp_path, path):
    monkeypatch.setattr(hdf5_check, "SECONDS", 0.5)
    run(monkeypatch, tmp_path, "while True: pass")
    with pytest.raises(ValueError, match=r"file\.h5: the HDF5 file is damaged.*did not come to an end"):
        hdf5_check.check_readable(path)
