import errno
import json
from pathlib import Path

import pytest

from smug.system.files import together, write_atomically, write_json, write_text

from ..properties import assert_refused


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_writes_into_new_folders_and_leaves_one_file(tmp_path):
    write_text(tmp_path / "a" / "b" / "text.txt", "σ\n")
    assert (tmp_path / "a" / "b" / "text.txt").read_bytes() == "σ\n".encode()
    assert names(tmp_path / "a" / "b") == ["text.txt"]


def test_the_temporary_file_lies_beside_the_path_and_keeps_its_suffix(tmp_path):
    seen = []

    def write(path: Path) -> None:
        seen.append(path)
        path.write_text("x")

    write_atomically(tmp_path / "image.png", write)
    assert seen[0].parent == tmp_path
    assert seen[0].suffix == ".png"
    assert seen[0].name != "image.png"


@pytest.mark.parametrize("failure", [ValueError("broken"), KeyboardInterrupt()])
def test_failure_leaves_nothing_and_keeps_the_older_file(tmp_path, failure):
    path = tmp_path / "text.txt"
    path.write_text("older")

    def write(temporary: Path) -> None:
        temporary.write_text("half")
        raise failure

    with pytest.raises(type(failure)):
        write_atomically(path, write)
    assert names(tmp_path) == ["text.txt"]
    assert path.read_text() == "older"


def test_full_disk_names_path_and_reason(tmp_path):
    def write(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device", str(temporary))

    with pytest.raises(OSError, match=r"could not write .*text\.txt: No space left on device") as caught:
        write_atomically(tmp_path / "text.txt", write)
    assert caught.value.errno == errno.ENOSPC
    assert names(tmp_path) == []


def test_a_parent_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    assert_refused(lambda: write_text(tmp_path / "file" / "a.txt", "x"), "could not write ...file/a.txt", error=OSError)


def test_links_and_devices_are_written_through_not_replaced(tmp_path):
    target, link = tmp_path / "target.txt", tmp_path / "link.txt"
    target.write_text("older")
    link.symlink_to(target)
    write_text(link, "newer")
    assert link.is_symlink()
    assert target.read_text() == "newer"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device without space")
def test_device_without_space():
    assert_refused(lambda: write_text(Path("/dev/full"), "x"), "could not write /dev/full", error=OSError)
    assert not Path("/dev/full").is_file()


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd, the files of this process by number")
def test_its_own_output_goes_on_where_it_stands(tmp_path):
    """It may be a file, as in ``smug ... --json /dev/stdout >> log``: opened again it would be emptied."""
    with (tmp_path / "log").open("w") as log:
        for text in ("before", "after"):
            print(text, file=log, flush=True)
            write_text(Path(f"/dev/fd/{log.fileno()}"), f"written {text}\n")
    assert (tmp_path / "log").read_text() == "before\nwritten before\nafter\nwritten after\n"


def test_json_is_strict(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"name": "σ", "value": 1.5, "missing": None})
    assert json.loads(path.read_text(encoding="utf-8")) == {"name": "σ", "value": 1.5, "missing": None}
    assert_refused(lambda: write_json(path, {"value": float("nan")}), "JSON")
    assert names(tmp_path) == ["a.json"]


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_together_nothing_is_there_before_all_is(tmp_path):
    (tmp_path / "b.txt").write_text("older")
    with together():
        write_text(tmp_path / "a.txt", "new")
        write_text(tmp_path / "b.txt", "newer")
        write_text(tmp_path / "deep" / "er" / "c.txt", "new")
        assert not (tmp_path / "a.txt").exists() and (tmp_path / "b.txt").read_text() == "older"
    assert names(tmp_path) == ["a.txt", "b.txt", "deep"]
    assert (tmp_path / "b.txt").read_text() == "newer" and names(tmp_path / "deep" / "er") == ["c.txt"]


@pytest.mark.parametrize("failure", [ValueError("broken"), KeyboardInterrupt(), SystemExit(1)])
def test_together_an_error_between_two_files_leaves_none(tmp_path, failure):
    (tmp_path / "b.txt").write_text("older")

    def run() -> None:
        with together():
            write_text(tmp_path / "new" / "a.txt", "new")
            write_text(tmp_path / "b.txt", "newer")
            raise failure

    with pytest.raises(type(failure)):
        run()
    assert contents(tmp_path) == {"b.txt": "older"}


@pytest.mark.parametrize("failure", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()])
@pytest.mark.parametrize("fails_at", [1, 2, 3])
@pytest.mark.parametrize("links", [True, False])
def test_together_what_took_its_place_is_taken_back(tmp_path, monkeypatch, failure, fails_at, links):
    for name in ("a.txt", "c.txt"):
        (tmp_path / name).write_text("older")
    replace, calls = Path.replace, []

    def failing(file: Path, target: Path) -> Path:
        calls.append(file)
        if len(calls) == fails_at:
            raise failure
        return replace(file, target)

    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    if not links:
        monkeypatch.setattr("os.link", refused)
    monkeypatch.setattr(Path, "replace", failing)

    def run() -> None:
        with together():
            for name in ("a.txt", "b.txt", "c.txt"):
                write_text(tmp_path / name, "new")

    with pytest.raises(type(failure)):
        run()
    assert contents(tmp_path) == {"a.txt": "older", "c.txt": "older"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device without space")
def test_together_a_device_that_refuses_leaves_no_file(tmp_path):
    def run() -> None:
        with together():
            write_text(tmp_path / "a.txt", "new")
            write_text(Path("/dev/full"), "x")

    assert_refused(lambda: run(), "could not write /dev/full: No space left", error=OSError)
    assert names(tmp_path) == []


def test_a_link_to_a_file_is_as_whole_as_the_file(tmp_path):
    (tmp_path / "target.txt").write_text("older")
    (tmp_path / "link.txt").symlink_to(tmp_path / "target.txt")

    def write(temporary: Path) -> None:
        temporary.write_text("half")
        raise ValueError("broken")

    assert_refused(lambda: write_atomically(tmp_path / "link.txt", write), "broken")
    assert contents(tmp_path) == {"link.txt": "older", "target.txt": "older"}
