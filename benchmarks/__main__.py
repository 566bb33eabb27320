"""``python -m benchmarks memory --json FILE``: speed and memory, side by side in one run on this machine."""

import sys

from benchmarks.run import Bench
from smug.cli import execute

if __name__ == "__main__":
    sys.exit(execute(Bench, sys.argv[1:], "python -m benchmarks"))
