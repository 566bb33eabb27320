"""Calling users' code: it gets copies of tensors, torch's settings are restored, and errors become one line."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from copy import copy
from traceback import walk_tb
from typing import Any

import torch
from torch import Tensor

from smug.system.python_file import file_of, home_of, importing_beside, place_of, settings_kept

OURS = __name__.partition(".")[0]


class UsersError(ValueError):
    """An error of a user's code, told in one line: whose, where, and what."""


def is_ours(f: object) -> bool:
    """Tell whether a function, or the class of an object, is one of this library."""
    return home_of(f).partition(".")[0] == OURS


def copied(value: Any) -> Any:
    """Return a tensor, an operator or a record of tensors, of the same values in memory of its own.

    Gradients flow through, and are copied as well. What is no tensor and has none stays as it is.
    """
    if isinstance(value, Tensor):
        own = value.clone()
        if own.requires_grad:
            own.register_hook(_copied_gradient)  # type: ignore[no-untyped-call]
        return own
    if not any(isinstance(part, Tensor) for part in getattr(value, "__dict__", {}).values()):
        return value
    own = copy(value)
    own.__dict__.update({name: copied(part) for name, part in vars(value).items()})
    return own


def _copied_gradient(gradient: Tensor | None) -> Tensor | None:
    return None if gradient is None else gradient.clone()


def accepts(f: Callable[..., Any], count: int, *names: str) -> bool:
    """Tell whether a function can be called with so many arguments and these names; True where it does not say."""
    try:
        inspect.signature(getattr(f, "forward", f)).bind(*[None] * count, **dict.fromkeys(names))
    except TypeError:
        return False
    except ValueError:  # a builtin, which does not tell
        return True
    return True


def signature_of(f: Callable[..., Any]) -> str:
    """Return a function's name and arguments for messages."""
    return f"{name_of(f)}{inspect.signature(getattr(f, 'forward', f))}"


@contextmanager
def users_code(f: Callable[..., Any]) -> Iterator[None]:
    """Run a user's code: its imports, torch's settings kept, and its errors as a ValueError that tells where."""
    file = file_of(f)
    try:
        with settings_kept(), nullcontext() if file is None else importing_beside(file):
            yield
    except (MemoryError, torch.OutOfMemoryError, UsersError):
        raise
    except (Exception, SystemExit) as error:
        if file is None and isinstance(error, ValueError) and _raised_here(error):
            raise
        raise UsersError(f"{name_of(f)}: {place_of(error, file)}") from error


def _raised_here(error: BaseException) -> bool:
    """Whether an error is one of this library."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__")).partition(".")[0] == OURS


def name_of(f: object) -> str:
    """Return the name of a function, or of an object's class."""
    return str(getattr(f, "__qualname__", type(f).__qualname__))
