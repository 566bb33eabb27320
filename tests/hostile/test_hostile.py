"""Damaged files through the readers, and good and damaged ones through the command line; by hand, many more."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ismrmrd", reason="writes the raw files that are damaged")


@pytest.mark.long
@pytest.mark.parametrize(("script", "count"), [("session.py", 80), ("fuzz.py", 180)])
def test_many_files(script, count):
    argv = [sys.executable, str(Path(__file__).with_name(script)), "--count", str(count)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
