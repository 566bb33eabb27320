"""Files of figures: what they say they are, and the same bytes for the same figure."""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from smug.system.documents import RESEARCH
from smug.system.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

NOTES = {".png": ("Description", ""), ".pdf": ("Subject", "CreationDate"), ".svg": ("Description", "Date")}
"""Where a kind of file says what it is, and when it was made, which stays empty."""

PANEL = 1.45  # width in inches
GAP = 0.04


def write_figure(path: Path, figure: "Figure") -> None:
    """Write a figure as PNG, PDF or SVG, by the path's suffix, whole or not at all.

    Raises ValueError for other suffixes, OSError where the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in NOTES:
        raise ValueError(f"got a figure {path.name!r}, expected a name that ends in .png, .pdf or .svg")
    write_atomically(path, lambda file: file.write_bytes(figure_bytes(figure, suffix)))


def figure_bytes(figure: "Figure", suffix: str) -> bytes:
    """Return the content of a file: the same figure is the same bytes."""
    from matplotlib import rc_context

    note, date = NOTES[suffix]
    metadata: dict[str, Any] = {note: f"smug. {RESEARCH}", **({date: None} if date else {})}
    content = BytesIO()
    with rc_context({"svg.hashsalt": "smug"}):
        figure.savefig(content, format=suffix[1:], dpi=200, metadata=metadata)
    return content.getvalue()
