"""A ridge regulariser on one matrix and at one noise level per image: its value, gradient and Hessian.

All three are sums over filters. They are made of a few filters and images at a time, so that the responses, many times
as large as the image, stay in the processor's cache.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from smug.physics.parts import squared as energy
from smug.physics.working_set import at_a_time


@dataclass(frozen=True, eq=False)
class FixedRidge:
    """``R(x) = sum_i sum_p psi_i(|(w_i * x)(p)|)`` of images ``(batch, y, x)``, real or complex.

    ``spectra`` are those of the filters, complex ``(filter, y, x)``. Every term ``(mu, s)``, real ``(filter, 1, 1)``
    and ``(batch or 1, filter, 1, 1)``, adds ``mu s^2 (sqrt(1 + (r / s)^2) - 1)`` to the profile.
    """

    spectra: Tensor
    terms: tuple[tuple[Tensor, Tensor], ...]

    def value(self, x: Tensor) -> Tensor:
        """Return R, real ``(batch,)``."""
        return self._sum(torch.fft.fft2(x), FixedRidge._value)

    def gradient(self, x: Tensor) -> Tensor:
        """Return the gradient of R, ``(batch, y, x)``."""
        return _image(self._sum(torch.fft.fft2(x), FixedRidge._gradient), x)

    def hessian(self, x: Tensor) -> Callable[[Tensor], Tensor]:
        """Return the Hessian of R at x, a map of images ``(batch, y, x)``; it is linear over real numbers."""
        X = torch.fft.fft2(x)
        parts = [(images, [part._hessian(X[images]) for part in filters]) for images, filters in self._parts(X)]

        def apply(v: Tensor) -> Tensor:
            V = torch.fft.fft2(v)
            applied = [reduce(torch.add, (part(V[images]) for part in filters)) for images, filters in parts]
            return _image(torch.cat(applied), v)

        return apply

    def responses(self, X: Tensor) -> Tensor:
        """Return ``w_i * x``, complex ``(batch, filter, y, x)``, of an image's transform."""
        result: Tensor = torch.fft.ifft2(self.spectra * X.unsqueeze(-3))
        return result

    def _gathered(self, z: Tensor) -> Tensor:
        """Return the transform of ``sum_i w_i^T * z_i``, the adjoint of the responses."""
        result: Tensor = (self.spectra.conj() * torch.fft.fft2(z)).sum(-3)
        return result

    def _value(self, X: Tensor) -> Tensor:
        power = energy(self.responses(X))
        return reduce(
            torch.add, ((mu * s**2 * ((1 + power / s**2).sqrt() - 1)).sum((-3, -2, -1)) for mu, s in self.terms)
        )

    def _gradient(self, X: Tensor) -> Tensor:
        z = self.responses(X)
        power = energy(z)
        return self._gathered(z * reduce(torch.add, (mu * torch.rsqrt(1 + power / s**2) for mu, s in self.terms)))

    def _hessian(self, X: Tensor) -> Callable[[Tensor], Tensor]:
        z = self.responses(X)
        power = energy(z)
        roots = [(mu, s, torch.rsqrt(1 + power / s**2)) for mu, s in self.terms]
        across = reduce(torch.add, (mu * q for mu, _, q in roots))
        bend = reduce(torch.add, (mu * q**3 / s**2 for mu, s, q in roots))

        def apply(V: Tensor) -> Tensor:
            u = self.responses(V)
            return self._gathered(across * u - bend * (z.conj() * u).real * z)

        return apply

    def _sum(self, X: Tensor, of_part: Callable[["FixedRidge", Tensor], Tensor]) -> Tensor:
        """Return the sum of what ``of_part`` makes of every group of filters, for all images."""
        return torch.cat(
            [reduce(torch.add, (of_part(part, X[images]) for part in filters)) for images, filters in self._parts(X)]
        )

    def _parts(self, X: Tensor) -> Iterator[tuple[slice, list["FixedRidge"]]]:
        """Yield groups of images, each with R in groups of filters.

        The groups of filters do not depend on how many images there are: the result of an image does neither.
        """
        count, together = len(self.spectra), at_a_time(X[0])
        filters = [slice(first, first + together) for first in range(0, count, together)]
        several = max(1, together // count)
        for first in range(0, len(X), several):
            images = slice(first, first + several)
            yield images, [self._part(images, f) for f in filters]

    def _part(self, images: slice, filters: slice) -> "FixedRidge":
        cut = tuple((mu[filters], (s[images] if len(s) > 1 else s)[:, filters]) for mu, s in self.terms)
        return FixedRidge(self.spectra[filters], cut)


def _image(transform: Tensor, like: Tensor) -> Tensor:
    """Return an image from its transform; of real images the filters make real ones."""
    image: Tensor = torch.fft.ifft2(transform)
    return image if like.is_complex() else image.real
