from typing import get_args

import pytest

from smug.cli import main
from smug.commands.reproduce import Name
from smug.paper.exhibits import EXHIBITS


def test_every_exhibit_has_a_name_that_is_typed():
    assert get_args(Name) == ("all", *EXHIBITS)


@pytest.mark.parametrize(("exhibit", "other"), [("fig1", "openms"), ("fig8", "siat")])
def test_only_the_image_set_of_the_exhibit_is_asked_for(exhibit, other, tmp_path, capsys):
    assert main(["reproduce", exhibit, "--data-root", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "no such image file or folder" in (error := capsys.readouterr().err) and other not in error
    assert not (tmp_path / "out").exists()
