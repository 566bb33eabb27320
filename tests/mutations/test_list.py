"""Every fault of the list can be made: its text stands in the source once, and the tests that must notice are there."""

from pathlib import Path

import pytest

from .run import mutated, named_tests, place, read_list

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutation", read_list(), ids=lambda mutation: mutation.name)
def test_it_can_be_made(mutation):
    path, text = place(mutation, ROOT)
    assert text != mutation.replace
    compile(path.read_text(encoding="utf-8").replace(text, mutation.replace), path, "exec")
    assert named_tests([mutation], ROOT)


def test_a_tree_is_broken_for_the_length_of_a_block_only(tmp_path):
    mutation = read_list()[0]
    (tmp_path / "src").mkdir()
    file = tmp_path / "src" / "any.py"
    file.write_text(mutation.find[0])
    with mutated(mutation, tmp_path):
        assert file.read_text() == mutation.replace
    assert file.read_text() == mutation.find[0]
    file.write_text(2 * mutation.find[0])
    with pytest.raises(ValueError, match=f"{mutation.name}: .* once in src, got 2"), mutated(mutation, tmp_path):
        pass
