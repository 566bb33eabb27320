"""One slice of a batch, before it is made."""

from collections.abc import Callable
from dataclasses import dataclass

from smug.data.scan import Scan


@dataclass(frozen=True, eq=False)
class Draw:
    """A slice that was drawn for a batch.

    Everything random about it is settled, its mask too; ``scan()`` simulates or reads the normalised scan, of one slice
    and so many ``coils``. Raises ValueError and FileNotFoundError that name the slice, and the file if it is in one.
    """

    name: str
    coils: int
    scan: Callable[[], Scan]
