"""A denoiser that never enlarges a difference, by construction: what its unrolled reconstructions are certified with.

Each layer is a gradient step ``x - step grad g(x)``, ``grad g(x) = W^H shrunk(W x)``, of a convex regulariser
``g(x) = sum psi(|W x|)`` of complex filters W. With ``||W|| <= 1``, ``shrunk`` firmly nonexpansive and
``e = x' - x``::

    Re <grad g(x') - grad g(x), e> = Re <shrunk(W x') - shrunk(W x), W e>
        >= ||shrunk(W x') - shrunk(W x)||^2 >= ||grad g(x') - grad g(x)||^2,

so ``grad g`` is firmly nonexpansive, the layer lies in ``Sector(1 - step, 1)``, and the layers in a row lie where
:meth:`smug.models.sector.Sector.then` says. This is true for all weights, so also in training.
(Regularisers of this kind: Goujon et al., A neural-network-based convex regularizer, 2023.)
"""

import math
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional

from smug.models.adapters import as_channels, as_image
from smug.models.sector import Sector
from smug.physics.parts import squared
from smug.system.arguments import check_arguments

GRID = 64
"""Frequencies per axis at which the filters' response is computed."""

ROUNDING = 1e-5
"""What the filters' norm is enlarged by, relatively, so that rounding in single precision cannot lift it above 1."""


class Nonexpansive(nn.Module):
    """``depth`` convex gradient steps on complex images ``(batch, y, x)`` of any size, at least half a filter wide.

    ``channels`` complex filters of ``size`` x ``size`` pixels (odd) per layer; convolutions are circular. ``step`` is
    in (0, 2): each layer lies in ``Sector(1 - step, 1)``, so the network is nonexpansive for any. Multiplying the image
    by a phase multiplies the result by it. Raises ValueError for other values.

    >>> denoiser = Nonexpansive(channels=4, depth=2)
    >>> denoiser.sector.high
    1.0
    >>> denoiser(torch.randn(2, 13, 18, dtype=torch.complex64)).shape
    torch.Size([2, 13, 18])
    """

    @check_arguments
    def __init__(self, channels: int = 32, depth: int = 3, size: int = 5, step: float = 1.0) -> None:
        super().__init__()
        if channels < 1 or depth < 1 or size % 2 == 0 or not 1 < size <= GRID // 2:
            raise ValueError(
                f"nonexpansive: expected channels and depth of at least 1 and an odd size of 3 to {GRID // 2 - 1}, "
                f"got {channels}, {depth} and {size}"
            )
        if not 0 < step < 2:
            raise ValueError(f"nonexpansive: expected a step between 0 and 2, got {step}")
        self.step = step
        self.layers = nn.ModuleList(ShrinkageGradient(channels, size) for _ in range(depth))

    @property
    def sector(self) -> Sector:
        """What is proved of the network, whatever its weights."""
        return reduce(Sector.then, [Sector(1.0 - self.step, 1.0)] * len(self.layers))

    def forward(self, x: Tensor) -> Tensor:
        """Denoise images ``(batch, y, x)``; the network works in the precision of its parameters."""
        parts = as_channels(x).to(next(self.parameters()).dtype)
        for layer in self.layers:
            parts = parts - self.step * layer(parts)
        return as_image(parts.to(x.real.dtype), x)


class ShrinkageGradient(nn.Module):
    """``grad g(x) = W^H shrunk(W x)`` on real and imaginary parts ``(batch, 2, y, x)``: firmly nonexpansive.

    ``shrunk`` acts on the modulus of each filtered pixel. Per filter it is ``sum_j a_j P_j`` with the projections P_j
    onto discs of radius ``t_j`` and ``a_j >= 0``, ``sum_j a_j <= 1``: P_j is the gradient of the convex Huber function
    of the modulus, and convex combinations of firmly nonexpansive maps (0 is one) are firmly nonexpansive.
    """

    def __init__(self, channels: int, size: int, discs: int = 3) -> None:
        super().__init__()
        self.filters = nn.Parameter(torch.randn(channels, 2, size, size))  # parts
        radii = torch.logspace(-3, -1, discs).log()
        self.log_radii = nn.Parameter(radii[:, None, None, None].repeat(1, channels, 1, 1))
        self.shares = nn.Parameter(torch.zeros(discs + 1, channels, 1, 1))  # the last one's map is zero

    def forward(self, parts: Tensor) -> Tensor:
        """Return the gradient at real and imaginary parts ``(batch, 2, y, x)``."""
        weight = as_weight(self.filters_of_norm_one())
        return _convolve(self._shrunk(_convolve(parts, weight)), weight.transpose(0, 1).flip(-2, -1))

    def filters_of_norm_one(self) -> Tensor:
        """Return the complex filters ``(channel, y, x)``, each of mean zero, scaled so that ``||W|| <= 1``."""
        filters = torch.complex(*self.filters.unbind(1))
        filters = filters - filters.mean((-2, -1), keepdim=True)
        return filters / ((1 + ROUNDING) * norm_bound(filters))

    def _shrunk(self, z: Tensor) -> Tensor:
        """Map filtered parts ``(batch, 2 channel, y, x)``, first the real ones, to the same."""
        real, imaginary = z.chunk(2, dim=1)
        energy = real.square() + imaginary.square()
        shares, radii = self.shares.softmax(0), self.log_radii.exp()
        factor = sum(a * t * torch.maximum(energy, t * t).rsqrt() for a, t in zip(shares[:-1], radii, strict=True))
        return z * torch.cat((factor, factor), dim=1)


