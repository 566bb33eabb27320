"""All exhibits by name."""

from collections.abc import Mapping

from smug.paper.exhibit import Exhibit
from smug.paper.instabilities import FIG1
from smug.paper.rates import FIG9
from smug.paper.sigma import FIG11
from smug.paper.steps import FIG10
from smug.paper.strength import FIG8, FIG13
from smug.paper.tables import TABLE1, TABLE2
from smug.paper.visual import FIG5, FIG6, FIG7
from smug.paper.weights import FIG12

EXHIBITS: Mapping[str, Exhibit] = {
    exhibit.name: exhibit
    for exhibit in (TABLE1, TABLE2, FIG1, FIG5, FIG6, FIG7, FIG8, FIG9, FIG10, FIG11, FIG12, FIG13)
}
"""The tables, and the figures in the order of the paper; ``smug reproduce all`` makes every one."""
