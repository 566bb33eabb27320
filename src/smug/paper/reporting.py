"""How a reproduction reports its progress."""

from collections.abc import Callable

Report = Callable[[str], None]
"""Receives a line about what is being done."""


def silent(line: str) -> None:
    """Report to nobody."""
