"""How results show themselves: in print, in a terminal and in a notebook by their table."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from smug.reports.description import comparison_title
from smug.system.table import Table

if TYPE_CHECKING:
    from rich.console import RenderableType


class Shown(ABC):
    """A result with a table and a document."""

    if TYPE_CHECKING:

        @property
        def document(self) -> Mapping[str, Any]:
            """All of it as plain values."""
            ...

    @abstractmethod
    def table(self, title: str = "") -> Table:
        """Return the table."""

    @property
    def title(self) -> str:
        """Which models were compared, and on what."""
        return comparison_title(self.document)

    def __str__(self) -> str:
        """Return the table as plain text."""
        return str(self.table())

    def __rich__(self) -> "RenderableType":
        """Return what ``rich.print`` shows in a terminal."""
        return self.table().__rich__()

    def _repr_html_(self) -> str:
        """Show the table in a notebook."""
        return self.table().html()
