"""Five hundred damaged files through the readers, and five hundred good and damaged ones through the command line."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ismrmrd", reason="writes the raw files that are damaged")


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("script", ["fuzz.py", "session.py"])
def test_five_hundred_files(script):
    argv = [sys.executable, str(Path(__file__).with_name(script)), "--count", "500"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
