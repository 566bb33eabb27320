import os
from pathlib import Path

import pytest

from smug.system.paths import Input, Output, check_paths


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("scan.h5").write_text("scan")
    Path("folder").mkdir()
    Path("linked").symlink_to("folder")
    Path("symbolic.json").symlink_to("scan.h5")
    os.link("scan.h5", "hard.json")
    return tmp_path


SAME = [
    "scan.h5",
    "./scan.h5",
    "folder/../scan.h5",
    "linked/../scan.h5",
    "symbolic.json",
    "hard.json",
    "SCAN.h5",
    "scan.H5",
]


@pytest.mark.parametrize("name", SAME)
def test_no_input_is_overwritten_by_any_name(name, folder):
    for path in (Path(name), folder / name):
        with pytest.raises(ValueError, match=r"^--json .*: is the input FILE scan\.h5; choose another name$"):
            check_paths([Input("FILE", Path("scan.h5"))], [Output("--json", path)])
    assert Path("scan.h5").read_text() == "scan"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("new.h5", "new.h5"),
        ("new.h5", "./folder/../new.h5"),
        ("linked/new.h5", "folder/new.h5"),
        ("new.h5", "NEW.h5"),
        ("cafe\u0301.h5", "caf\u00e9.h5"),
        ("symbolic.json", "hard.json"),
        ("folder/new/a.h5", "linked/new/a.h5"),
    ],
)
def test_no_output_is_overwritten_by_another(one, other):
    with pytest.raises(ValueError, match=r"^--json .*: is the output --out .* too; choose another name$"):
        check_paths([], [Output("--out", Path(one)), Output("--json", Path(other))])


def test_a_link_that_leads_nowhere_is_the_file_that_would_be_made():
    Path("dangling").symlink_to("new.h5")
    with pytest.raises(ValueError, match="is the output"):
        check_paths([], [Output("--out", Path("new.h5")), Output("--json", Path("dangling"))])


def test_a_file_cannot_hold_another_output():
    outputs = [Output("--json", Path("x")), Output("--out", Path("x"), folder=True), Output("--out", Path("x/r.html"))]
    for given in (outputs, outputs[::-1]):
        with pytest.raises(ValueError, match=r"expected a name outside --json x, which is to be a file"):
            check_paths([], given)


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (Output("--json", Path("folder")), "expected the name of a file, got a folder"),
        (Output("--json", Path("linked")), "expected the name of a file, got a folder"),
        (Output("--out", Path("scan.h5"), folder=True), "expected a folder, got a file"),
        (Output("--out", Path("a.jpg"), (".h5", ".png")), "ends in one of .h5, .png"),
        (Output("--json", Path("scan.h5/a.json")), "cannot be written: .*is a file, not a folder"),
        (Output("--json", Path("/proc/a.json")), "cannot be written: No such file"),
        (Output("--json", Path("folder") / ("n" * 300)), "too long"),
    ],
)
def test_what_cannot_be_written_is_refused(output, told, folder):
    before = sorted(folder.rglob("*"))
    with pytest.raises((ValueError, OSError), match=told):
        check_paths([], [output])
    assert sorted(folder.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_protected_folders_and_files(folder):
    Path("folder").chmod(0o500)
    Path("scan.h5").chmod(0o400)
    for name in ("folder/a.json", "folder/new/a.json", "scan.h5"):
        with pytest.raises(OSError, match="cannot be written"):
            check_paths([], [Output("--json", Path(name))])


def test_what_is_allowed_leaves_no_trace(folder):
    before = sorted(folder.rglob("*"))
    check_paths(
        [Input("FILE", Path("scan.h5")), Input("--model", Path("nobody"))],
        [
            Output("--out", Path("new/deep"), folder=True),
            Output("--out", Path("new/deep/report.html")),
            Output("--json", Path("new/deep/rows.json")),
            Output("--figure", Path("A.PNG"), (".png",)),
            Output("--a", Path("/dev/null")),
            Output("--b", Path("/dev/null")),
            Output("--c", Path("/dev/stdout")),
        ],
    )
    assert sorted(folder.rglob("*")) == before
