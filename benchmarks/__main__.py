"""``python -m benchmarks memory --json FILE``: speed and memory, side by side in one run on this machine."""

import sys

import tyro

from benchmarks.run import Bench
from smug.cli import answered

if __name__ == "__main__":
    sys.exit(answered(tyro.cli(Bench, prog="python -m benchmarks").run))
