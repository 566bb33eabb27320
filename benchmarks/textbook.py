"""SMUG as one writes it from the paper: what the speed here is compared with, and an oracle of the tests.

As in much published code, complex numbers are pairs of real ones on a last axis, the system's operator transforms both
axes and shifts, conjugate gradients take the batch for one system, samples are denoised one after another, and autograd
goes through every operation. It shares no arithmetic with the library.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from smug.models.smoothing import ImageMap

Noise = Callable[[int, int], Tensor]
"""The noise of an unrolling step and sample, complex ``(batch, y, x)``."""


def textbook_smug(
    denoiser: ImageMap,
    y: Tensor,
    maps: Tensor,
    mask: Tensor,
    noise: Noise,
    *,
    steps: int = 8,
    samples: int = 10,
    lam: float = 1.0,
) -> Tensor:
    """Reconstruct complex ``(batch, y, x)`` from k-space ``(batch, coil, y, x)`` by equation (5).

    ``maps`` are complex ``(batch, coil, y, x)``, ``mask`` is ``bool (batch, x)``. The denoiser maps complex
    ``(batch, y, x)`` to the same. It equals :class:`smug.SMUG` with the same noise.
    """
    for step in textbook_steps(denoiser, y, maps, mask, noise, steps=steps, samples=samples, lam=lam):
        x = step[1]  # earlier steps are let go
    return x


def textbook_steps(
    denoiser: ImageMap,
    y: Tensor,
    maps: Tensor,
    mask: Tensor,
    noise: Noise,
    *,
    steps: int = 8,
    samples: int = 10,
    lam: float = 1.0,
) -> Iterator[tuple[list[Tensor], Tensor]]:
    """Yield the denoised samples and the image of every step of :func:`textbook_smug`."""
    aliased = torch.view_as_complex(adjoint(torch.view_as_real(y), torch.view_as_real(maps), mask))
    x = aliased
    for n in range(steps):
        denoised = [denoiser(x + noise(n, k)) for k in range(samples)]
        x, _ = textbook_solve(aliased + lam * sum(denoised) / samples, maps, mask, lam)
        yield denoised, x


def textbook_solve(
    b: Tensor, maps: Tensor, mask: Tensor, lam: float, *, tolerance: float = 1e-6, max_iterations: int = 100
) -> tuple[Tensor, int]:
    """Solve ``(A^H A + lam) x = b`` for complex ``b`` of shape ``(..., batch, y, x)``; return x and the iterations."""
    pairs = torch.view_as_real(maps)
    x, iterations = joint_conjugate_gradient(
        lambda p: normal(p, pairs, mask) + lam * p, torch.view_as_real(b), tolerance, max_iterations
    )
    return torch.view_as_complex(x), iterations


def joint_conjugate_gradient(
    apply: Callable[[Tensor], Tensor], b: Tensor, tolerance: float, max_iterations: int
) -> tuple[Tensor, int]:
    """Solve ``apply(x) = b`` for real ``b``, the whole of it as one system; return x and the iterations."""
    x, r, p = torch.zeros_like(b), b, b
    energy = (r * r).sum()
    target = tolerance**2 * energy
    iterations = 0
    while energy > target and iterations < max_iterations:
        q = apply(p)
        step = energy / (p * q).sum()
        x = x + step * p
        r = r - step * q
        previous, energy = energy, (r * r).sum()
        p = r + energy / previous * p
        iterations += 1
    return x, iterations


def normal(x: Tensor, maps: Tensor, mask: Tensor) -> Tensor:
    """Apply ``A^H A`` to images ``(..., y, x, 2)``."""
    return adjoint(_fft2c(_multiply(maps, x.unsqueeze(-4))), maps, mask)


def adjoint(y: Tensor, maps: Tensor, mask: Tensor) -> Tensor:
    """Apply ``A^H`` to k-space ``(..., coil, y, x, 2)``; it masks its input."""
    sampled = mask[:, None, None, :, None]
    return _multiply(_conjugate(maps), _ifft2c(sampled * y)).sum(-4)


def _multiply(a: Tensor, b: Tensor) -> Tensor:
    real = a[..., 0] * b[..., 0] - a[..., 1] * b[..., 1]
    imaginary = a[..., 0] * b[..., 1] + a[..., 1] * b[..., 0]
    return torch.stack((real, imaginary), dim=-1)


def _conjugate(a: Tensor) -> Tensor:
    return torch.stack((a[..., 0], -a[..., 1]), dim=-1)


def _fft2c(x: Tensor) -> Tensor:
    x = torch.fft.ifftshift(x, dim=(-3, -2))
    x = torch.view_as_real(torch.fft.fftn(torch.view_as_complex(x), dim=(-2, -1), norm="ortho"))
    result: Tensor = torch.fft.fftshift(x, dim=(-3, -2))
    return result


def _ifft2c(x: Tensor) -> Tensor:
    x = torch.fft.ifftshift(x, dim=(-3, -2))
    x = torch.view_as_real(torch.fft.ifftn(torch.view_as_complex(x), dim=(-2, -1), norm="ortho"))
    result: Tensor = torch.fft.fftshift(x, dim=(-3, -2))
    return result
