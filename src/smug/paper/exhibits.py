"""All exhibits by name."""

from collections.abc import Mapping

from smug.paper.exhibit import Exhibit
from smug.paper.tables import TABLE1, TABLE2

EXHIBITS: Mapping[str, Exhibit] = {exhibit.name: exhibit for exhibit in (TABLE1, TABLE2)}
"""In the order of the paper; ``smug reproduce all`` makes every one."""
