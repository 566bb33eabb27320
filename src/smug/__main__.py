"""``python -m smug``: the command line, also for torchrun."""

import sys

from smug.cli import main

sys.exit(main())
