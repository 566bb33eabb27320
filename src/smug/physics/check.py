"""Whether an operator keeps what all methods rely on: linear, with its adjoint, differentiable, image by image."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from smug.physics.operator import LinearOperator, Operator, operator
from smug.physics.parts import image_norm, parts, per_slice
from smug.system.arguments import check_arguments, check_integer

IMAGES = 3
"""Images that are measured together, and one by one, by an operator that serves any number."""


@dataclass(frozen=True)
class OperatorFacts:
    """What was found of an operator.

    ``measured`` is the shape of one image's measurements, ``numbers`` how many real numbers of them count as measured,
    ``norm`` about ``||A||``, and ``errors`` the relative error of every property, by name.
    """

    measured: tuple[int, ...]
    numbers: int
    norm: float
    errors: dict[str, float]


@check_arguments
def check_operator(
    A: Operator,
    image_size: tuple[int, int],
    dtype: torch.dtype = torch.float32,
    *,
    tolerance: float = 1e-4,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> OperatorFacts:
    """Check an operator on random images of a size ``(y, x)``, real or complex as ``dtype`` says.

    It must be linear; ``A.H`` its adjoint, ``<A x, y> = <x, A^H y>`` in the real inner product, blind to what does not
    count as measured; ``A.gram`` their product; the gradients that torch computes of both the right ones; and an image
    must be measured alone, by ``A[i]``, as in a batch. Raises ValueError, which names the first property that fails by
    more than ``tolerance``, relative to the norms of what is compared.

    >>> check_operator(operator(lambda x: 2 * x, lambda y: 2 * y), (4, 6)).norm
    2.0
    """
    for name, size in zip(("height", "width"), image_size, strict=True):
        check_integer(name, size, 1)
    A = operator(A)
    draw = _drawing(seed, device)
    count = A.batch if A.batch > 1 else IMAGES
    x, other = (draw((count, *image_size), dtype) for _ in range(2))
    kept = x.clone()
    y = _returned("A(x)", A(x), x)
    if not torch.equal(x, kept):
        raise ValueError(f"{A}: expected images to stay as they are, got them changed in place")
    u = draw(y.shape, y.dtype)
    back = _returned("A.H(y)", A.H(u), x)
    if back.shape != x.shape or back.dtype != x.dtype:
        raise ValueError(
            f"A.H: expected images {x.dtype} {tuple(x.shape)} like those that were measured, "
            f"got {back.dtype} {tuple(back.shape)}"
        )
    errors = {}
    for name, error in _errors(A, x, other, y, u, back):
        errors[name] = error
        if not error <= tolerance:
            raise ValueError(f"{A}: expected {name}, got a relative error of {error:.3g}")
    numbers = int(A.support(y)[0].sum()) * parts(y).shape[-1]
    return OperatorFacts(tuple(y.shape[1:]), numbers, _norm_of(A, x), errors)


def _errors(
    A: LinearOperator, x: Tensor, other: Tensor, y: Tensor, u: Tensor, back: Tensor
) -> Iterator[tuple[str, float]]:
    """Yield every property and its relative error."""
    yield "A(2 x + z) = 2 A(x) + A(z)", _distance(A(2 * x + other), 2 * y + A(other))
    alone = torch.cat([A[i](x[i : i + 1]) for i in range(len(x))])
    yield "A[i] to measure an image as A does in a batch", _distance(alone, y)
    alone = torch.cat([A[i].H(u[i : i + 1]) for i in range(len(x))])
    yield "A[i].H to answer as A.H does in a batch", _distance(alone, back)
    yield "A(x) zero where nothing is measured", _distance(y, torch.where(A.support(y), y, 0))
    yield "A.H blind to what is not measured", _distance(back, A.H(torch.where(A.support(u), u, 0)))
    scale = (_size(y) * _size(u) + _size(x) * _size(back)) / 2
    yield "<A x, y> = <x, A.H y>", abs(_dot(y, u) - _dot(x, back)) / max(scale, 1e-30)
    yield "A.gram(x) = A.H(A(x))", _distance(A.gram(x), A.H(y))
    stacked = torch.stack((x, other))
    yield "A.gram of several batches", _distance(A.gram(stacked), torch.stack([A.gram(each) for each in stacked]))
    yield "the gradient of A", _distance(_gradient(A, x, u), back)
    yield "the gradient of A.H", _distance(_gradient(A.H, u, x), y)


def _drawing(seed: int, device: torch.device | str) -> Callable[[tuple[int, ...], torch.dtype], Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return lambda shape, dtype: torch.randn(shape, dtype=dtype, generator=generator).to(device)


def _returned(name: str, value: object, like: Tensor) -> Tensor:
    """Return what an operator returned; raises ValueError for what are no measurements or images of its batch."""
    if not isinstance(value, Tensor) or value.ndim < 2 or len(value) != len(like):
        got = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"{name}: expected a tensor (batch, ...) for a batch of {len(like)}, got {got}")
    return value


def _gradient(function: Callable[[Tensor], Tensor], at: Tensor, of_result: Tensor) -> Tensor:
    """Return the gradient of ``Re <of_result, function(at)>``; zero where the graph is cut."""
    with torch.inference_mode(False), torch.enable_grad():
        at = at.detach().clone().requires_grad_()
        result = function(at)
        if not result.requires_grad:
            return torch.zeros_like(at)
        return torch.autograd.grad(result, at, of_result.clone(), materialize_grads=True)[0]


def _norm_of(A: LinearOperator, x: Tensor, iterations: int = 100) -> float:
    """Return the largest ``||A||`` over the batch by power iteration, which approaches it from below."""
    size = torch.ones(len(x), device=x.device)
    with torch.no_grad():
        for _ in range(iterations):
            x = A.gram(x / per_slice(size.clamp_min(torch.finfo(x.dtype).tiny), x).to(x.real.dtype))
            size = image_norm(x)
    return float(size.max().sqrt())


def _size(values: Tensor) -> float:
    return float(torch.linalg.vector_norm(parts(values.detach()), dtype=torch.float64))


def _dot(a: Tensor, b: Tensor) -> float:
    return float((parts(a.detach()).double() * parts(b.detach()).double()).sum())


def _distance(a: Tensor, b: Tensor) -> float:
    """Return the l2 distance of two tensors, relative to the larger; infinite for other shapes."""
    if a.shape != b.shape:
        return torch.inf
    return _size(a - b) / max(_size(a), _size(b), 1e-30)
