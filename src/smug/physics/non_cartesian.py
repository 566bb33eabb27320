"""Multi-coil measurements along any trajectory through k-space: radial, spiral, or any other."""

from collections.abc import Callable
from copy import copy
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from smug.physics.density import density_compensation
from smug.physics.fourier import fft2c
from smug.physics.nufft import Nufft, library
from smug.physics.operator import LinearOperator
from smug.physics.parts import of_precision
from smug.physics.scale import kspace_scale
from smug.physics.sense import check_maps
from smug.system.arguments import check_arguments, check_integer, check_kind


class NonCartesian(LinearOperator):
    """Multi-coil Fourier measurements of an image at the points of a trajectory, ``A(x) = F (maps * x)``.

    ``trajectory`` is real ``(batch, 2, samples)``: ``(k_y, k_x)`` of every sample in cycles per field of view, 0 in the
    centre of k-space, between ``-N / 2`` and ``N / 2`` of the N pixels along its axis. ``maps`` are coil sensitivities,
    complex ``(batch, coil, y, x)`` with ``sum_c |s_c|^2 <= 1``; None is a single coil of sensitivity 1. ``shape`` is
    ``(y, x)`` of the images. A batch of 1 serves every image.

    Images are complex ``(..., batch, y, x)``, measurements ``(..., batch, coil, samples)``. F is scaled as the unitary
    transform: on the whole Cartesian grid they are the k-space of :class:`smug.Sense`. Differentiable with respect to
    images, measurements and maps, not the trajectory. The transforms are those of finufft (the extra "nufft"), to about
    1e-5 in single and 1e-12 in double precision. Raises ValueError for points outside these bounds, for maps that are
    not complex, finite and normalised, for shapes that do not fit, and without finufft.

    >>> line = torch.arange(-4.0, 4)
    >>> A = NonCartesian(torch.stack((line, 0 * line))[None], None, (8, 8))
    >>> A(torch.ones(1, 8, 8, dtype=torch.complex64)).shape
    torch.Size([1, 1, 8])
    """

    @check_arguments
    def __init__(self, trajectory: Tensor, maps: Tensor | None, shape: tuple[int, int]) -> None:
        for name, size in zip(("height", "width"), shape, strict=True):
            check_integer(name, size, 1)
        check_trajectory(trajectory, shape)
        if maps is None:
            maps = torch.ones(1, 1, *shape, dtype=torch.complex64, device=trajectory.device)
        check_maps(maps)
        if tuple(maps.shape[-2:]) != shape:
            raise ValueError(f"maps: expected (batch, coil, {shape[0]}, {shape[1]}), got {tuple(maps.shape)}")
        if len({len(trajectory), len(maps)} - {1}) > 1:
            raise ValueError(
                f"maps: expected as many as trajectories, or one of either, got {len(maps)} and {len(trajectory)}"
            )
        library()
        self.trajectory = trajectory.detach().cpu().double()
        self.maps = maps
        self.shape = shape
        self._nuffts = tuple(Nufft(points.numpy(), shape) for points in self.trajectory)

    def __call__(self, image: Tensor) -> Tensor:
        """Measure images ``(..., batch, y, x)``: samples ``(..., batch, coil, samples)``."""
        self.check_image(image)
        return self._transformed(Nufft.forward, self.maps * image.unsqueeze(-3), 2)

    def H(self, y: Tensor) -> Tensor:
        """Apply the adjoint: samples ``(..., batch, coil, samples)`` to images ``(..., batch, y, x)``."""
        return (self.maps.conj() * self.coil_images(y)).sum(-3)

    def gram(self, image: Tensor) -> Tensor:
        """Apply ``A^H A`` to images ``(..., batch, y, x)``, by fast Fourier transforms of twice the size."""
        self.check_image(image)
        height, width = self.shape
        spectrum = torch.fft.fftn(self.maps * image.unsqueeze(-3), s=(2 * height, 2 * width), dim=(-2, -1))
        coils = torch.fft.ifftn(spectrum * self._eigenvalues.to(spectrum.real.dtype), dim=(-2, -1))
        combined: Tensor = (self.maps.conj() * coils[..., :height, :width]).sum(-3)
        return combined

    def coil_images(self, y: Tensor) -> Tensor:
        """Apply the adjoint of F alone: samples to the images of every coil, ``(..., batch, coil, y, x)``."""
        self._check_samples(y)
        return self._transformed(Nufft.adjoint, y, 1)

    def gridded(self, y: Tensor) -> Tensor:
        """Return about the Cartesian k-space ``(..., batch, coil, y, x)`` of the samples, by density compensation."""
        return fft2c(self.coil_images(y * self.density.to(y.device, y.real.dtype)))

    @cached_property
    def density(self) -> Tensor:
        """The area of k-space that each sample stands for, float64 ``(batch, 1, samples)``; 1 on a Cartesian grid.

        See :func:`smug.physics.density.density_compensation`. Images are reconstructed without it.
        """
        return torch.stack([density_compensation(nufft) for nufft in self._nuffts])[:, None]

    @property
    def batch(self) -> int:
        """The number of images that trajectory and maps are made for; 1 serves any number."""
        return max(len(self.trajectory), len(self.maps))

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images."""
        return self.shape

    @property
    def fingerprint(self) -> tuple[Tensor, ...]:
        """Trajectory and maps."""
        return self.trajectory, self.maps

    def scale(self, y: Tensor) -> Tensor:
        """Return about the largest magnitude of the image, that of :class:`smug.Sense` from the gridded centre."""
        self.check_measurements(y)
        return kspace_scale(self.gridded(y), torch.ones(1, 1, *self.shape, dtype=torch.bool, device=y.device))

    def blank(self, y: Tensor) -> Tensor:
        """Return the image of zeros that samples ``(batch, coil, samples)`` are of."""
        return y.new_zeros(len(y), *self.shape)

    def to(self, target: torch.device | str | torch.dtype) -> Self:
        """Return the operator on another device, or in the precision of a dtype; the trajectory stays as it is."""
        moved = copy(self)
        moved.maps = of_precision(self.maps, target) if isinstance(target, torch.dtype) else self.maps.to(target)
        moved.__dict__.pop("_eigenvalues", None)
        return moved

    def __getitem__(self, index: int | slice | Tensor) -> Self:
        """Return the operator of some images of the batch; an integer keeps a batch axis of 1."""
        if isinstance(index, int) and self.batch > 1 and not -self.batch <= index < self.batch:
            raise IndexError(f"{self}: got index {index}")
        if self.batch == 1:
            return self
        rows = slice(index, index + 1 or None) if isinstance(index, int) else index
        trajectory, maps = (part if len(part) == 1 else part[rows] for part in (self.trajectory, self.maps))
        return type(self)(trajectory, maps, self.shape)

    def __repr__(self) -> str:
        """Tell trajectory and map shapes."""
        return f"NonCartesian(trajectory {tuple(self.trajectory.shape)}, maps {tuple(self.maps.shape)})"

    def check_image(self, image: Tensor) -> None:
        """Raise ValueError unless ``image`` is complex ``(..., batch, y, x)`` and fits."""
        check_kind("image", image, Tensor)
        fits = image.is_complex() and image.ndim >= 3 and tuple(image.shape[-2:]) == self.shape
        if not (fits and image.shape[-3] > 0 and self.batch in (1, image.shape[-3])):
            raise ValueError(
                f"image: expected complex (..., batch, y, x) that fits {self}, got {image.dtype} {tuple(image.shape)}"
            )

    def check_measurements(self, y: Tensor) -> None:
        """Raise ValueError unless ``y`` are samples ``(batch, coil, samples)`` that this operator may have measured."""
        if y.ndim != 3 or y.dtype not in (torch.complex64, torch.complex128):
            hint = "; those of a single image need a batch axis: y[None]" if y.ndim == 2 else ""
            raise ValueError(
                "y: expected samples (batch, coil, samples), complex64 or complex128, "
                f"got {y.dtype} {tuple(y.shape)}{hint}"
            )
        self._check_samples(y)
        if y.device != self.maps.device:
            raise ValueError(
                f"y: expected it on the device of A, {self.maps.device}, got {y.device}; y.to(...) moves it"
            )

    def _check_samples(self, y: Tensor) -> None:
        check_kind("y", y, Tensor)
        fits = y.is_complex() and y.ndim >= 3 and y.shape[-3] > 0 and self.batch in (1, y.shape[-3])
        if not (fits and y.shape[-2:] == (self.maps.shape[1], self.trajectory.shape[-1])):
            raise ValueError(
                f"y: expected complex (..., batch, coil, samples) that fits {self}, got {y.dtype} {tuple(y.shape)}"
            )

    @cached_property
    def _eigenvalues(self) -> Tensor:
        factors = torch.stack([nufft.eigenvalues for nufft in self._nuffts])[:, None]
        return factors.to(self.maps.device, self.maps.real.dtype)

    def _transformed(self, transform: Callable[[Nufft, Tensor], Tensor], values: Tensor, axes: int) -> Tensor:
        """Transform the last axes of ``(..., batch, coil, ...)``, of every image by its own trajectory."""
        if len(self._nuffts) == 1:
            flat = transform(self._nuffts[0], values.reshape(-1, *values.shape[-axes:]))
            return flat.reshape(*values.shape[:-axes], *flat.shape[1:])
        each = values.movedim(-axes - 2, 0)
        parts = [
            transform(nufft, part.reshape(-1, *part.shape[-axes:]))
            for nufft, part in zip(self._nuffts, each, strict=True)
        ]
        back = torch.stack(parts).reshape(*each.shape[:-axes], *parts[0].shape[1:])
        return back.movedim(0, len(values.shape) - axes - 2)


def check_trajectory(trajectory: Tensor, shape: tuple[int, int]) -> None:
    """Raise ValueError for what is no trajectory ``(batch, 2, samples)`` through the k-space of such images."""
    if trajectory.ndim != 3 or trajectory.shape[1] != 2 or not trajectory.is_floating_point() or not trajectory.numel():
        hint = "; a single trajectory needs a batch axis: trajectory[None]" if trajectory.ndim == 2 else ""
        raise ValueError(
            "trajectory: expected real (batch, 2, samples), k_y and k_x in cycles per field of view, "
            f"got {trajectory.dtype} {tuple(trajectory.shape)}{hint}"
        )
    if trajectory.requires_grad:
        raise ValueError("trajectory: expected one without gradient: nothing is differentiated with respect to it")
    if not bool(trajectory.isfinite().all()):
        raise ValueError("trajectory: expected finite numbers, got NaN or infinite ones")
    for axis, name, size in ((0, "k_y", shape[0]), (1, "k_x", shape[1])):
        low, high = float(trajectory[:, axis].min()), float(trajectory[:, axis].max())
        if max(-low, high) > size / 2 * (1 + 1e-5):
            raise ValueError(
                f"trajectory: {name}: expected -{size / 2:g} to {size / 2:g} cycles per field of view for {size} "
                f"pixels, got {low:.4g} to {high:.4g}; the image needs more pixels, or the units are others"
            )
