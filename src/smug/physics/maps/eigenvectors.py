"""ESPIRiT: coil maps as eigenvectors of the calibration data (Uecker et al., Magn Reson Med 71:990-1001, 2014).

Patches R_p y of k-space, all coils together, lie in a space of few dimensions. With P the projection on that space,
found from the calibration data, all of k-space satisfies ``W y = y``, ``W = 1 / (ky kx) sum_p R_p^H P R_p``: a sample
is the mean over the patches that hold it. W is a convolution, so in image space it is one matrix per pixel r,
``H(r) s(r) m(r) = s(r) m(r)``: the coil maps s(r) are eigenvectors of eigenvalue 1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from smug.physics.maps.calibration import MIN_CALIBRATION, check_calibration_data
from smug.physics.masks import calibration_region
from smug.system.arguments import check_arguments, check_fields

COARSE = 64
"""Pixels per axis, up to twice as many, of the grid on which eigenvectors are searched: they vary slowly."""

COARSE_ITERATIONS = 30
"""Power iterations on that grid, from the low-resolution image."""

FINE_ITERATIONS = 4
"""Power iterations at every pixel, from the interpolated coarse maps: enough for single precision in the object."""

PHASE_FREQUENCIES = range(-2, 3)
"""Cycles per field of view of the vector field that the maps take their phase from."""

PHASE_ITERATIONS = 5
"""How often that field is made anew from the maps."""

COIL_ENERGY = 1e-4
"""Energy of a combination of coils, relative to the strongest one, below which it is no coil of its own."""

CHUNK_BYTES = 2**25
"""Pixel matrices that are held at a time; more of them would leave the processor's cache."""


@dataclass(frozen=True)
class Espirit:
    """Settings of :func:`espirit`; the defaults are those of BART.

    ``kernel`` is the side of the patches of k-space, ``calibration`` the largest side of the calibration region that
    is used. Eigenvectors of the patches' covariance are signal if their eigenvalue, a squared singular value, exceeds
    ``threshold`` times the largest, and at most ``dimensions`` of them are, the largest; nor more than 3/4 of a patch's
    samples in independent coils, as a space that holds every patch says nothing. None sets no such limits. Maps are
    zero where the eigenvalue of a pixel is not above ``crop``; 0 keeps all.

    Raises ValueError for a kernel below 2, a calibration region below 4, no dimensions, and values outside
    ``0 < threshold < 1`` and ``0 <= crop < 1``.
    """

    kernel: int = 6
    calibration: int = 24
    threshold: float = 0.001
    crop: float = 0.8
    dimensions: int | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self, "espirit.")
        if self.kernel < 2:
            raise ValueError(f"espirit.kernel: expected a side of at least 2 samples, got {self.kernel}")
        if self.calibration < MIN_CALIBRATION:
            raise ValueError(f"espirit.calibration: expected at least {MIN_CALIBRATION} lines, got {self.calibration}")
        if not 0 < self.threshold < 1:
            raise ValueError(f"espirit.threshold: expected a number between 0 and 1, got {self.threshold}")
        if not 0 <= self.crop < 1:
            raise ValueError(f"espirit.crop: expected 0 (keep all) or a number below 1, got {self.crop}")
        if self.dimensions is not None and self.dimensions < 1:
            raise ValueError(f"espirit.dimensions: expected at least 1 or None, got {self.dimensions}")


@dataclass(frozen=True, eq=False)
class CoilMaps:
    """Coil maps, and where they are to be trusted.

    ``maps`` are complex ``(batch, coil, y, x)``; ``sum_c |s_c|^2`` is 1 where they are kept, 0 where they are cropped.
    ``eigenvalues``, real ``(batch, y, x)``, are 1 where one set of maps explains the data and less where there is no
    signal or one set does not suffice. ``kernels`` are the sides ``(y, x)`` of the patches of each slice.
    """

    maps: Tensor
    eigenvalues: Tensor
    kernels: tuple[tuple[int, int], ...]


