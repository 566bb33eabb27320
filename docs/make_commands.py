"""Write docs/commands.md, the page of the command line, from the commands' own help: python docs/make_commands.py."""

import contextlib
import io
import os
from pathlib import Path
from unittest.mock import patch

from smug.cli import main
from smug.commands.table import COMMANDS

PAGE = Path(__file__).with_name("commands.md")

HEAD = """# Command line

What the commands themselves say: `smug COMMAND --help` prints the same. Every command writes its results for machines
with `--json FILE`, ends with exit status 0, or with 2 (130 or 143 where it was stopped) and one
line that says what was wrong, and leaves nothing half-written.
"""


def page() -> str:
    """Return the page."""
    return "\n".join([HEAD, *(f"## smug {name}\n\n```text\n{told(name)}\n```\n" for name in COMMANDS)])


def told(command: str) -> str:
    """Return the help of a command, as a terminal of 100 columns without colours shows it."""
    terminal = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    with (
        patch.dict(os.environ, terminal),
        contextlib.redirect_stdout(io.StringIO()) as shown,
        contextlib.suppress(SystemExit),
    ):
        main([command, "--help"])
    return "\n".join(line.rstrip() for line in shown.getvalue().strip().splitlines())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
