"""The Fourier transform at any points of k-space, by finufft (Barnett, Magland and af Klinteberg 2019)."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

EXTRA = "pip install 'smug-mri[nufft]'"
"""What installs finufft."""

PRECISION = {torch.complex64: 1e-6, torch.complex128: 1e-12}
"""The relative error that is asked of finufft; that of single precision comes close to its rounding."""


@dataclass(frozen=True, eq=False)
class Nufft:
    """The transform of images of a ``shape (y, x)`` at ``points``, float64 ``(2, samples)``.

    Points are ``(k_y, k_x)`` in cycles per field of view, 0 is the centre of k-space, and the image is centred at pixel
    ``(Y // 2, X // 2)``. The transform is ``1 / sqrt(Y X) sum_r x_r exp(-2 pi i (k_y r_y / Y + k_x r_x / X))``: on the
    whole Cartesian grid it is the unitary one. It computes on the processor, wherever its arguments are.
    """

    points: NDArray[np.float64]
    shape: tuple[int, int]

    def forward(self, images: Tensor) -> Tensor:
        """Transform complex images ``(n, y, x)`` to samples ``(n, samples)``; differentiable any number of times."""
        result: Tensor = _Forward.apply(images, self)  # type: ignore[no-untyped-call]
        return result

    def adjoint(self, samples: Tensor) -> Tensor:
        """Apply the adjoint to complex samples ``(n, samples)``: images ``(n, y, x)``; differentiable likewise."""
        result: Tensor = _Adjoint.apply(samples, self)  # type: ignore[no-untyped-call]
        return result

    @cached_property
    def eigenvalues(self) -> Tensor:
        """The adjoint of the transform after it, on images that are padded with zeros to twice the size.

        It is a convolution: these are its factors behind ``fftn``, float64 ``(2 y, 2 x)``.
        """
        doubled = Nufft(self.points * 2, (2 * self.shape[0], 2 * self.shape[1]))
        spread = doubled.adjoint(torch.ones(1, self.points.shape[1], dtype=torch.complex128))[0]
        scale = np.sqrt(4 * self.shape[0] * self.shape[1]) / (self.shape[0] * self.shape[1])
        factors: Tensor = torch.fft.fftn(torch.fft.ifftshift(spread)).real * scale
        return factors

    def run(self, kind: int, values: Tensor) -> Tensor:
        """Compute transforms of a kind of finufft, 2 or its adjoint 1, of values ``(n, ...)``, outside of autograd."""
        dtype, given = values.dtype, values.detach().resolve_conj().cpu().numpy()
        real = given.real.dtype
        height, width = self.shape
        ky, kx = (2 * np.pi / size * k for size, k in zip(self.shape, self.points, strict=True))
        plan = library().Plan(
            kind,
            (height, width),
            n_trans=len(given),
            eps=PRECISION[dtype],
            isign=-1 if kind == 2 else 1,
            dtype=str(given.dtype),
            nthreads=torch.get_num_threads(),
        )
        plan.setpts(ky.astype(real), kx.astype(real))
        result = plan.execute(np.ascontiguousarray(given) / real.type(np.sqrt(height * width)))
        return torch.from_numpy(result.reshape(len(given), *result.shape[-1 if kind == 2 else -2 :])).to(values.device)


def library() -> Any:
    """Return finufft; raises ValueError, which says how to install it, where it is missing."""
    try:
        import finufft
    except ImportError as error:
        raise ValueError(f"non-Cartesian MRI: expected finufft to be installed, got {error}: {EXTRA}") from None
    return finufft


class _Forward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, nufft: Nufft) -> Tensor:
        ctx.nufft = nufft
        return nufft.run(2, images)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.nufft.adjoint(gradients[0]), None


class _Adjoint(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, samples: Tensor, nufft: Nufft) -> Tensor:
        ctx.nufft = nufft
        return nufft.run(1, samples)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return ctx.nufft.forward(gradients[0]), None