@check_arguments
@torch.no_grad()
def espirit(y: Tensor, mask: Tensor, settings: Espirit = Espirit()) -> CoilMaps:
    """Estimate coil maps from the fully sampled centre of k-space, each slice on its own.

    ``y`` is complex64 or complex128 ``(batch, coil, y, x)`` in any unit, ``mask`` its sampling, ``bool (batch, x)`` or
    ``(batch, y, x)``, or one for all slices. Entries outside the calibration region have no influence. A patch takes up
    at most half of the n lines along an axis: its side is ``min(kernel, n // 2)``, and 2 for 2 or 3 lines.

    Phase convention: that of the low-resolution image l, ``s^H l > 0``, made smooth where l is small. Relative to one
    coil, real or virtual, the phase would have poles where that coil vanishes, often inside the object.

    A slice without signal has eigenvalues and maps of 0. Raises ValueError for k-space that is not finite, for shapes
    that do not agree, and for fewer than 4 central lines along an axis that is not full.
    """
    check_calibration_data(y, mask)
    slices = [_one_slice(y[i], mask[i : i + 1] if len(mask) > 1 else mask, settings) for i in range(len(y))]
    maps, eigenvalues, kernels = zip(*slices, strict=True)
    return CoilMaps(torch.stack(maps), torch.stack(eigenvalues), kernels)


