from typing import get_args

from smug.commands.reproduce import Name
from smug.paper.exhibits import EXHIBITS


def test_every_exhibit_has_a_name_that_is_typed():
    assert get_args(Name) == ("all", *EXHIBITS)
