"""Sequences whose items are read when they are needed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar, overload

T = TypeVar("T", covariant=True)


@dataclass(frozen=True)
class Slices(Sequence[T], Generic[T]):
    """A sequence of ``length`` items, each read anew by ``read(index)``; nothing is kept.

    Where ``read`` can be pickled (a function of a module, or a ``functools.partial`` of one), so can the sequence, and
    worker processes read their own items. A part of it is such a sequence again. Raises IndexError beyond its ends.

    >>> squares = Slices(4, lambda index: index**2)
    >>> squares[-1], list(squares[1:3])
    (9, [1, 4])
    """

    length: int
    read: Callable[[int], T]

    def __len__(self) -> int:
        """Return the number of items."""
        return self.length

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> "Slices[T]": ...
    def __getitem__(self, index: int | slice) -> "T | Slices[T]":
        """Read an item."""
        if isinstance(index, slice):
            rows = range(self.length)[index]
            return Slices(len(rows), partial(_read_row, self.read, rows))
        if not -self.length <= index < self.length:
            raise IndexError(f"got slice {index} of {self.length}")
        return self.read(index % self.length)


def spread(count: int, most: int) -> list[int]:
    """Return the numbers of at most ``most`` items of ``count``, evenly spread."""
    shown = min(count, most)
    return [int((i + 0.5) * count / shown) for i in range(shown)]


def remembered(items: Sequence[T]) -> Slices[T]:
    """Return the items as a sequence that keeps the last that was read: it is often read again."""
    last: dict[int, T] = {}

    def read(index: int) -> T:
        if index not in last:
            last.clear()
            last[index] = items[index]
        return last[index]

    return Slices(len(items), read)


def _read_row(read: Callable[[int], T], rows: range, index: int) -> T:
    return read(rows[index])
