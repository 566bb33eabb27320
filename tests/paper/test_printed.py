import tomllib
from importlib import resources
from pathlib import Path

import pytest

from smug.paper.printed import printed, printed_loss, source
from smug.paper.runs import PAPERS
from smug.paper.table_text import printed_table


def test_every_cell_of_the_papers_tables_is_there_and_nothing_else():
    tables = tomllib.loads((resources.files("smug.paper") / "reference.toml").read_text(encoding="utf-8"))
    assert set(tables) == {"source", "setting", *BLOCKS}
    for part in BLOCKS:
        assert tuple(tables[part]) == PAPERS
        for cells in tables[part].values():
            assert {name: len(values) for name, values in cells.items()} == {"clean": 4, "noise": 4, "pgd": 4}


BLOCKS = ("brain-4x", "knee-4x", "knee-8x")


def test_what_the_paper_does_not_print_is_none():
    assert printed("brain", 8, "modl", "clean") is None
    assert printed("brain", 4, "jitter", "clean") is None
    assert printed("knee", 8.0, "modl", "pgd").psnr == 21.28


@pytest.mark.parametrize(
    ("anatomy", "acceleration", "loss"), [("brain", 4, 0.93), ("knee", 4, 1.15), ("knee", 8, 2.07)]
)
def test_what_noise_costs_modl_in_the_paper(anatomy, acceleration, loss):
    assert printed_loss(anatomy, acceleration) == loss


def test_a_table_that_does_not_exist():
    with pytest.raises(ValueError, match="brain 8x: the paper has no such table"):
        printed_loss("brain", 8)


def test_numbers_are_shown_with_their_source():
    assert "Smoothed Unrolling" in source() and "fastMRI" in source()


@pytest.mark.parametrize(("page", "anatomy", "rates"), [("table1", "brain", [4]), ("table2", "knee", [4, 8])])
def test_the_pages_show_the_papers_tables(page, anatomy, rates):
    text = (Path(__file__).parents[2] / "docs" / "paper" / f"{page}.md").read_text(encoding="utf-8")
    for rate in rates:
        assert printed_table(anatomy, rate).markdown() in text
