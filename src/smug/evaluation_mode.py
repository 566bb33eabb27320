"""Networks are used in evaluation mode: layers that are random in training, mix images or remember them are refused."""

import inspect
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import Any

from torch import nn

from smug.reconstructor import Described
from smug.system.python_file import home_of
from smug.system.user_code import OURS

MODAL = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm, nn.RReLU)
"""Layers that do something else in training."""

MODAL_NAMES = re.compile(r"(Feature)?(Alpha)?Dropout(1d|2d|3d)?|(Sync|Lazy)?BatchNorm(1d|2d|3d)?|RReLU")
"""Their names, by which scripted ones go."""


NOT_USERS = {*sys.stdlib_module_names, "numpy", "torch", OURS}
"""Packages whose functions and objects are not looked into."""


def check_mode(f: Any) -> None:
    """Raise ValueError for a network, or a reconstructor of networks, with a layer that is in training mode.

    That is a layer which does something else in it: an image would then be random, or depend on the others of its
    batch, or change the network. Found are the networks of a reconstructor of this library, those that an object has
    as attributes, and those that a function names, also in lists, mappings, and other functions and objects of a user.
    Training itself is not checked.
    """
    for layer in _layers(f):
        if getattr(layer, "training", False) and _is_modal(layer):  # a frozen TorchScript module has no mode
            name = getattr(layer, "original_name", type(layer).__name__)
            raise ValueError(f"network: expected it in evaluation mode, got {name} in training; call .eval()")


def _layers(f: Any) -> Iterator[nn.Module]:
    """Yield the layers of all networks that are found in a network, a reconstructor, or a function of them."""
    seen, found = set[int](), [f]
    while found:
        part = found.pop()
        if id(part) in seen:  # parts may name each other
            continue
        seen.add(id(part))
        if isinstance(part, nn.Module):
            yield from part.modules()
        else:
            found += _parts(part)


def _parts(f: Any) -> list[Any]:
    """Return what may hold networks: the parts of a reconstructor, what a function names, what an object keeps."""
    match f:
        case type() | ModuleType():  # a class of reconstructors would pass for one
            return []
        case MethodType():
            return [f.__self__]
        case partial():
            return [f.func, *f.args, *f.keywords.values()]
        case dict():
            kept = list(f.values())
        case list() | tuple():
            kept = list(f)
        case Described():
            return list(getattr(f, "__dict__", {}).values())
        case FunctionType():
            kept = _named(f)
        case _:
            kept = list(getattr(f, "__dict__", {}).values())
    return [part for part in kept if _may_hold_networks(part)]


def _may_hold_networks(part: Any) -> bool:
    """Whether to look into what was found: into functions and objects only where they are a user's."""
    if isinstance(part, nn.Module | Described | dict | list | tuple | partial | MethodType):
        return True
    return home_of(part).partition(".")[0] not in NOT_USERS


def _named(f: FunctionType) -> list[Any]:
    """Return the values of the variables that a function takes from outside."""
    with suppress(ValueError):  # one has no value yet
        named = inspect.getclosurevars(f)
        return [*named.nonlocals.values(), *named.globals.values()]
    return []


def _is_modal(layer: nn.Module) -> bool:
    """Whether a layer does something else in training: random, of the whole batch, or with a memory of it."""
    if isinstance(layer, MODAL) or MODAL_NAMES.fullmatch(getattr(layer, "original_name", "")):
        return True
    drops = getattr(layer, "dropout", 0)  # recurrent layers and attention
    return bool(getattr(layer, "track_running_stats", False)) or (isinstance(drops, float | int) and drops > 0)
