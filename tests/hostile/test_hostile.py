"""Damaged files through the readers, and good and damaged ones through the command line; by hand, many more."""

import subprocess
import sys
from pathlib import Path

import pytest

from ..processes import Started

pytest.importorskip("ismrmrd", reason="writes the raw files that are damaged")

HERE = Path(__file__).parent


@pytest.mark.long
def test_many_files():
    argv = [str(HERE / "fuzz.py"), "--count", "180"]
    code = f"import runpy, sys; sys.argv = {argv!r}; runpy.run_path({argv[0]!r}, run_name='__main__')"
    status, output, errors = Started("-c", code).wait(250)
    assert status == 0, output + errors[-3000:]


@pytest.mark.long
def test_many_commands():
    """In an interpreter of its own: the memory of a forked process grows by what it shares at first."""
    argv = [sys.executable, str(HERE / "session.py"), "--count", "80"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
