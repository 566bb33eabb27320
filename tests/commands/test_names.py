"""Names come from anywhere: square brackets, colons and control characters are shown as they are, or not at all."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

import smug as library
from smug.commands.progress import progress, training_progress
from smug.system.table import simple_table
from smug.system.terminal import say, show, warn

SOURCES = [*Path(library.__file__).parent.rglob("*.py"), *Path(__file__).parents[2].joinpath("benchmarks").glob("*.py")]

NAMES = ["out [t1].h5", "[red].h5", "a [/x].h5", "[link=x]b.h5", "c:smile:.h5", "[/].h5", "\\[bold].h5", "d]e[.h5"]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_shown_as_they_are(name, capsys):
    say(name)
    warn(name)
    show(simple_table([name], [[name]], title=name))
    out = capsys.readouterr().out
    assert out.count(name) == 5
    assert f"Warning: {name}" in out


@pytest.mark.parametrize("name", NAMES)
def test_progress_shows_names_as_they_are(name, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with progress(name, 3) as advance:
        advance(1)
    with training_progress(name, 3, 0):
        pass
    assert capsys.readouterr().err.count(name) >= 2


@pytest.mark.parametrize("name", NAMES)
def test_reconstruct_with_any_name(name, smug, write_kspace, tmp_path, capsys):
    scan = write_kspace(f"in {name}").relative_to(tmp_path)
    (tmp_path / f"{name}.py").parent.mkdir(exist_ok=True)
    (tmp_path / f"{name}.py").write_text("def f(y, A, generator=None):\n    return A.H(y)\n")
    model = f"{name}.py:f"
    assert smug("reconstruct", scan, "--model", model, "--out", name, "--json", f"{name}.json") == 0
    assert f"{name}: 1 slice by {model}" in capsys.readouterr().out
    assert json.loads((tmp_path / f"{name}.json").read_text())["input"] == scan.name
    assert smug("info", scan, name) == 0
    assert f"{name}: images" in capsys.readouterr().out
    assert smug("reconstruct", f"no {name}") == 2
    assert f"no {name}" in capsys.readouterr().err


def test_a_name_that_is_no_text_is_read_and_written(smug, write_kspace, tmp_path):
    scan = write_kspace("scan.h5")
    odd = os.fsdecode(b"m\xfcller.h5")
    scan.rename(scan.with_name(odd))
    for out in ("a.h5", "a.nii", "a.png"):
        words = ("--model", "zero-filled", "--out", out, "--json", f"{out}.json")
        assert smug("reconstruct", scan.with_name(odd), *words) == 0
        assert (tmp_path / out).exists()
        assert json.loads((tmp_path / f"{out}.json").read_text())["input"] == "m\N{REPLACEMENT CHARACTER}ller.h5"
    assert smug("info", scan.with_name(odd), "--json", "info.json") == 0


@pytest.mark.parametrize(
    "words", [("smug", "reconstruct", "--help"), ("smug", "--help"), ("smug", "--version"), ("benchmarks", "--help")]
)
def test_help_whose_reader_leaves_ends_in_good_order(words):
    reading, writing = os.pipe()
    os.close(reading)
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-m", *words], stdout=writing, stderr=subprocess.PIPE, cwd=root)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_without_a_reader_the_work_goes_on(tmp_path):
    code = (
        "from pathlib import Path\nfrom smug.system.terminal import say, show, warn\n"
        "for _ in range(3):\n    say('x' * 9999)\n    show('y')\n    warn('z')\nPath('made').touch()\n"
    )
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, cwd=tmp_path)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"") and (tmp_path / "made").exists()


def test_evaluate_with_names_in_brackets(smug, tmp_path, capsys):
    (tmp_path / "[red].py").write_text("def f(y, A, generator=None):\n    return A.H(y)\n")
    words = ("--data", "phantom", "--size", 32, "--max-slices", 1, "--protocol", "clean", "--out", "study [/x]")
    assert smug("evaluate", "--model", "[red].py:f", *words) == 0
    out = capsys.readouterr().out
    assert "[red].py:f" in out and "study [/x]" in out


def test_a_terminal_obeys_no_name(capsys):
    say("a\x1b[31mb\x07")
    warn("a\rb\nc")
    assert "\x1b" not in (out := capsys.readouterr().out) and "\x07" not in out and "Warning: a b c" in out


def test_a_name_that_the_encoding_does_not_have(smug, capsys, monkeypatch):
    import io
    import sys

    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stderr", stream)
    assert smug("reconstruct", "σ.h5") == 2
    stream.flush()
    assert rb"\u03c3.h5" in stream.buffer.getvalue()


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_stream_that_was_closed_takes_everything(stream, smug, monkeypatch, capsys):
    import sys

    monkeypatch.setattr(sys, stream, None)
    assert smug("models") == 0
    assert smug("reconstruct", "nothing.h5") == 2
    assert getattr(sys, stream) is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device without space")
@pytest.mark.parametrize("option", ["--version", "--help"])
def test_an_output_without_space(option, smug, monkeypatch, capsys):
    with Path("/dev/full").open("w") as full, pytest.raises(SystemExit) as ended:
        monkeypatch.setattr(sys, "stdout", full)
        smug(option)
    assert ended.value.code == 2
    assert "smug: what is printed could not be written: No space left on device\n" in capsys.readouterr().err


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_nothing_is_printed_but_by_what_reads_no_markup(path):
    """Consoles are made in one place; whatever else rich can print with is not used."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    allowed = {"terminal.py": {"Console"}, "table.py": {"Console"}}.get(path.name, set())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "rich":
            names = {alias.name for alias in node.names} - {"RenderableType"}
            type_only = names == {"Console"} and path.name == "progress.py"
            assert not names & {"Console", "print", "get_console", "inspect"} - allowed or type_only
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "TextColumn":
            fixed = ast.unparse(node) == "TextColumn('{task.fields[left]} left')"  # a duration
            assert fixed or any(k.arg == "markup" and k.value.value is False for k in node.keywords)
        if isinstance(node, ast.Call):
            assert not any(k.arg == "markup" and getattr(k.value, "value", True) is not False for k in node.keywords), (
                "markup is never on"
            )
            assert getattr(node.func, "attr", "") != "from_markup"


@pytest.mark.parametrize("name", ["$x_{", "a $\\frac$ b", "[b]$"])
def test_figures_obey_no_mathematics_in_names(name, smug, tmp_path):
    """Dollar signs in the names of files and models."""
    from smug.data.phantom import head_phantom
    from smug.physics.fourier import fft2c
    from smug.physics.maps import simulated_maps

    images = simulated_maps(4, 48, 48, seed=0) * head_phantom(1, 48)[None, None]
    with h5py.File(tmp_path / f"{name}.h5", "w") as file:
        file["kspace"] = fft2c(images).numpy()
    (tmp_path / f"{name}.py").write_text("def f(y, A, generator=None):\n    return A.H(y)\n")
    words = ("--model", f"{name}.py:f", "--model", "zero-filled", "--out", "out", "--maps-figure", "maps.png")
    assert smug("reconstruct", f"{name}.h5", *words) == 0
    assert (tmp_path / "maps.png").exists() and (tmp_path / "out" / f"{name}-comparison.png").exists()
