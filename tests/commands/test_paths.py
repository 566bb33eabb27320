"""No path option of any command may name what another one reads or writes, and nothing is lost where it does."""

import shutil
from dataclasses import fields, replace
from pathlib import Path

import pytest

from smug.commands.table import COMMANDS

INPUTS = {"files", "model", "data", "config", "init", "src"}
"""Options that name what is read, of any command; nothing that is written is a Python file, as of --denoiser."""


def base(name):
    """A command with every path option given."""
    cls, weights = COMMANDS[name].load(), "weights.safetensors"
    given = {
        "demo": {"out": Path("report")},
        "info": {"files": (Path("scan.h5"),)},
        "reconstruct": {
            "files": (Path("scan.h5"),),
            "model": ("weights.safetensors",),
            "maps_figure": Path("maps.png"),
        },
        "evaluate": {"model": ("mine.py:f",), "data": "images.h5", "out": Path("report"), "store": Path("rows")},
        "certify": {"model": (weights,), "data": "images.h5", "out": Path("report")},
        "prepare": {"src": Path("source"), "dst": Path("set")},
        "train": {
            "config": "run.toml",
            "init": Path("weights.safetensors"),
            "denoiser": "mine.py:f",
            "out": Path("run"),
        },
        "reproduce": {"exhibit": ("fig8",), "data": Path("data"), "out": Path("reproduced")},
        "models": {},
    }[name]
    return cls(json=Path("results.json"), **given)


def several(name):
    return replace(base(name), files=(Path("scan.h5"), Path("other.h5")), model=("tv", "cg-sense"), maps_figure=None)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("scan.h5", "other.h5", "images.h5", "weights.safetensors", "source/a.h5", "data/brain/a.h5"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)
    Path("mine.py").write_text("def f(y, A, generator=None):\n    return A.H(y)\n")
    Path("run.toml").write_text('preset = "tiny"\n')


MADE = {**{name: lambda name=name: base(name) for name in COMMANDS}, "several": lambda: several("reconstruct")}


@pytest.mark.parametrize("name", MADE)
def test_different_paths_are_fine(name):
    MADE[name]().check()


@pytest.mark.parametrize("name", MADE)
def test_json_is_no_input(name):
    command = MADE[name]()
    inputs = list(command.inputs())
    assert inputs or name in ("demo", "models")
    for given in inputs:
        before = given.path.read_bytes()
        with pytest.raises(ValueError, match=r"^--json .*: is the input "):
            replace(command, json=given.path).check()
        assert given.path.read_bytes() == before


@pytest.mark.parametrize("name", MADE)
def test_json_is_no_other_output(name):
    command = MADE[name]()
    for output in command.outputs():
        if output.option != "--json" and output.path != Path():
            told = "outside --json" if output.folder else "is the output --json"
            with pytest.raises(ValueError, match=told):
                replace(command, json=output.path).check()


def pairs():
    """Commands, and two of their options, of which one at least names an output."""
    for name in COMMANDS:
        options = [f.name for f in fields(COMMANDS[name].load())]
        read = [option for option in options if option in INPUTS]
        written = [option for option in options if option in ("json", "out", "dst", "maps_figure", "store")]
        if name != "reproduce":  # which reads folders below --data, into which it writes nothing
            yield from ((name, output, given) for output in written for given in read if output != "json")


@pytest.mark.parametrize(("name", "output", "given"), list(pairs()))
def test_no_output_is_an_input(name, output, given):
    """What is read lies where something is to be written: the option that names it is given that place."""
    command = base(name)
    option = {"dst": "DST"}.get(output, f"--{output.replace('_', '-')}")
    for place in [each.path for each in command.outputs() if each.option == option and not each.folder]:
        shutil.rmtree(place.parent) if place.parent != Path() and place.parent.exists() else None
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text('preset = "tiny"\n')
        old = getattr(command, given)
        text = f"{place}:f" if str(old).endswith(":f") else str(place)
        value = type(old)([type(old[0])(place)]) if isinstance(old, tuple) else type(old)(text)
        changed = replace(command, **{given: value})
        try:
            with pytest.raises((ValueError, OSError)) as refused:
                changed.check()
            assert str(place) in str(refused.value) or option in str(refused.value)
        finally:
            assert place.read_text() == 'preset = "tiny"\n'
            place.unlink()


def test_both_files_of_bart_are_the_input(write_kspace):
    Path("scan.cfl").write_text("x")
    Path("scan.hdr").write_text("x")
    cls = COMMANDS["reconstruct"].load()
    for given in ("scan.cfl", "scan.hdr"):
        for output in ("scan.cfl", "scan.hdr"):
            with pytest.raises(ValueError, match="is the input FILE"):
                cls(files=(Path(given),), json=Path(output)).check()


def test_a_folder_of_outputs_may_be_that_of_the_inputs_where_nothing_is_overwritten():
    cls = COMMANDS["reconstruct"].load()
    with pytest.raises(ValueError, match=r"^--out source/a\.h5: is the input FILE source/a\.h5"):
        cls(files=(Path("source"),), out=Path("source")).check()
    cls(files=(Path("source/a.h5"),), out=Path("source"), model=("tv", "cg-sense")).check()


def test_a_run_that_goes_on_may_read_its_own_configuration():
    Path("run").mkdir()
    Path("run.toml").rename("run/config.toml")
    cls = COMMANDS["train"].load()
    cls(config="run/config.toml", out=Path("run"), resume=True).check()
    with pytest.raises(ValueError, match="is the input --config"):
        cls(config="run/config.toml", out=Path("run"), json=Path("run/config.toml"), resume=True).check()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (
            "evaluate",
            {"model": ("zero-filled",), "protocol": "clean", "size": 32, "max_slices": 2, "store": Path("rows")},
        ),
        ("certify", {"model": ("zero-filled",), "size": 32, "draws": 5, "levels": (1.0,)}),
        ("train", {"config": "tiny", "max_steps": 1, "set": ("data.size=16", "data.count=1", "data.validation=1")}),
    ],
)
def test_every_file_that_is_written_was_declared(name, options, tmp_path):
    command = COMMANDS[name].load()(out=Path("out"), json=Path("results.json"), **options)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    command.check()
    command.run()
    made = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()} - {
        path.relative_to(tmp_path) for path in before
    }
    declared = list(command.outputs())
    files = {each.path for each in declared if not each.folder}
    folders = {each.path for each in declared if each.folder} - {Path("out")}
    assert {path for path in made - files if not folders & set(path.parents)} == set()
    assert files <= made
