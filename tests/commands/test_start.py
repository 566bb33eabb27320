"""Help, the version and mistyped commands come at once, from a fresh process."""

import inspect
import json
import re
import resource
import subprocess
import sys

import pytest

from smug.commands.table import COMMANDS
from smug.version import __version__

HEAVY = {"torch", "numpy", "scipy", "h5py", "matplotlib", "nibabel", "PIL"}

QUICK = [
    (["--help"], 0),
    (["--version"], 0),
    (["reconstuct"], 2),
    (["bench", "memory", "--json", "m.json"], 2),
    ([], 2),
    *(([name, "--help"], 0) for name in COMMANDS),
    (["train", "--max-step", "3"], 2),
]

SCRIPT = """
import json, sys
from smug.cli import main
try:
    status = main(sys.argv[1:])
except SystemExit as ended:
    status = ended.code
print(json.dumps([status, sorted(sys.modules)]))
"""


@pytest.mark.parametrize(("words", "status"), QUICK, ids=[" ".join(words) for words, _ in QUICK])
def test_what_needs_no_computation_loads_nothing_that_computes(words, status):
    done = subprocess.run([sys.executable, "-c", SCRIPT, *words], capture_output=True, text=True, check=True)
    got, modules = json.loads(done.stdout.splitlines()[-1])
    assert (got or 0) == status
    assert not HEAVY & set(modules)
    if status:
        assert len(done.stderr.strip().splitlines()) == 1 and done.stderr.startswith("smug: ")


@pytest.mark.parametrize("words", [["--help"], ["reconstuct"]])
def test_cpu_time(words):
    def seconds():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    def took():
        before = seconds()
        subprocess.run([sys.executable, "-m", "smug", *words], capture_output=True, check=False)
        return seconds() - before

    assert any(took() < 0.7 for _ in range(3))  # other work on the machine may slow one down


def test_the_overview_says_of_each_command_what_its_help_begins_with(smug, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        smug("--help")
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert ended.value.code == 0 and "research use only" in told
    for name, entry in COMMANDS.items():
        assert inspect.getdoc(entry.load()).splitlines()[0] == entry.about
        assert f"• {name} {entry.about}" in told


def test_version(smug, capsys):
    assert smug("--version") == 0
    assert capsys.readouterr().out == f"smug {__version__}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["reconstuct", "x.h5"], "did you mean smug reconstruct?"),
        (["eval"], "did you mean smug evaluate?"),
        (["xyzzy"], "expected one of demo, info"),
        (["bench", "memory", "--json", "m 1.json"], "python -m benchmarks memory --json 'm 1.json'"),
        (["models", "--jsn", "x"], "Unrecognized options: --jsn, x (did you mean --json?)"),
        (["evaluate", "--size", "wide"], "--size: invalid literal for int() with base 10: 'wide'"),
        (["prepare"], "Missing from smug prepare: PATH"),
        (["reproduce", "fig99"], "fig99"),
        ([], "expected a command"),
    ],
)
def test_mistyped_in_one_line(words, told, smug, capsys):
    assert smug(*words) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert re.sub(r"[^a-z']", "", told.lower()) in re.sub(r"[^a-z']", "", err.lower())


def test_an_unexpected_error_is_one_line_and_a_traceback_for_those_who_ask(smug, capsys, monkeypatch):
    def broken(*_):
        raise RuntimeError("broken\nin two lines")

    monkeypatch.setattr("smug.zoo.models", broken)
    assert smug("models") == 2
    told = "smug: unexpected RuntimeError: broken in two lines; SMUG_TRACEBACK=1 shows where\n"
    assert capsys.readouterr().err == told
    monkeypatch.setenv("SMUG_TRACEBACK", "1")
    with pytest.raises(RuntimeError, match="broken"):
        smug("models")
