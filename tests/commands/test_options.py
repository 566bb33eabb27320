"""Numbers out of range and options without effect are refused, for every option of every command."""

import dataclasses
import math
from typing import Annotated, Literal, get_args, get_origin, get_type_hints

import pytest

from smug.commands.common import Command
from smug.commands.numbers import Within, check_numbers, numbers
from smug.commands.table import COMMANDS

LOADED = {name: entry.load() for name, entry in COMMANDS.items()}


def leaves(hint):
    """The plain types that a type is made of."""
    if get_origin(hint) is Literal:
        return set()
    inner = get_args(hint)[:1] if get_origin(hint) is Annotated else get_args(hint)
    return set().union(*map(leaves, inner)) if inner else {hint}


def sample(hint, number):
    """A value of a type that takes numbers."""
    if get_origin(hint) is Annotated:
        return sample(get_args(hint)[0], number)
    if get_origin(hint) is tuple:
        inner = get_args(hint)
        return (number,) if inner[-1] is ... else (number,) * len(inner)
    return number


NUMERIC = [
    pytest.param(command, name, hint, id=f"{command} --{name}")
    for command, cls in LOADED.items()
    for name, hint in get_type_hints(cls, include_extras=True).items()
    if leaves(hint) & {int, float}
]
"""Every option that takes numbers."""


def made(command, **values):
    """A command with some values, without those that have no default otherwise."""
    cls = LOADED[command]
    needed = {f.name: "x" for f in dataclasses.fields(cls) if f.default is f.default_factory is dataclasses.MISSING}
    return cls(**{**needed, **values})


@pytest.mark.parametrize(("command", "name", "hint"), NUMERIC)
def test_every_number_says_what_it_may_be_and_is_checked(command, name, hint):
    (_, within), *_ = numbers(sample(hint, 1), hint)
    wrong = [math.nan, math.inf, -math.inf, -1, within.low - 1]
    wrong += [within.low] if within.inside else []
    wrong += [] if within.high == math.inf else [within.high * 2 + 1]
    for number in wrong:
        told = rf"^--{name.replace('_', '-')}: expected (at least|a positive number|a number between).*, got "
        with pytest.raises(ValueError, match=told):
            check_numbers(made(command, **{name: sample(hint, number)}))


def test_there_are_numbers_to_check():
    assert len(NUMERIC) > 40


def test_numbers_without_a_range_are_a_mistake_of_ours():
    @dataclasses.dataclass(frozen=True)
    class Options:
        count: int = 3

    with pytest.raises(TypeError, match="which numbers are allowed"):
        check_numbers(Options())


@pytest.mark.parametrize(
    ("within", "inside", "outside", "told"),
    [
        (Within(1), [1, 2.5], [0.99, math.inf, math.nan], "at least 1"),
        (Within(0, inside=True), [1e-9], [0, -1, math.inf], "a positive number"),
        (Within(0, 1, inside=True), [0.5], [0, 1], "a number between 0 and 1"),
        (Within(0, 1), [0, 1], [-0.1, 1.1], "at least 0, at most 1"),
    ],
)
def test_ranges(within, inside, outside, told):
    assert all(number in within for number in inside) and not any(number in within for number in outside)
    assert str(within) == told


def test_a_path_called_none_is_not_lost(smug, capsys, tmp_path):
    assert smug("models", "--json", "None") == 2
    assert capsys.readouterr().err == "smug: --json: expected a path, got None; a file of that name is ./None\n"
    assert smug("models", "--json", "./None") == 0
    assert (tmp_path / "None").is_file()


def test_an_option_given_twice_would_lose_the_first(smug, capsys):
    assert smug("models", "--json", "a.json", "--json=b.json") == 2
    assert "--json: expected once, got it 2 times" in capsys.readouterr().err
    for words in (("--model", "tv", "--model", "tv"), ("--model", "tv", "--set", "steps=1", "--set", "steps=2")):
        assert smug("evaluate", *words) == 2
        told = "--model tv" if "--set" not in words else "--set steps"
        assert f"{told}: expected once, got it 2 times" in capsys.readouterr().err


@pytest.fixture
def prepared(tmp_path):
    """What looks like a prepared set."""
    (tmp_path / "set" / "volumes").mkdir(parents=True)
    return "set"


IGNORED = [
    ("reconstruct scan.h5 --center-fraction 0.08", "center-fraction", "--undersample"),
    ("reconstruct scan.h5 --lines random", "lines", "--undersample"),
    ("reconstruct scan.h5 --replicas 0 --noise-sigma 1", "noise-sigma", "--replicas 0"),
    ("reconstruct scan.h5 --replicas 8", "replicas", "no noise scan"),
    ("reconstruct scan.h5 --format h5", "format", "--out says the format"),
    ("reconstruct scan.h5 other.h5 --maps-figure m.png", "maps-figure", "one file"),
    ("evaluate --model tv --protocol clean --epsilon 0.1", "epsilon", "sizes of its own"),
    ("evaluate --model tv --data set --size 128", "size", "prepared set"),
    ("evaluate --model tv --data set --coils 4", "coils", "prepared set"),
    ("evaluate --model tv --data set --noise 0.01", "noise", "prepared set"),
    ("evaluate --model tv --data-root .", "data-root", "not an image set"),
    ("certify --model tv --data set --size 128", "size", "prepared set"),
    ("certify --model tv --data set --coils=4", "coils", "prepared set"),
    ("certify --model tv --data-root .", "data-root", "not an image set"),
    ("prepare . out --size 64", "size", "measured k-space is not resampled"),
    ("prepare . out --coils 4", "coils", "--simulate"),
    ("prepare . out --noise 0.01", "noise", "--simulate"),
    ("prepare . out --simulate --maps espirit", "maps", "simulated"),
    ("train --config tiny --set seed=1 --seed 2", "seed", "--set seed"),
    ("train --config tiny --set method=modl --method smug", "method", "--set method"),
    ("train --config tiny --set optimizer.updates=3 --max-steps 2", "max-steps", "--set optimizer.updates"),
    ("train --config tiny --data-root .", "data-root", "phantom"),
    ("reproduce fig8 --config tiny --data-root .", "data-root", "phantoms"),
    ("reproduce fig8 --config paper --data x --data-root .", "data-root", "--data has"),
]


@pytest.mark.parametrize(("line", "option", "reason"), IGNORED)
def test_what_would_be_ignored_is_refused(line, option, reason, smug, write_kspace, prepared, tmp_path, capsys):
    write_kspace()
    write_kspace("other.h5")
    before = sorted(tmp_path.iterdir())
    assert smug(*line.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"smug: --{option}: would change nothing: ") and reason in error
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("command", LOADED)
def test_options_that_may_be_without_effect_exist(command):
    """Whatever the values, what is named is an option of the command, and by default nothing is refused."""
    command = made(command) if command not in ("reconstruct", "info", "reproduce") else None
    if command is not None:
        assert set(command.without_effect()) <= {field.name for field in dataclasses.fields(command)}


def test_every_command_has_the_common_options():
    assert all(issubclass(cls, Command) for cls in LOADED.values())
