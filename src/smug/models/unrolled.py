"""The unrolling loop of equations (2), (5) and (11)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor

from smug.models.smoothing import ImageMap, Smoothed
from smug.physics.consistency import Solution, solve
from smug.physics.sense import Sense


@dataclass(frozen=True)
class Step:
    """One unrolling step: the image ``x`` that went in, the denoised ``z``, and the solution that came out."""

    x: Tensor
    z: Smoothed
    solution: Solution


def unroll(
    denoise: Callable[[Tensor, int], Smoothed], aliased: Tensor, A: Sense, steps: int, lam: float | Tensor
) -> Iterator[Step]:
    """Iterate equation (2): denoise, then solve ``(A^H A + lam) x = A^H y + lam z``.

    ``denoise(x, n)`` is the (smoothed) denoiser at step n; ``aliased = A^H y``, complex ``(..., batch, y, x)``, is
    also the first x. Yields every :class:`~smug.models.unrolled.Step`; the last one's solution is the reconstruction.
    """
    x = aliased
    for n in range(steps):
        z = denoise(x, n)
        solution = solve(A, aliased + lam * z.value, lam)
        yield Step(x, z, solution)
        x = solution.value


def last(steps: Iterator[Step]) -> Tensor:
    """Return the image after the last step."""
    for step in steps:
        x = step.solution.value  # earlier steps are let go
    return x


def batched(denoiser: ImageMap) -> ImageMap:
    """Let a denoiser of images ``(batch, y, x)`` take any leading axes."""

    def call(x: Tensor) -> Tensor:
        result = denoiser(x.flatten(0, -3))
        return result.reshape(*x.shape[:-2], *result.shape[1:])

    return call
