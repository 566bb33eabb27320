import json

import pytest

from .conftest import run


def test_certify_a_phantom(tmp_path, capsys):
    (tmp_path / "mine.py").write_text("def adjoint(y, A):\n    return A.H(y)\n")
    argv = ("--model", f"{tmp_path}/mine.py:adjoint", "--model", "cg-sense:0.1", "--size", 24, "--draws", 20)
    more = ("--levels", 1, 3, "--out", tmp_path / "out", "--json", tmp_path / "c.json", "--seed", 3)
    assert run("certify", *argv, *more) == 0
    shown = capsys.readouterr().out
    assert "cg-sense:0.1: a reconstruction takes" in shown and "1 slice about 0:0" in shown
    assert "In all about 0:0" in shown
    assert "vacuous: needs 131 draws" in shown
    assert "mine.py:adjoint" in shown
    document = json.loads((tmp_path / "c.json").read_text())
    assert document["schema"] == "smug-certify-1"
    assert document["seeds"] == [3]
    assert len(document["rows"]) == 2 * 2 * 7
    assert (tmp_path / "out" / "certificates.md").is_file()
    assert (tmp_path / "out" / "certificates.png").is_file()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "--model: expected at least one"),
        (("--model", "nobody"), "expected one of modl"),
        (("--model", "zero-filled", "--max-slices", 0), "--max-slices: expected at least 1"),
        (("--model", "zero-filled", "--draws", 0), "draws: expected at least 1"),
        (("--model", "zero-filled", "--noise", 0), "--noise: expected a positive number"),
        (("--model", "zero-filled", "--alpha", 1), "--alpha: expected a number between 0 and 1"),
        (("--model", "zero-filled", "--p", 0), "--p: expected a number between 0 and 1"),
        (("--model", "zero-filled", "--levels", -1), "--levels: expected a positive number"),
        (("--model", "zero-filled", "--data", "/nothing.h5"), "no such image file"),
        (("--model", "zero-filled", "--device", "nowhere"), "--device nowhere"),
    ],
)
def test_mistakes_end_in_one_line_and_status_2(argv, message, mistaken):
    mistaken("certify", *argv, message=message)