def _one_slice(y: Tensor, mask: Tensor, settings: Espirit) -> tuple[Tensor, Tensor, tuple[int, int]]:
    """Maps ``(coil, y, x)``, eigenvalues ``(y, x)`` and the kernel, of k-space ``(coil, y, x)``."""
    data = calibration_data(y, mask, settings.calibration)
    sizes, lines = y.shape[1:], data.shape[:2]
    kernel = _side(settings.kernel, lines[0]), _side(settings.kernel, lines[1])
    if not bool(data.any()):
        return torch.zeros_like(y), torch.zeros_like(y[0].real), kernel
    data = data / data.abs().max()
    W = signal_filter(data, kernel, settings.threshold, settings.dimensions).to(y.dtype)
    lags = [range(1 - k, k) for k in kernel]

    # The maps on a coarse grid, from the low-resolution image ...
    steps = [max(1, n // COARSE) for n in sizes]
    box = [range(-(n // 2), n - n // 2) for n in lines]
    image = _fourier_sum(data.to(y.dtype), _waves(box, sizes, steps, y))
    s, _ = _dominant(W, _waves(lags, sizes, steps, y), image, COARSE_ITERATIONS)
    s = _smooth_phase(s, image, _waves([PHASE_FREQUENCIES] * 2, sizes, steps, y))
    # ... are nearly those of every pixel. H is positive semidefinite: the iteration keeps their phase.
    s = _interpolate(s, sizes, steps)
    s, eigenvalues = _dominant(W, _waves(lags, sizes, (1, 1), y), s, FINE_ITERATIONS)
    maps = torch.where(eigenvalues > settings.crop, s, 0)
    return maps.permute(2, 0, 1).contiguous(), eigenvalues[..., 0], kernel


def signal_filter(data: Tensor, kernel: tuple[int, int], threshold: float, dimensions: int | None = None) -> Tensor:
    """The coefficients of W, complex ``(2 ky - 1, 2 kx - 1, coil, coil)``, lag 0 in the middle.

    ``data`` is calibration data ``(y, x, coil)``. The projection on the signal is P = U U^H, with U the eigenvectors of
    the patches' covariance, and ``W_cd(l) = 1 / (ky kx) sum_j (u_jc * u_jd)(l)``, a sum of correlations.
    """
    patches = data.unfold(0, kernel[0], 1).unfold(1, kernel[1], 1)  # y, x, coil, ky, kx
    V = patches.reshape(-1, math.prod(patches.shape[2:])).mT  # one patch per column
    tall = V.shape[0] > V.shape[1]
    eigenvalues, U = torch.linalg.eigh(V.mH @ V if tall else V @ V.mH)  # of the smaller of the two
    signal = eigenvalues > threshold * eigenvalues[-1]
    if dimensions is not None:
        signal[: -min(dimensions, max(1, 3 * independent_coils(data) * math.prod(kernel) // 4))] = False
    U = U[:, signal]
    if tall:
        U = V @ U / eigenvalues[signal].sqrt()
    lags = [2 * k - 1 for k in kernel]
    spectrum = torch.fft.fft2(U.reshape(*patches.shape[2:], -1), s=lags, dim=(1, 2)).permute(1, 2, 0, 3)
    W = torch.fft.ifft2(spectrum @ spectrum.mH, dim=(0, 1)) / math.prod(kernel)
    shifted: Tensor = torch.fft.fftshift(W, dim=(0, 1))
    return shifted


def independent_coils(data: Tensor) -> int:
    """How many coils of calibration data ``(y, x, coil)`` are neither dead nor the others' combinations, at 1 %."""
    samples = data.flatten(0, 1)
    energies = torch.linalg.eigvalsh(samples.mH @ samples)
    return int((energies > COIL_ENERGY * energies[-1]).sum())


def _side(kernel: int, lines: int) -> int:
    """The side of the patches along an axis."""
    return min(kernel, lines, max(2, lines // 2))


def calibration_data(y: Tensor, mask: Tensor, most: int) -> Tensor:
    """The calibration region of ``(coil, y, x)``, at most so many lines a side, complex128 ``(y, x, coil)``."""
    boxes = []
    for axis, size, region in zip("yx", y.shape[1:], calibration_region(mask), strict=True):
        lines = len(range(size)[region])
        if lines < min(MIN_CALIBRATION, size):
            raise ValueError(
                f"got {lines} fully sampled central lines along {axis}, expected at least {MIN_CALIBRATION} "
                "for ESPIRiT maps: sample more of the centre, or pass maps of your own"
            )
        lines = min(lines, most)
        boxes.append(slice(size // 2 - lines // 2, size // 2 - lines // 2 + lines))
    return y[:, boxes[0], boxes[1]].permute(1, 2, 0).to(torch.complex128)


def _dominant(W: Tensor, waves: Sequence[Tensor], start: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Eigenvectors ``(y, x, coil)`` of length 1 and largest eigenvalues ``(y, x, 1)`` of H, by power iteration."""
    waves_y, waves_x = waves
    chunk = max(1, CHUNK_BYTES // (len(waves_x) * W[0, 0].numel() * W.element_size()))
    vectors, values = [], []
    for first in range(0, len(start), chunk):
        rows = slice(first, first + chunk)
        H, s = _fourier_sum(W, (waves_y[rows], waves_x)), start[rows]
        for _ in range(iterations):
            s = (H @ s[..., None])[..., 0]
            value = _length(s)
            s = s / value.clamp(min=torch.finfo(value.dtype).tiny)
        vectors.append(s)
        values.append(value)
    return torch.cat(vectors), torch.cat(values)


def _length(s: Tensor) -> Tensor:
    """The norm along the last axis, kept; of parts, which is 25 times faster than of complex numbers."""
    length: Tensor = torch.linalg.vector_norm(torch.view_as_real(s).flatten(-2), dim=-1, keepdim=True)
    return length


def _smooth_phase(s: Tensor, image: Tensor, waves: Sequence[Tensor]) -> Tensor:
    """Turn the phase of maps ``(y, x, coil)`` to ``s^H t > 0``: t is first the image, then the low frequencies of s."""
    t = image
    for _ in range(1 + PHASE_ITERATIONS):
        angle = (s.conj() * t).sum(-1, keepdim=True).angle()
        s = s * torch.polar(torch.ones_like(angle), angle)
        t = _fourier_sum(_fourier_sum(s, [wave.mH for wave in waves]), waves)
    return s


def _waves(frequencies: Sequence[range], sizes: Sequence[int], steps: Sequence[int], like: Tensor) -> list[Tensor]:
    """``exp(2 pi i f r / n)`` at every ``step``-th pixel r, centred, of each axis: ``(pixel, frequency)``."""
    waves = []
    for f, n, step in zip(frequencies, sizes, steps, strict=True):
        r = torch.arange(0, n, step, dtype=torch.float64) - n // 2
        waves.append(torch.exp(2j * math.pi / n * r[:, None] * torch.tensor(f)).to(like))
    return waves


def _fourier_sum(coefficients: Tensor, waves: Sequence[Tensor]) -> Tensor:
    """Sum waves of coefficients ``(frequency_y, frequency_x, ...)`` to ``(y, x, ...)``."""
    waves_y, waves_x = waves
    total: Tensor = waves_x @ torch.tensordot(waves_y, coefficients.flatten(2), 1)
    return total.reshape(*total.shape[:2], *coefficients.shape[2:])


def _interpolate(s: Tensor, sizes: Sequence[int], steps: Sequence[int]) -> Tensor:
    """Linear interpolation between every ``step``-th pixel; the length of the vectors is arbitrary."""
    hats = []
    for n, step in zip(sizes, steps, strict=True):
        distance = torch.arange(n)[:, None] / step - torch.arange(math.ceil(n / step))
        hats.append((1 - distance.abs()).clamp(min=0).to(s))
    return _fourier_sum(s, hats)
