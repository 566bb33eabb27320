"""A learned ridge regulariser, R(x) = sum_i sum_p psi_i(|(w_i * x)(p)|), for complex or real images.

After Goujon, Neumayer, Bohra, Ducotterd and Unser (2022: convex; 2023: weakly convex). The magnitude of a response is
taken jointly over real and imaginary part, so that no phase is preferred, and the profiles are smooth everywhere.
"""

import math
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from smug.models.fixed_ridge import FixedRidge
from smug.physics.parts import squared as energy
from smug.system.arguments import check_arguments

SIGMA_0 = 0.02
"""Noise level at which a profile bends at ``exp(a_i)`` times it."""

GRID = 256
"""Frequencies per axis on which the filters' spectra are bounded."""

MODULUS = 0.99
"""Largest weak convexity, so that ``1/2 ||x - y||^2 + R(x)`` stays strongly convex."""


class RidgeRegulariser(nn.Module):
    """``R(x; sigma) = sum_i sum_p psi_i(|(w_i * x)(p)|; sigma)`` with circular, real filters of zero mean.

    With ``s_i = sigma exp(a_i + b_i log(sigma / sigma_0))`` the profile of a filter is
    ``psi_i'(r) = mu_i r / sqrt(1 + (r / s_i)^2)``: quadratic below ``s_i``, linear above. A weakly convex one subtracts
    ``kappa_i mu_i r / sqrt(1 + (r / c_i s_i)^2)`` with ``c_i > 1`` and ``kappa_i c_i < 1``, which lets strong edges
    pass. ``widths`` are the channels between the 5 x 5 convolutions that the filters are composed of. ``sigma`` is the
    noise per real and imaginary part that R is to remove, in units of the image, a number or real ``(batch,)``.
    """

    @check_arguments
    def __init__(
        self, filters: int = 32, widths: tuple[int, ...] = (4, 8), size: int = 5, *, convex: bool = True
    ) -> None:
        super().__init__()
        channels = (1, *widths, filters)
        if min(channels) < 1 or size % 2 == 0 or not 1 < len(channels) * (size - 1) < GRID // 2:
            raise ValueError(
                f"ridge: expected filters and widths of at least 1 and a small odd size, got {channels}, {size}"
            )
        self.kernels = nn.ParameterList(
            nn.Parameter(torch.randn(b, a, size, size) / math.sqrt(a * size**2)) for a, b in pairwise(channels)
        )
        self.log_strength = nn.Parameter(torch.full((filters,), math.log(2 / filters)))
        self.log_scale = nn.Parameter(torch.full((filters,), 0.0))
        self.scale_slope = nn.Parameter(torch.zeros(filters))
        self.relief: nn.Parameter | None = None if convex else nn.Parameter(torch.full((filters,), -1.0))
        self.log_spread: nn.Parameter | None = None if convex else nn.Parameter(torch.full((filters,), 1.0))

    @property
    def convex(self) -> bool:
        """Whether R is convex by construction."""
        return self.relief is None

    def filters(self) -> Tensor:
        """Return the filters, real ``(filter, y, x)``, of zero mean and unit norm."""
        first = self.kernels[0]
        composed = first[:, 0]
        for kernel in list(self.kernels)[1:]:
            reach = kernel.shape[-1] - 1
            padded = functional.pad(composed[None], (reach, reach, reach, reach))
            composed = functional.conv2d(padded, kernel.flip(-1, -2))[0]
        composed = composed - composed.mean((-2, -1), keepdim=True)
        unit: Tensor = composed / torch.linalg.vector_norm(composed, dim=(-2, -1), keepdim=True)
        return unit

    def spectra(self, shape: tuple[int, int]) -> Tensor:
        """Return the transforms of the filters on a matrix, complex ``(filter, y, x)``; larger filters wrap around."""
        w = self.filters()
        height, width = (-(-side // n) * n for side, n in zip(w.shape[-2:], shape, strict=True))
        padded = functional.pad(w, (0, width - w.shape[-1], 0, height - w.shape[-2]))
        wrapped = padded.reshape(len(w), height // shape[0], shape[0], width // shape[1], shape[1]).sum((1, 3))
        result: Tensor = torch.fft.fft2(wrapped)
        return result

    def lipschitz(self) -> Tensor:
        """Return a bound of ``||hess R||`` on any matrix and at any noise level."""
        return self._bound(self.log_strength.exp())

    def weak_convexity(self) -> Tensor:
        """Return a bound rho, such that ``R(x) + rho / 2 ||x||^2`` is convex; 0 for a convex R."""
        return self._bound(self._relief()) if self.relief is not None else torch.zeros(())

    def at(self, shape: tuple[int, ...], sigma: float | Tensor, like: Tensor) -> FixedRidge:
        """Return R on a matrix ``(..., y, x)`` and at noise levels, in the precision and on the device of ``like``."""
        level = torch.as_tensor(sigma, device=like.device, dtype=like.real.dtype).reshape(-1, 1)
        slope = self.scale_slope * torch.log(level / SIGMA_0)
        scale = level * torch.exp(self.log_scale + slope)  # (batch, filter)
        terms = [(self.log_strength.exp(), scale)]
        if self.relief is not None:
            terms.append((-self._relief(), scale * self._spread()))
        shaped = [(mu.to(scale.dtype)[:, None, None], s.to(scale.dtype)[..., None, None]) for mu, s in terms]
        return FixedRidge(self.spectra((shape[-2], shape[-1])).to(like.dtype.to_complex()), tuple(shaped))

    def forward(self, x: Tensor, sigma: float | Tensor = SIGMA_0) -> Tensor:
        """Return R of complex images ``(batch, y, x)``, real ``(batch,)``."""
        return self.at(x.shape, sigma, x).value(x)

    def gradient(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """Return the gradient of R at complex images ``(batch, y, x)``."""
        return self.at(x.shape, sigma, x).gradient(x)

    def _relief(self) -> Tensor:
        """Return the curvature that is taken away, ``kappa_i mu_i``, in all no more than :data:`MODULUS`."""
        relief = self.log_strength.exp() * torch.sigmoid(cast(Tensor, self.relief)) / self._spread()
        return relief * (MODULUS / self._bound(relief)).clamp_max(1)

    def _spread(self) -> Tensor:
        return 1 + cast(Tensor, self.log_spread).exp()

    def _bound(self, strength: Tensor) -> Tensor:
        """Bound ``sup over frequencies of sum_i strength_i |w_i|^2``.

        It is a trigonometric polynomial of the filters' degree: between the points of a grid it exceeds them by no more
        than ``1 / cos(pi degree / GRID)`` per axis (Ehlich and Zeller 1964).
        """
        power = energy(self.spectra((GRID, GRID)))
        degree = self.filters().shape[-1] - 1
        return (strength[:, None, None] * power).sum(0).amax() / math.cos(math.pi * degree / GRID) ** 2
