"""Arguments of the kind that is annotated: what is of another is refused in one ValueError, with got and expected.

Python lets a caller pass anything, and half an hour later something deep inside fails: a fraction where samples are
counted, a number where seeds are expected. Public functions say what they take in their annotations, which
:func:`check_arguments` holds callers to, and :func:`check_fields` whoever makes a record.
"""

import inspect
import math
import types
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from functools import cache, update_wrapper
from numbers import Integral, Real
from typing import Any, Literal, ParamSpec, TypeVar, Union, cast, get_args, get_origin, get_type_hints

P = ParamSpec("P")
R = TypeVar("R")


def check_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function raise ValueError for arguments that are not of the annotated kind.

    A call with too many arguments, or one missing, is a TypeError that names them all.
    Integers and numbers of numpy are such; True and False are none, and NaN is no number. Annotations of other kinds
    than numbers, text, tensors, records, functions, sequences of these and ``Literal`` are not checked.

    >>> @check_arguments
    ... def doubled(samples: int) -> int:
    ...     return 2 * samples
    >>> doubled(2.5)
    Traceback (most recent call last):
    ValueError: samples: expected an integer, got float 2.5
    """
    signature = inspect.signature(function)

    def check(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        kinds = _kinds(function)
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            names = ", ".join(signature.parameters)
            raise TypeError(f"{function.__qualname__}: {error}: expected ({names})") from None
        for name, value in given.items():
            if name in kinds and signature.parameters[name].kind not in VARIADIC:
                check_kind(name, value, kinds[name])

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        check(args, kwargs)
        return function(*args, **kwargs)

    # in the globals of the function's own module: doctest runs the examples of no others
    own = types.FunctionType(call.__code__, function.__globals__, None, None, call.__closure__)
    return cast(Callable[P, R], update_wrapper(own, function))


VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def check_fields(record: Any, prefix: str = "") -> None:
    """Raise ValueError for a field of a dataclass that is not of the annotated kind; for ``__post_init__``.

    ``prefix`` is what the field's name follows in a configuration, such as "acquisition.".
    """
    owner: Any = type(record)
    for name, kind in _kinds(owner).items():
        check_kind(f"{prefix}{name}", getattr(record, name), kind)


def check_kind(name: str, value: Any, kind: Any) -> None:
    """Raise ValueError unless a value is of an annotated kind."""
    if not _is_of(value, kind):
        raise ValueError(f"{name}: expected {_expected(kind)}, got {shown(value)}")


def check_integer(name: str, value: Any, least: int | None = None) -> None:
    """Raise ValueError unless ``value`` is an integer of at least ``least``: one of numpy's may be, a bool is none."""
    expected = "an integer" if least is None else f"an integer of at least {least}"
    if not _is_of(value, int):
        raise ValueError(f"{name}: expected {expected}, got {shown(value)}")
    if least is not None and value < least:
        raise ValueError(f"{name}: expected {expected}, got {value}")


def check_number(name: str, value: Any, least: float | None = None, *, above: float | None = None) -> None:
    """Raise ValueError unless ``value`` is a finite real number, of at least ``least`` or greater than ``above``."""
    limit = f" >= {least:g}" if least is not None else f" > {above:g}" if above is not None else ""
    if not _is_of(value, float):
        raise ValueError(f"{name}: expected a finite number{limit}, got {shown(value)}")
    if math.isinf(value) or (least is not None and value < least) or (above is not None and value <= above):
        raise ValueError(f"{name}: expected a finite number{limit}, got {value}")


def shown(value: Any) -> str:
    """Return a value's type and, where it is short, the value: "float 2.5", "NoneType None"; of text the text."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{type(value).__name__} {value.dtype} {tuple(value.shape)}"
    text = repr(value)
    if isinstance(value, str) and len(text) <= 40:
        return text
    return f"{type(value).__name__} {text}" if len(text) <= 40 and "\n" not in text else type(value).__name__


@cache
def _kinds(owner: Any) -> Mapping[str, Any]:
    hints = get_type_hints(owner)
    hints.pop("return", None)
    return hints


def _is_of(value: Any, kind: Any) -> bool:
    """Whether a value is of a kind; True for kinds that are not known."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(_is_of(value, alternative) for alternative in arguments)
    if origin is Literal:
        return isinstance(value, str | int) and value in arguments
    if origin is Callable:
        return callable(value)
    if origin in (Sequence, Iterable, tuple):
        return _are_of(value, arguments)
    if kind is int:
        return isinstance(value, Integral) and not isinstance(value, bool)
    if kind is float:
        return isinstance(value, Real) and not isinstance(value, bool) and value == value
    kind = origin or kind
    if not isinstance(kind, type) or kind is object:
        return True
    if getattr(kind, "_is_protocol", False) and not getattr(kind, "_is_runtime_protocol", False):
        return True
    try:
        return isinstance(value, kind)
    except RuntimeError:  # a protocol asks for attributes, and that of a value may fail, as H does of a vector
        return False


def _are_of(values: Any, kinds: tuple[Any, ...]) -> bool:
    """Whether the elements of a sequence are of a kind; those of what can be iterated only once are not looked at."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable) or getattr(values, "shape", None) == ():
        return False
    if not isinstance(values, Sized) or not kinds:
        return True
    several = len(kinds) > 1 and kinds[-1] is not Ellipsis
    if several and len(values) != len(kinds):
        return False
    return all(_is_of(value, kinds[i] if several else kinds[0]) for i, value in enumerate(values))


def _expected(kind: Any) -> str:
    """Say in words what is of a kind."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(_expected, arguments)))
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is Callable:
        return "a function"
    if origin in (Sequence, Iterable, tuple):
        count = "several" if Ellipsis in arguments or origin is not tuple else str(len(arguments))
        return f"{count} values, each {_expected(arguments[0])}" if arguments else "a sequence"
    known = {int: "an integer", float: "a finite number", str: "text", bool: "True or False", types.NoneType: "None"}
    kind = origin or kind
    return known.get(kind, f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}")
