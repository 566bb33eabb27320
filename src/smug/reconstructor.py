"""What a reconstructor is: any callable from measurements to images, and the properties it may declare."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, Self, TypeVar, cast, runtime_checkable

import torch
from torch import Tensor, nn

from smug.physics.operator import Operator
from smug.system.user_code import UsersError, accepts, copied, is_ours, name_of, signature_of, users_code
from smug.training_range import TrainingRange

CONTRACT = "f(y, A, generator=None): k-space (batch, coil, y, x) and a smug.Sense to images (batch, y, x)"

Reconstructor = Callable[..., Tensor]
"""``f(y, A, generator=None) -> image``: k-space ``(batch, coil, y, x)`` and a Sense to complex ``(batch, y, x)``.

``generator`` seeds its own randomness, one seed per image; a deterministic one ignores it. An image without phase, a
magnitude, is real ``(batch, y, x)``: it is compared with magnitudes, see :func:`comparable`.
"""

F = TypeVar("F")


@runtime_checkable
class Described(Protocol):
    """A reconstructor with settings and properties. The defaults here are those of a plain function.

    The reconstructors of this library inherit them and know some of them better; a class of yours may do the same. Ask
    any reconstructor by ``described(f)``.
    """

    def __call__(self, y: Tensor, A: Operator, generator: Any = None) -> Tensor:
        """Reconstruct."""
        ...

    def core(self) -> Reconstructor:
        """Return the reconstructor inside all wrappers; itself where it wraps none."""
        return self

    def unscaled(self) -> Reconstructor:
        """Return the reconstructor of normalised measurements: this one without the scale that a wrapper gives it."""
        return self

    def settings(self) -> Mapping[str, Any]:
        """Return the values of all that :meth:`replace` changes, such as steps, lam, denoiser, sigma, num_samples."""
        return {}

    def replace(self, **changes: Any) -> Self:
        """Return the reconstructor with the same weights and other settings.

        Raises ValueError for a name that is no setting of this reconstructor.
        """
        check_settings(self, changes)
        return self

    def to(self, device: torch.device | str) -> Self:
        """Return the reconstructor with its networks on a device; torch moves them in place."""
        return self

    @property
    def denoiser_calls(self) -> float:
        """How often a denoiser is called for one image, once for every sample of a smoothing; NaN if not known."""
        return math.nan

    def training_range(self) -> TrainingRange | None:
        """Return what the weights were trained on; None without weights, or if it is not known."""
        return None


class Configured(Described):
    """A frozen dataclass whose fields are its settings."""

    def settings(self) -> Mapping[str, Any]:
        """Return the fields."""
        return field_values(self)

    def replace(self, **changes: Any) -> Self:
        """Return the reconstructor with other values; raises ValueError for a name that is no field."""
        check_settings(self, changes)
        return cast(Self, replace(cast(Any, self), **changes))


class Wrapper(Described):
    """A frozen dataclass around another ``reconstructor``, whose settings and properties it passes on."""

    reconstructor: Reconstructor

    def core(self) -> Reconstructor:
        """Return the reconstructor inside all wrappers."""
        return described(self.reconstructor).core()

    def unscaled(self) -> Reconstructor:
        """Return the same wrapper around the reconstructor of normalised measurements."""
        return self.around(described(self.reconstructor).unscaled())

    def settings(self) -> Mapping[str, Any]:
        """Return the settings of the reconstructor inside."""
        return described(self.reconstructor).settings()

    def replace(self, **changes: Any) -> Self:
        """Return it with other settings of the reconstructor inside."""
        return self.around(replaced(self.reconstructor, **changes))

    def to(self, device: torch.device | str) -> Self:
        """Return it with the networks of the reconstructor inside on a device."""
        return self.around(moved(self.reconstructor, device))

    @property
    def denoiser_calls(self) -> float:
        """The calls of the reconstructor inside."""
        return described(self.reconstructor).denoiser_calls

    def training_range(self) -> TrainingRange | None:
        """Return the training range of the reconstructor inside."""
        return described(self.reconstructor).training_range()

    def around(self, reconstructor: Reconstructor) -> Self:
        """Return the same wrapper around another reconstructor."""
        return cast(Self, replace(cast(Any, self), reconstructor=reconstructor))


@dataclass(frozen=True, eq=False)
class Plain(Described):
    """A function of which nothing else is known, or a torch module, which can be moved."""

    function: Reconstructor

    def __call__(self, y: Tensor, A: Operator, generator: Any = None) -> Tensor:
        """Reconstruct."""
        return taking_generator(self.function)(y, A, generator=generator)

    def core(self) -> Reconstructor:
        """Return the function."""
        return self.function

    def unscaled(self) -> Reconstructor:
        """Return the function."""
        return self.function

    def to(self, device: torch.device | str) -> Self:
        """Move what can be moved."""
        return replace(self, function=self.function.to(device)) if isinstance(self.function, Movable) else self


@runtime_checkable
class Movable(Protocol):
    """Anything with ``to(device)``, such as torch modules."""

    def to(self, device: torch.device | str) -> Any:
        """Return what has moved to the device."""
        ...


@runtime_checkable
class Fingerprinted(Protocol):
    """A reconstructor or function that has a fingerprint of its own: what tells it from all others."""

    fingerprint: str


def described(f: Reconstructor) -> Described:
    """Return any reconstructor as a :class:`Described`; plain functions are wrapped."""
    return f if isinstance(f, Described) else Plain(f)


def replaced(f: Reconstructor, **changes: Any) -> Reconstructor:
    """Return ``f`` with other settings; raises ValueError for a name that is no setting of it."""
    return described(f).replace(**changes) if changes else f


def moved(f: F, device: torch.device | str) -> F:
    """Return a reconstructor with its networks on a device; one without networks as it is."""
    result: F = f.to(device) if isinstance(f, Movable) else f
    return result


def taking_generator(f: Reconstructor) -> Reconstructor:
    """Return ``f`` as it can be called with a generator, and without harm if it is a user's: see :class:`Guarded`."""
    return f if is_ours(f) and takes_generator(f) else Guarded(f)