class ModulusClipped(nn.Module):
    """A denoiser whose pixels are clipped to the modulus ``limit``: then ``||D(x)|| <= limit sqrt(pixels)``.

    That is what Theorem 1 needs; it is a projection, in ``Sector(0, 1)``.
    """

    def __init__(self, denoiser: nn.Module, limit: float) -> None:
        super().__init__()
        if not 0 < limit < math.inf:
            raise ValueError(f"limit: expected a positive number, got {limit}")
        self.denoiser = denoiser
        self.limit = limit

    @property
    def sector(self) -> Sector | None:
        """What is proved of the clipped denoiser; None where nothing is of the denoiser."""
        inner: Sector | None = getattr(self.denoiser, "sector", None)
        return None if inner is None else inner.then(Sector(0.0, 1.0))

    def forward(self, x: Tensor) -> Tensor:
        """Denoise images ``(batch, y, x)`` and clip."""
        z: Tensor = self.denoiser(x)
        energy = squared(z)
        return z * (self.limit * energy.clamp_min(self.limit**2).rsqrt())


def modulus_clipped(denoiser: nn.Module, limit: float = 1.0) -> ModulusClipped:
    """Clip the modulus of what a denoiser returns; normalised images have a modulus of about 1."""
    return ModulusClipped(denoiser, limit)


def spectral_norm(filters: Tensor, height: int, width: int) -> Tensor:
    """Return ``||W||`` of circular convolutions of ``height`` x ``width`` images, exact up to rounding.

    ``filters`` are complex ``(channel, y, x)``; an image gives one image per channel. The discrete Fourier transform
    diagonalises each: ``||W||^2 = max_k p(k)``, ``p = sum_c |w_c|^2`` with the filters' responses ``w_c``.
    """
    return _response(filters, height, width).amax().sqrt()


def norm_bound(filters: Tensor) -> Tensor:
    """Return an upper bound of ``||W||`` for images of every size, from ``GRID`` frequencies per axis.

    p of :func:`spectral_norm` is a trigonometric polynomial of degree d = size - 1 along each axis, and ``p >= 0``.
    If M = max p along an axis, ``|p - M / 2| <= M / 2``, and Riesz's lemma gives
    ``p(k* + t) >= M (1 + cos(d t)) / 2 = M cos(d t / 2)^2`` for ``|t| <= pi / d``. Some frequency of the grid is within
    ``t = pi / GRID`` of ``k*``: its p is at least ``M cos(pi d / (2 GRID))^2``.
    """
    closeness = math.prod(math.cos(math.pi * (size - 1) / (2 * GRID)) for size in filters.shape[-2:])
    return spectral_norm(filters, GRID, GRID) / closeness


def _response(filters: Tensor, height: int, width: int) -> Tensor:
    """Return p at the frequencies of a matrix, real ``(y, x)``; a filter larger than it is wrapped around."""
    for dim, size in ((-2, height), (-1, width)):
        index = torch.arange(filters.shape[dim], device=filters.device) % size
        shape = [*filters.shape]
        shape[dim] = size
        filters = filters.new_zeros(shape).index_add(dim, index, filters)
    p: Tensor = torch.fft.fft2(filters).abs().square().sum(0)
    return p


def as_weight(filters: Tensor) -> Tensor:
    """Return complex filters ``(channel, y, x)`` as a real convolution of 2 parts, ``(2 channel, 2, y, x)``."""
    re, im = filters.real, filters.imag
    return torch.cat((torch.stack((re, -im), dim=1), torch.stack((im, re), dim=1)))


def _convolve(parts: Tensor, weight: Tensor) -> Tensor:
    half_height, half_width = weight.shape[-2] // 2, weight.shape[-1] // 2
    padded = functional.pad(parts, (half_width, half_width, half_height, half_height), mode="circular")
    return functional.conv2d(padded, weight)
