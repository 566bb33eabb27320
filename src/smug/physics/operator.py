"""Linear measurements: an operator is ``A(x)`` and its adjoint ``A.H(y)``; everything else has a default."""

from collections.abc import Callable, Sequence
from copy import copy
from functools import cache, cached_property
from typing import Any, Protocol, Self, cast, runtime_checkable

import torch
from torch import Tensor

from smug.physics.parts import image_norm, of_precision, parts, squared
from smug.system.arguments import check_arguments, check_kind, shown

NORM_ITERATIONS, NORM_MARGIN = 40, 1.05
"""Power iterations for the norm of an operator, and what their result is multiplied by: they approach it from below."""

PEAK_OVER_RMS = 1.5
"""Typical ratio of an image's largest magnitude to the energy-weighted mean of its magnitude."""


@runtime_checkable
class Operator(Protocol):
    """What is demanded of an operator. :class:`LinearOperator` lists what it may know better than by default."""

    def __call__(self, image: Tensor, /) -> Tensor:
        """Measure images ``(batch, y, x)``: real or complex ``(batch, ...)``."""
        ...

    def H(self, y: Tensor, /) -> Tensor:
        """Apply the adjoint: measurements ``(batch, ...)`` to images ``(batch, y, x)``."""
        ...


class LinearOperator:
    """Linear measurements of images: write ``__call__`` and ``H``, and of the rest what the defaults do not serve.

    Images are ``(batch, y, x)``, measurements ``(batch, ...)`` with any axes after the first, both real or complex.
    The adjoint is that of ``Re <A x, y> = Re <x, A^H y>``, and both are made of operations that torch can
    differentiate. By default an operator serves any number of images, every entry that it returns is measured, and
    nothing is known about its singular values.

    >>> class Doubled(LinearOperator):
    ...     def __call__(self, image):
    ...         return 2 * image
    ...     def H(self, y):
    ...         return 2 * y
    >>> Doubled().gram(torch.ones(1, 1, 2))
    tensor([[[4., 4.]]])
    """

    def __call__(self, image: Tensor) -> Tensor:
        """Measure images ``(batch, y, x)``."""
        raise NotImplementedError(f"{type(self).__name__}: expected a method __call__(image)")

    def H(self, y: Tensor) -> Tensor:
        """Apply the adjoint to measurements; entries that are not measured count as zero."""
        raise NotImplementedError(f"{type(self).__name__}: expected a method H(y), the adjoint")

    def gram(self, image: Tensor) -> Tensor:
        """Apply ``A^H A`` to images ``(..., batch, y, x)``."""
        if image.ndim > 3:
            return torch.stack([self.gram(x) for x in image])
        return self.H(self(image))

    @cached_property  # not property, here and below: a class may also set it in its __init__
    def batch(self) -> int:
        """The number of images that the operator is made for; 1 serves any number."""
        return 1

    @cached_property
    def sampled(self) -> Tensor:
        """Which entries are measured, bool, ready to broadcast against measurements: all of them."""
        return torch.ones((), dtype=torch.bool)

    @cached_property
    def image_size(self) -> tuple[int, int] | None:
        """Height and width of the images, None where the operator does not know."""
        return None

    @property
    def differentiated(self) -> tuple[Tensor, ...]:
        """The operator's own tensors that gradients are wanted of: those of its attributes that require them."""
        return tuple(vars(self)[name] for name in self._wanted())

    def gram_of(self, tensors: Sequence[Tensor], image: Tensor) -> Tensor:
        """Apply ``A^H A`` with these tensors in the place of :attr:`differentiated`, in differentiable operations."""
        return self._with(dict(zip(self._wanted(), tensors, strict=True))).gram(image)

    def gram_gradients(self, tensors: Sequence[Tensor], w: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        """Return the gradients of ``Re <w, A^H A x>`` with respect to these tensors, as :meth:`gram_of` takes them.

        They can be differentiated themselves where gradients are enabled.
        """
        again = torch.is_grad_enabled()
        with torch.enable_grad():  # copies: what w and x owe to the tensors is not asked
            own = [t.clone() if again and t.requires_grad else t.detach().requires_grad_() for t in tensors]
            product = (parts(w) * parts(self.gram_of(own, x))).sum()
            return torch.autograd.grad(product, own, create_graph=again, materialize_grads=True) if own else ()

    def norm_bound(self, image: Tensor) -> float | Tensor:
        """Return what ``||A||`` on images like these does not exceed, a number or real ``(1 or batch, 1, 1)``.

        It is the result of a power iteration and a margin of 5 %, for step sizes; it proves nothing.
        """
        start = torch.Generator().manual_seed(0)
        with torch.no_grad():
            v = torch.randn(image.shape[-2:], dtype=image.dtype, generator=start).to(image.device)
            v, size = v.expand(self.batch, -1, -1), torch.ones(())
            for _ in range(NORM_ITERATIONS):
                v = self.gram(v / size)
                size = image_norm(v)[..., None, None].clamp_min(torch.finfo(v.dtype).tiny)
        return NORM_MARGIN * size.sqrt()

    def singular_intervals(self) -> tuple[Tensor, Tensor, bool]:
        """Return intervals that are proved to hold every singular value, and whether they are exact.

        The ends are float64 ``(n,)``. Nothing is known: they lie between 0 and infinity.
        """
        ends = torch.tensor([0.0, torch.inf], dtype=torch.float64)
        return ends[:1], ends[1:], False

    def scale(self, y: Tensor) -> Tensor:
        """Return about the largest magnitude of the image, from its measurements alone; real ``(batch, 1, 1)``.

        It is the energy-weighted root mean square of the image ``c A^H y`` whose measurements are nearest to y, times a
        constant: differentiable, and homogeneous of degree 1. Raises ValueError for measurements without signal.
        """
        image = self.H(y)
        energy, measured = squared(image), squared(self(image)).flatten(1).sum(1)[:, None, None]
        total = energy.sum((-2, -1), keepdim=True)
        if not bool((measured.detach() > 0).all()):
            raise ValueError("scale: expected measurements with signal, got some of which the adjoint is zero")
        rms = (energy / total * energy).sum((-2, -1), keepdim=True).sqrt()
        return PEAK_OVER_RMS * rms * (total / measured)

    def blank(self, y: Tensor) -> Tensor:
        """Return the image of zeros ``(batch, y, x)`` that has shape, dtype and device of ``A.H(y)``."""
        with torch.no_grad():
            return torch.zeros_like(self.H(y))

    def support(self, y: Tensor) -> Tensor:
        """Return which entries of y are measured, bool with its shape."""
        return self.sampled.to(y.device).expand(y.shape)

    def check_image(self, image: Tensor) -> None:
        """Raise ValueError for what are no images ``(..., batch, y, x)``."""
        check_kind("image", image, Tensor)
        if image.ndim < 3 or not (image.is_floating_point() or image.is_complex()):
            raise ValueError(
                f"image: expected real or complex (..., batch, y, x), got {image.dtype} {tuple(image.shape)}"
            )

    def check_measurements(self, y: Tensor) -> None:
        """Raise ValueError for what are no measurements ``(batch, ...)``."""
        if y.ndim < 2 or 0 in y.shape or not (y.is_floating_point() or y.is_complex()):
            raise ValueError(
                f"y: expected real or complex measurements (batch, ...), got {y.dtype} {tuple(y.shape)}; "
                "those of a single image need a batch axis: y[None]"
            )
        if self.batch not in (1, y.shape[0]):
            raise ValueError(f"y: expected measurements of {self.batch} images for {self}, got {y.shape[0]}")

    @property
    def cartesian_mask(self) -> Tensor | None:
        """The sampling mask of Cartesian MRI, None for other measurements."""
        return None

    @cached_property
    def fingerprint(self) -> tuple[Tensor, ...] | None:
        """The tensors that tell the operator from all others; None for code that may change unseen."""
        return None

    def to(self, target: torch.device | str | torch.dtype) -> Self:
        """Return the operator with its tensors, among its attributes, on a device or in the precision of a dtype."""

        def moved(tensor: Tensor) -> Tensor:
            return of_precision(tensor, target) if isinstance(target, torch.dtype) else tensor.to(target)

        tensors = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        return self._with({name: moved(tensor) for name, tensor in tensors.items()})

    def __getitem__(self, index: int | slice | Tensor) -> Self:
        """Return the operator of some images of the batch; one that serves any number serves these."""
        if self.batch > 1:
            raise ValueError(f"{self}: is made for {self.batch} images, expected a method __getitem__ for some of them")
        return self

    __iter__ = None  # an operator serves any number of images, so that iteration would not end

    def __repr__(self) -> str:
        """Tell the class."""
        return type(self).__name__

    def _wanted(self) -> list[str]:
        return [name for name, value in vars(self).items() if isinstance(value, Tensor) and value.requires_grad]

    def _with(self, tensors: dict[str, Tensor]) -> Self:
        own = copy(self)
        for name in vars(self).keys() - vars(LinearOperator).keys():
            if isinstance(getattr(type(self), name, None), cached_property):  # it was computed from other tensors
                del own.__dict__[name]
        own.__dict__.update(tensors)
        return own


class Functions(LinearOperator):
    """An operator of two functions."""

    def __init__(self, forward: Callable[[Tensor], Tensor], adjoint: Callable[[Tensor], Tensor]) -> None:
        self.forward, self.adjoint = forward, adjoint

    def __call__(self, image: Tensor) -> Tensor:
        """Measure images."""
        return self.forward(image)

    def H(self, y: Tensor) -> Tensor:
        """Apply the adjoint."""
        return self.adjoint(y)


@check_arguments
def operator(
    A: Operator | Callable[[Tensor], Tensor], adjoint: Callable[[Tensor], Tensor] | None = None
) -> LinearOperator:
    """Return an operator with all methods of :class:`LinearOperator`: its own, and the defaults of those it lacks.

    ``A`` is an object with ``A(x)`` and ``A.H(y)``, or a function of images beside which ``adjoint`` is one of
    measurements. Whatever takes an operator calls this. Raises ValueError for what is none.

    >>> operator(lambda x: 2 * x, lambda y: 2 * y).gram(torch.ones(1, 1, 2))
    tensor([[[4., 4.]]])
    """
    if isinstance(A, LinearOperator) and adjoint is None:
        return A
    if callable(A) and callable(adjoint):
        return Functions(A, adjoint)
    if isinstance(A, type) or not callable(A) or not callable(getattr(A, "H", None)) or adjoint is not None:
        raise ValueError(
            "A: expected an operator, A(x) and its adjoint A.H(y), or two functions smug.operator(forward, adjoint), "
            f"got {shown(A)}"
        )
    try:
        own = copy(A)
        kind: Any = type(A)
        own.__class__ = _completed(kind)
    except TypeError as error:
        raise ValueError(f"A: expected {type(A).__name__} to inherit from smug.LinearOperator: {error}") from error
    return cast(LinearOperator, own)


@cache
def _completed(kind: type[Any]) -> type[Any]:
    """Return a class that has the methods of another and, where it has none, the defaults."""
    return type(kind.__name__, (kind, LinearOperator), {"__module__": kind.__module__})


def check_measurements(y: Tensor, A: Operator) -> LinearOperator:
    """Return the operator with all its methods; raises ValueError unless it may have measured ``y (batch, ...)``.

    Every reconstructor begins with it: broadcasting would make images of what does not belong together.
    """
    check_kind("y", y, Tensor)
    complete = operator(A)
    complete.check_measurements(y)
    return complete