@dataclass(frozen=True, eq=False)
class Guarded(Wrapper):
    """A user's reconstructor, which gets copies: whatever it changes in place, or later, is its own.

    Measurements, operator, seeds and result are copied, and so are gradients on their way through it; torch's settings
    are put back. Whatever it raises is a ValueError that tells where, but for a lack of memory.
    """

    reconstructor: Reconstructor

    def __call__(self, y: Tensor, A: Operator, generator: Any = None) -> Tensor:
        """Reconstruct ``(batch, y, x)`` from k-space ``(batch, coil, y, x)``."""
        f = self.reconstructor
        options = {"generator": copied(generator)} if takes_generator(f) else {}
        if not accepts(f, 2, *options):
            raise UsersError(f"{name_of(f)}: expected {CONTRACT}; got {signature_of(f)}{hint(f)}")
        with users_code(f):
            image = f(copied(y), copied(A), **options)
        if not isinstance(image, Tensor):
            raise UsersError(f"{name_of(f)}: expected it to return a torch tensor, got {type(image).__name__}")
        result: Tensor = copied(image)
        return result


def hint(f: Reconstructor) -> str:
    """Return what to do with a torch module that takes one argument, in an error message."""
    one = isinstance(f, nn.Module) and accepts(f, 1)
    return "; a network of images is made one by smug.foreign.image_network(network)" if one else ""


def takes_generator(f: Reconstructor) -> bool:
    """Tell whether a function of ``(y, A)`` has a third argument ``generator`` too."""
    try:
        names = inspect.signature(getattr(f, "forward", f)).parameters.values()
    except (TypeError, ValueError):  # a builtin, which does not tell
        return False
    return any(p.name == "generator" or p.kind is p.VAR_KEYWORD for p in names)


def comparable(reference: Tensor, x: Tensor) -> Tensor:
    """Return a reference image in the kind of the reconstruction x: its magnitude where x is a real magnitude."""
    return reference.abs() if reference.is_complex() and not x.is_complex() else reference


def check_settings(f: Described, changes: Mapping[str, Any]) -> None:
    """Raise ValueError for names that are no settings of a reconstructor."""
    known = f.settings()
    if unknown := changes.keys() - known.keys():
        raise ValueError(f"replace: expected settings among {sorted(known)}, got {sorted(unknown)}")


def field_values(record: Any) -> dict[str, Any]:
    """Return the values of a dataclass by name."""
    return {field.name: getattr(record, field.name) for field in fields(record)}
