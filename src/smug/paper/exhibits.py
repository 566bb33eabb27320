"""All exhibits by name."""

from collections.abc import Mapping

from smug.paper.exhibit import Exhibit
from smug.paper.figure_1 import FIG1
from smug.paper.figure_11 import FIG11
from smug.paper.figure_12 import FIG12
from smug.paper.figures_5_to_7 import FIG5, FIG6, FIG7
from smug.paper.figures_8_9_10_13 import FIG8, FIG9, FIG10, FIG13
from smug.paper.tables import TABLE1, TABLE2

EXHIBITS: Mapping[str, Exhibit] = {
    exhibit.name: exhibit
    for exhibit in (TABLE1, TABLE2, FIG1, FIG5, FIG6, FIG7, FIG8, FIG9, FIG10, FIG11, FIG12, FIG13)
}
"""The tables, and the figures in the order of the paper; ``smug reproduce all`` makes every one."""
