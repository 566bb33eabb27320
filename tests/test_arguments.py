"""Whoever gives a public function or record an argument of another kind is told what was expected and what was got.

The kinds are the annotations: every parameter of every public function is given wrong values, one at a time.
"""

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator
from types import ModuleType, NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest
import torch
from torch import Tensor

import smug
from smug.data.scan import Scan
from smug.physics.operator import Operator
from smug.physics.sense import Sense
from smug.system.arguments import check_fields, check_kind

A = Sense(mask=torch.ones(1, 8, dtype=torch.bool))
SCAN = Scan(torch.ones(1, 1, 8, 8, dtype=torch.complex64), A, torch.ones(1, 8, 8, dtype=torch.complex64), ("a",))

EXAMPLES = [
    3,
    0.5,
    "text",
    True,
    torch.ones(1, 2),
    A,
    SCAN,
    smug.Threat(0.1),
    len,
    (2, 3),
    ["a"],
    {},
    smug.MoDL(len),
    torch.float32,
    None,
    smug.shifts.FAMILIES["motion"],
]
"""Values of many kinds, of which each parameter finds one that it takes."""

WRONG: dict[Any, list[Any]] = {
    int: [2.5, 2.0, float("nan"), True, "2", [2], None, 1j, np.float64(2), torch.tensor(2)],
    float: [float("nan"), True, "0.5", [0.5], None, 1j, torch.tensor([1.0, 2.0])],
    Tensor: [0.5, 3, "tensor", None, np.ones(2), [1.0]],
    Sense: [torch.ones(1, 8), None, "A"],
    Operator: [torch.ones(1, 8), None, "A"],
    Scan: [(SCAN.y, SCAN.A, SCAN.target), SCAN.y, None],
    smug.Threat: [0.05, "linf", None],
    smug.Smoothing: [0.01, 10],
    torch.Generator: [3, 2.5, "seed", [1, 2]],
    str: [3, None],
}

OWN_CHECKS = {"smug.evaluate", "smug.certify"}
"""What tells more about its arguments than their kind; see test_comparison.py."""

MADE_HERE = [
    "Result$",
    "Solution",
    "Evaluation",
    "Volume",
    "bounds",
    "Diagnosis",
    "Flag",
    "Cost",
    "CoilMaps",
    "Problem",
]
RESULTS = re.compile("|".join((*MADE_HERE, "Described", "Rule", "Method")))
"""Records that the library makes, and protocols."""


def public() -> Iterator[tuple[str, Any]]:
    modules = [(name, getattr(smug, name)) for name in dir(smug)]
    for prefix, module in [("smug", smug), *((f"smug.{n}", m) for n, m in modules if isinstance(m, ModuleType))]:
        own = [n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__ and n[0] != "_"]
        names = getattr(module, "__all__", own)
        for name in sorted(names):
            value = getattr(module, name)
            if getattr(value, "__module__", "").startswith("smug.") and not isinstance(value, ModuleType):
                yield f"{prefix}.{name}", value


FUNCTIONS = {name: value for name, value in public() if inspect.isfunction(value) and name not in OWN_CHECKS}
RECORDS = {
    name: value
    for name, value in public()
    if inspect.isclass(value) and dataclasses.is_dataclass(value) and not RESULTS.search(name)
}
NETWORKS = [smug.DIDN, smug.UNet, smug.Nonexpansive, smug.WeightEncoder]


def is_of(value: Any, kind: Any) -> bool:
    try:
        check_kind("value", value, kind)
    except ValueError:
        return False
    return True


def example(kind: Any) -> Any:
    for value in EXAMPLES:
        if is_of(value, kind):
            return value
    return get_args(kind)[0] if get_origin(kind) is Literal else kind()


def wrong_values(kind: Any) -> list[Any]:
    """Of all the wrong values, those that this kind does not take either."""
    kinds = [each for each in WRONG if is_of_kind(each, kind)]
    return [value for each in kinds for value in WRONG[each] if not is_of(value, kind)]


def is_of_kind(kind: Any, annotation: Any) -> bool:
    return annotation is kind or kind in getattr(annotation, "__args__", ())


