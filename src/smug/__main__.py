"""``python -m smug``: the command line."""

import sys

from smug.cli import main

sys.exit(main())
