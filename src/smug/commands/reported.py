"""The folder of a report, as the commands that write one declare it."""

from collections.abc import Iterator
from pathlib import Path

from smug.system.paths import Output


def report_files(folder: Path, option: str = "--out") -> Iterator[Output]:
    """Yield what :meth:`smug.Evaluation.report` writes; ``cards`` has a file per model."""
    yield Output(option, folder, folder=True)
    yield Output(option, folder / "cards", folder=True)
    for name in ("report.html", "figure.png", "table.md"):
        yield Output(option, folder / name)
