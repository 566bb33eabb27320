"""A few of the runs of survival.py, which is run with --count 20 by hand."""

import subprocess
import sys
from pathlib import Path


def test_killed_and_stopped_runs_end_with_the_same_bits():
    argv = [sys.executable, str(Path(__file__).with_name("survival.py")), "--count", "3"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "3 of 3 runs ended with the same bits" in done.stdout
