"""The SENSE operator A = M F S: coil maps, Fourier transform, sampling mask."""

from collections.abc import Sequence
from functools import cached_property, reduce
from typing import Self

import torch
from torch import Tensor

from smug.physics.factor import Factor, factor, spectrum
from smug.physics.fourier import fft2c, ifft2c
from smug.physics.operator import LinearOperator, Operator
from smug.physics.parts import image_norm, of_precision
from smug.physics.scale import kspace_scale
from smug.physics.singular import intervals
from smug.physics.working_set import at_a_time
from smug.system.arguments import check_arguments, check_kind

MAPS_TOLERANCE = 1e-3
"""How far ``sum_c |s_c|^2`` may exceed 1 (single precision, interpolated maps)."""

KNOWN = {"gram", "differentiated", "gram_of", "gram_gradients", "norm_bound", "singular_intervals"}
"""What a :class:`Sense` knows of its measurements beyond them."""


class Sense(LinearOperator):
    """Undersampled multi-coil Fourier measurements of an image, ``A(x) = mask * fft2c(maps * x)``.

    ``mask`` is ``bool (batch, x)`` for phase-encoding lines or ``bool (batch, y, x)`` for any Cartesian pattern.
    ``maps`` are coil sensitivities, complex ``(batch, coil, y, x)`` with ``sum_c |s_c|^2 <= 1``, so that
    ``||A|| <= 1``; None is a single coil of sensitivity 1, on the same path. A batch of 1 serves every image.

    Images are complex ``(..., batch, y, x)``, k-space is ``(..., batch, coil, y, x)``; mask and maps are broadcast
    over the leading axes, never repeated. Raises ValueError for a mask that is not boolean or samples nothing, for
    maps that are not complex, finite and normalised, and for shapes that do not fit together.

    A class that inherits from this one and has another ``__call__`` or ``H`` has the defaults of
    :class:`smug.LinearOperator` for what it does not say of its norm, its singular values and ``A^H A``.

    >>> A = Sense(mask=torch.ones(1, 8, dtype=torch.bool))
    >>> image = torch.randn(1, 6, 8, dtype=torch.complex64)
    >>> bool(torch.allclose(A.H(A(image)), image, atol=1e-6))
    True
    """

    @check_arguments
    def __init__(self, mask: Tensor, maps: Tensor | None = None) -> None:
        if maps is None:
            maps = torch.ones(1, 1, 1, 1, dtype=torch.complex64, device=mask.device)
        _check_mask(mask)
        check_maps(maps)
        _check_agreement(mask, maps)
        self.mask = mask
        self.maps = maps

    def __init_subclass__(cls) -> None:
        """Give a class that measures otherwise the defaults: what is known of this one is not known of it."""
        if {"__call__", "H"} & vars(cls).keys():
            for name in KNOWN - vars(cls).keys():
                setattr(cls, name, vars(LinearOperator)[name])

    @property
    def is_line_mask(self) -> bool:
        """Whether whole lines along y are sampled, so that only x is undersampled."""
        return self.mask.ndim == 2

    @property
    def batch(self) -> int:
        """The number of images that mask and maps are made for; 1 serves any number."""
        return max(self.mask.shape[0], self.maps.shape[0])

    @cached_property
    def sampled(self) -> Tensor:
        """The mask, ready to broadcast against k-space: ``bool (batch, 1, 1 or y, x)``."""
        return self.mask[:, None, None, :] if self.is_line_mask else self.mask[:, None]

    @cached_property
    def _undersampled_dim(self) -> tuple[int, ...]:
        return (-1,) if self.is_line_mask else (-2, -1)

    @cached_property
    def _sampled_uncentred(self) -> Tensor:
        mask: Tensor = torch.fft.ifftshift(self.sampled, dim=self._undersampled_dim)
        return mask

    def __call__(self, image: Tensor) -> Tensor:
        """Measure images ``(..., y, x)``: k-space ``(..., coil, y, x)``, zero where nothing is sampled."""
        self.check_image(image)
        return self.sampled * fft2c(self.maps * image.unsqueeze(-3))

    def H(self, kspace: Tensor) -> Tensor:
        """Apply the adjoint, which masks its input: ``(..., coil, y, x)`` to ``(..., y, x)``."""
        self.check_kspace(kspace)
        return (self.maps.conj() * ifft2c(self.sampled * kspace)).sum(-3)

    def gram(self, image: Tensor) -> Tensor:
        """Apply ``A^H A`` to images ``(..., y, x)``: ``sum_c conj(s_c) F^H M F s_c x``, a few coils at a time."""
        coils = at_a_time(image[..., :1, :, :].flatten(0, -3)[0])  # of one image: how many are summed first is its own
        images = max(1, coils // self.maps.shape[1])
        if image.ndim > 3 and images < image.shape[:-2].numel():
            return torch.stack([self.gram(x) for x in image])
        several = range(0, image.shape[-3], images)
        return torch.cat([self._gram(image, slice(first, first + images), coils) for first in several], -3)

    def _gram(self, image: Tensor, rows: slice, coils: int) -> Tensor:
        x = image[..., rows, :, :].unsqueeze(-3)
        maps, mask = (some[rows] if len(some) > 1 else some for some in (self.maps, self._sampled_uncentred))
        parts = (s.conj() * self._convolved(s * x, mask) for s in torch.split(maps, coils, dim=1))
        return reduce(torch.add, (part.sum(-3) for part in parts))

    def sample(self, coil_images: Tensor) -> Tensor:
        """Apply ``F^H M F`` to coil images ``(..., coil, y, x)``.

        It is a circular convolution: the shifts that centre images cancel, and for line masks so do the transforms
        along y.
        """
        return self._convolved(coil_images, self._sampled_uncentred)

    def _convolved(self, coil_images: Tensor, mask: Tensor) -> Tensor:
        spectrum = torch.fft.fftn(coil_images, dim=self._undersampled_dim)
        result: Tensor = torch.fft.ifftn(spectrum.mul_(mask), dim=self._undersampled_dim)
        return result

    @property
    def differentiated(self) -> tuple[Tensor, ...]:
        """The maps."""
        return (self.maps,)

    def gram_of(self, tensors: Sequence[Tensor], image: Tensor) -> Tensor:
        """Apply ``A^H A`` with other maps, in differentiable operations."""
        (maps,) = tensors
        return (maps.conj() * self.sample(maps * image.unsqueeze(-3))).sum(-3)

    def gram_gradients(self, tensors: Sequence[Tensor], w: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        """Return the gradient of ``Re <w, A^H A x>`` with respect to the maps, ``conj(w) N s_c x + conj(x) N s_c w``.

        N is ``F^H M F``.
        """
        (maps,), wc, xc = tensors, w.unsqueeze(-3), x.unsqueeze(-3)
        gradient = wc.conj() * self.sample(maps * xc) + xc.conj() * self.sample(maps * wc)
        return (gradient.sum_to_size(maps.shape),)

    def norm_bound(self, image: Tensor) -> float:
        """Return 1: maps are normalised."""
        return 1.0

    def singular_intervals(self) -> tuple[Tensor, Tensor, bool]:
        """Return intervals that hold every singular value; see :func:`smug.physics.singular.intervals`."""
        return intervals(type(self)(self.mask, self.maps.detach().to(torch.complex128)))

    def scale(self, y: Tensor) -> Tensor:
        """Return about the largest magnitude of the image, see :func:`smug.physics.scale.kspace_scale`."""
        if (
            not y.is_complex()
            or y.ndim != 4
            or self.mask.shape[0] not in (1, len(y))
            or self.mask.shape[-1] != y.shape[-1]
        ):
            raise ValueError(
                f"y: expected k-space (batch, coil, y, x) that fits {self}, got {y.dtype} {tuple(y.shape)}"
            )
        return kspace_scale(y, self.sampled)

    def blank(self, y: Tensor) -> Tensor:
        """Return the image of zeros that k-space ``(batch, coil, y, x)`` is of."""
        return y.new_zeros(y.shape[0], *y.shape[-2:])

    @property
    def image_size(self) -> tuple[int, int] | None:
        """Height and width of the images, None for a line mask without maps, which does not tell the height."""
        if self.is_line_mask and self.maps.shape[-2] == 1:
            return None
        height, width = (max(sizes) for sizes in zip(self.maps.shape[-2:], self.sampled.shape[-2:], strict=True))
        return height, width

    @property
    def cartesian_mask(self) -> Tensor:
        """The mask."""
        return self.mask

    @property
    def fingerprint(self) -> tuple[Tensor, ...]:
        """Mask and maps."""
        return self.mask, self.maps

    def factor(self, lam: float | Tensor) -> Factor:
        """Factor ``A^H A + lam`` once for many right-hand sides; see :func:`smug.physics.factor.factor`."""
        return factor(self, lam)

    def operator_norm(self, iterations: int = 100) -> Tensor:
        """Return ``||A||`` per image, real ``(batch,)``.

        Exact for line masks; for other masks by power iteration, which approaches it from below.
        """
        if self.is_line_mask:
            return spectrum(self)[..., -1].sqrt()
        height, width = self.mask.shape[-2:]
        start = torch.Generator().manual_seed(0)
        vector = torch.randn(self.batch, height, width, dtype=self.maps.dtype, generator=start).to(self.maps.device)
        for _ in range(iterations):
            vector = self.gram(vector / image_norm(vector)[:, None, None])
        return image_norm(vector).sqrt()

    def to(self, target: torch.device | str | torch.dtype) -> Self:
        """Return the operator on another device, or in the precision of a dtype."""
        if isinstance(target, torch.dtype):
            return type(self)(self.mask, of_precision(self.maps, target))
        return type(self)(self.mask.to(target), self.maps.to(target))

    def __getitem__(self, index: int | slice | Tensor) -> Self:
        """Return the operator of some images of the batch; an integer keeps a batch axis of 1."""
        if isinstance(index, int) and self.batch > 1 and not -self.batch <= index < self.batch:
            raise IndexError(f"{self}: got index {index}")
        rows = slice(index, index + 1 or None) if isinstance(index, int) else index
        mask, maps = (part if part.shape[0] == 1 else part[rows] for part in (self.mask, self.maps))
        return type(self)(mask, maps)

    def __repr__(self) -> str:
        """Tell mask and map shapes."""
        kind = "lines" if self.is_line_mask else "mask"
        return f"Sense({kind} {tuple(self.mask.shape)}, maps {tuple(self.maps.shape)})"

    def check_image(self, image: Tensor) -> None:
        """Raise ValueError unless ``image`` is complex ``(..., batch, y, x)`` and fits mask and maps."""
        check_kind("image", image, Tensor)
        if not (image.is_complex() and image.ndim >= 3 and self._fits(image.shape[-3], image.shape[-2:])):
            raise ValueError(
                f"image: expected complex (..., batch, y, x) that fits {self}, got {image.dtype} {tuple(image.shape)}"
            )

    def check_kspace(self, kspace: Tensor) -> None:
        """Raise ValueError unless ``kspace`` is complex ``(..., batch, coil, y, x)`` and fits mask and maps."""
        check_kind("k-space", kspace, Tensor)
        fits = kspace.is_complex() and kspace.ndim >= 4 and self._fits(kspace.shape[-4], kspace.shape[-2:])
        if not (fits and kspace.shape[-3] == self.maps.shape[1]):
            raise ValueError(
                f"k-space: expected complex (..., batch, coil, y, x) that fits {self}, "
                f"got {kspace.dtype} {tuple(kspace.shape)}"
            )

    def check_measurements(self, y: Tensor) -> None:
        """Raise ValueError unless ``y`` is k-space ``(batch, coil, y, x)`` that this operator may have measured."""
        if y.ndim != 4 or y.dtype not in (torch.complex64, torch.complex128):
            hint = "; a single slice needs a batch axis: y[None]" if y.ndim == 3 else ""
            raise ValueError(
                "y: expected k-space (batch, coil, y, x), complex64 or complex128, "
                f"got {y.dtype} {tuple(y.shape)}{hint}"
            )
        self.check_kspace(y)
        if y.device != self.mask.device:
            raise ValueError(
                f"y: expected it on the device of A, {self.mask.device}, got {y.device}; y.to(...) moves it"
            )

    def _fits(self, batch: int, matrix: tuple[int, ...]) -> bool:
        """Whether so many images of this size can be measured; the operator is broadcast to them, never they to it."""
        same_size = _broadcastable(matrix, self.maps.shape[-2:], self.sampled.shape[-2:])
        return batch > 0 and min(matrix) > 0 and same_size and self.batch in (1, batch)


def cartesian(A: Operator, what: str) -> Sense:
    """Return A as the operator that it must be; raises ValueError, which names what needs it, for others."""
    if isinstance(A, Sense):
        return A
    raise ValueError(f"{what}: expected Cartesian MRI, measured by a smug.Sense, got {type(A).__name__}")


def _check_mask(mask: Tensor) -> None:
    if mask.dtype != torch.bool or mask.ndim not in (2, 3):
        raise ValueError(
            f"mask: expected bool (batch, x) for lines or bool (batch, y, x), got {mask.dtype} {tuple(mask.shape)}"
        )
    if not (mask.numel() and bool(mask.flatten(1).any(1).all())):
        raise ValueError("mask: expected at least one sampled entry for every image of the batch, got none")


def check_maps(maps: Tensor) -> None:
    """Raise ValueError for what are no coil maps, complex ``(batch, coil, y, x)``, finite and normalised."""
    if not maps.is_complex() or maps.ndim != 4:
        raise ValueError(f"maps: expected complex (batch, coil, y, x), got {maps.dtype} {tuple(maps.shape)}")
    if not maps.numel():
        raise ValueError(f"maps: expected at least one coil, pixel and image of the batch, got {tuple(maps.shape)}")
    largest = float(maps.detach().abs().square().sum(1).max())
    if not largest <= 1 + MAPS_TOLERANCE:
        raise ValueError(
            f"maps: expected sum over coils of |s|^2 <= 1 at every pixel, got {largest:.4g}; "
            "divide the maps by the root of their sum of squares"
        )


def _check_agreement(mask: Tensor, maps: Tensor) -> None:
    mask_shape = (mask.shape[0], 1, mask.shape[-1]) if mask.ndim == 2 else tuple(mask.shape)
    looks_like_one_mask = mask.shape == maps.shape[2:] and mask.shape[0] != maps.shape[0]
    if looks_like_one_mask or not _broadcastable(mask_shape, (maps.shape[0], *maps.shape[2:])):
        hint = "; a single 2-D mask needs a batch axis: mask[None]" if looks_like_one_mask else ""
        raise ValueError(f"mask {tuple(mask.shape)} does not fit maps {tuple(maps.shape)}{hint}")


def _broadcastable(*shapes: tuple[int, ...]) -> bool:
    """Whether all sizes along each axis are equal or 1."""
    return all(len({size for size in sizes if size != 1}) <= 1 for sizes in zip(*shapes, strict=True))
