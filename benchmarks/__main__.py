"""``python -m benchmarks memory --json FILE``: speed and memory, side by side in one run on this machine.

``python -m benchmarks measured --json FILE``: how good the images of measured scans are.
"""

import sys

from benchmarks.measured.command import Measured
from benchmarks.run import Bench
from smug.cli import execute
from smug.system.terminal import forgiving_streams

PROGRAM = "python -m benchmarks"

if __name__ == "__main__":
    with forgiving_streams():
        match sys.argv[1:]:
            case ["measured", *options]:
                sys.exit(execute(Measured, options, f"{PROGRAM} measured"))
            case options:
                sys.exit(execute(Bench, options, PROGRAM))