def cases(call: Callable[..., Any]) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    hints = get_type_hints(call)
    parameters = inspect.signature(call).parameters.values()
    kinds = {p.name: hints[p.name] for p in parameters if p.name in hints and p.kind is not p.VAR_KEYWORD}
    for name, kind in kinds.items():
        good = {other: example(k) for other, k in kinds.items() if other != name}
        for value in wrong_values(kind):
            yield name, value, good


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_refuse_every_argument_of_another_kind(name):
    function, told = FUNCTIONS[name], inspect.signature(FUNCTIONS[name])
    for argument, value, good in cases(function):
        with pytest.raises(ValueError, match=rf"^{argument}: expected (.|\n)*, got "):
            function(**{argument: value, **good})
    assert told == inspect.signature(inspect.unwrap(function))
    assert function.__module__ == inspect.unwrap(function).__module__


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_checks_the_kinds(name):
    assert FUNCTIONS[name].__code__.co_name == "call"  # of the decorator


@pytest.mark.parametrize("name", RECORDS)
def test_records_refuse_every_field_of_another_kind(name):
    record = RECORDS[name]
    hints = get_type_hints(record)
    made = {
        "smug.attacks.Attempt": smug.attacks.Attempt("name", len),
        "smug.Scan": SCAN,
        "smug.attacks.Threat": smug.Threat(0.1),
        "smug.Threat": smug.Threat(0.1),
    }
    needed = {
        f.name: example(hints[f.name])
        for f in dataclasses.fields(record)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    base = made.get(name) or record(**needed)
    for field in dataclasses.fields(record):
        for value in wrong_values(hints[field.name]):
            with pytest.raises(ValueError, match=rf"{field.name}: expected (.|\n)*got "):
                dataclasses.replace(base, **{field.name: value})


@pytest.mark.parametrize("name", ["data", "network", "optimizer", "perturbation", "compute", "smoothing"])
def test_a_configuration_refuses_every_field_of_another_kind(name):
    part = getattr(smug.training.Config(), name)
    for field, kind in get_type_hints(type(part)).items():
        for value in wrong_values(kind):
            with pytest.raises(ValueError, match=rf"{field}: expected (.|\n)*got "):
                dataclasses.replace(part, **{field: value})


@pytest.mark.parametrize("network", NETWORKS)
def test_networks_refuse_fractions(network):
    for argument, value, _ in cases(network.__init__):
        with pytest.raises(ValueError, match=f"^{argument}: expected .* got "):
            network(**{argument: value})


def test_numbers_of_numpy_and_integers_for_numbers_are_good():
    smoothing = smug.Smoothing(sigma=np.float32(0.01), num_samples=np.int64(2), seed=np.int32(1), chunk=np.uint8(1))
    assert smug.SMUG(len, smoothing, steps=np.int16(2), lam=1).steps == 2
    smug.masks.random_lines(np.int64(16), np.float32(4), 0, seed=np.uint64(2**63))
    smug.head_phantom(np.int64(1), (np.int64(16), 16), noise=0)
    smug.Threat(np.float64(0.1)), smug.Threat(1)
    smug.simulate(SCAN.truth, seeds=np.array([3]), names=("a",))


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (int | None, [1, None], [1.0, "1"]),
        (tuple[int, int], [(1, 2), [1, 2]], [(1, 2, 3), (1.5, 2), 3, "12"]),
        (tuple[float, ...], [(), (1, 2.5)], [("a",), 0.5]),
        (NoneType, [None], [0]),
        (Callable[..., Any], [len, SCAN.A], [3, "len"]),
        (Any, [3, None], []),
    ],
)
def test_kinds(kind, good, bad):
    assert all(is_of(value, kind) for value in good)
    assert not any(is_of(value, kind) for value in bad)


def test_a_prefix_names_the_place_in_a_configuration():
    with pytest.raises(ValueError, match=r"^acquisition\.coils: expected an integer, got float 2\.5$"):
        smug.Acquisition(coils=2.5)
    with pytest.raises(ValueError, match=r"^smoothing\.seed: expected an integer"):
        bad = smug.Smoothing()
        object.__setattr__(bad, "seed", "x")
        check_fields(bad, "smoothing.")


def test_a_call_with_too_many_arguments_names_those_that_there_are():
    with pytest.raises(TypeError, match=r"^pgd: too many positional arguments: expected \(f, scan, threat, "):
        smug.attacks.pgd(None, None, None, None, None)
    with pytest.raises(TypeError, match=r"^head_phantom: missing a required argument: 'seed': expected \(seed, size"):
        smug.head_phantom()
