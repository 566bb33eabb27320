"""Where the energy of k-space lies. Elsewhere than at the centre, a file's layout is not what its header says.

The energy of an image's k-space decays in all directions from zero frequency. So a peak elsewhere tells of a header or
a file whose centre is wrong, and no decay along an axis tells of another trajectory or of another order of axes.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from smug.data.kspace.volume import Volume
from smug.data.slices import spread

MOST_SLICES = 8
"""Slices that are looked at, spread evenly."""

CLIPPED = 16
"""The largest entries count as much as this one of them: a spike is no peak."""

TOLERANCE = 3
"""Samples by which the peak may be off the centre: in good scans echoes are off by a few too."""

low_passed = partial(gaussian_filter1d, sigma=1.0, mode="wrap")
"""Values on a circle, averaged with a Gaussian of one sample's deviation."""

MIN_SIZE = 16
"""Axes with fewer samples than this are not judged."""

MAX_AT_CENTRE = 0.5
"""Largest energy at the centre, relative to that of the peak, of scans that are off the centre."""

MIN_PEAK = 3.0
"""Smallest energy of a peak, relative to the median along the axis: with less it is lost in noise."""

MIN_DECAY, MAX_FLAT = 10.0, 5.0
"""Energy decays along an axis by more than the first, or is flat: the largest is less than the second of the median."""


@dataclass(frozen=True, eq=False)
class Energy:
    """Mean ``|k|^2`` over coils and slices of what is sampled, ``(y, x)``, and ``(coil,)``; ``sampled`` ``(y, x)``."""

    entries: NDArray[np.float64]
    sampled: NDArray[np.bool_]
    coils: NDArray[np.float64]

    def profile(self, axis: int) -> NDArray[np.float64]:
        """Return the low-passed mean energy along an axis; 0 where nothing is sampled nearby."""
        limit = np.sort(self.entries, axis=None)[-min(CLIPPED, self.entries.size)]
        total = np.minimum(self.entries, limit).sum(1 - axis)
        smooth, weight = (low_passed(values) for values in (total, self.sampled.sum(1 - axis).astype(np.float64)))
        near = weight > 1e-6
        return np.where(near, smooth / np.where(near, weight, 1), 0.0)


@dataclass(frozen=True)
class Peak:
    """The place of most energy along an axis of ``size`` samples, 0 for y and 1 for x."""

    axis: int
    size: int
    place: int

    @property
    def shift(self) -> int:
        """How far the peak is moved along a circle to be at the centre ``size // 2``."""
        place = 0 if self.in_corner else self.place
        return self.size // 2 - place

    @property
    def in_corner(self) -> bool:
        """Whether the peak is at index 0, where a Fourier transform without fftshift leaves zero frequency."""
        return min(self.place, self.size - self.place) <= 1


def energy(volume: Volume) -> Energy:
    """Return the energy of some slices of a volume, evenly spread."""
    shape = tuple(volume.kspace[0].shape)
    total, count = np.zeros(shape[1:]), np.zeros(shape[1:])
    coils = np.zeros(shape[0])
    for i in spread(len(volume), MOST_SLICES):
        y, mask = volume.measured(i)
        power = y[0].abs().numpy().astype(np.float64) ** 2
        total += power.sum(0)
        coils += power.sum((1, 2))
        count += np.broadcast_to(mask[0].numpy(), shape[1:])
    return Energy(total / np.maximum(count, 1), count > 0, coils)


def off_centre(energy: Energy) -> tuple[Peak, ...]:
    """Return the peaks that are clearly off the centre, at most one along each axis."""
    peaks = []
    for axis, size in enumerate(energy.entries.shape):
        profile = energy.profile(axis)
        if size < MIN_SIZE or not profile.any() or profile.max() <= MIN_PEAK * np.median(profile[profile > 0]):
            continue
        peak = Peak(axis, size, int(profile.argmax()))
        gap = np.abs(np.flatnonzero(energy.sampled.any(1 - axis)) - size // 2).min()
        far = abs(peak.place - size // 2) > TOLERANCE + gap
        if far and profile[size // 2] < MAX_AT_CENTRE * profile.max():
            peaks.append(peak)
    return tuple(peaks)


def flat_axis(energy: Energy) -> int | None:
    """Return the axis along which energy does not decay, while along the other it does; None for a Cartesian scan."""
    for axis, size in enumerate(energy.entries.shape):
        across = energy.profile(1 - axis)
        positive = across[across > 0]
        if size < 8 or len(positive) < 8 or not across.max() > MIN_DECAY * np.median(positive):
            continue
        places = (np.arange(-TOLERANCE, TOLERANCE + 1) + across.argmax()) % len(across)
        values, sampled = (np.take(part, places, 1 - axis).sum(1 - axis) for part in (energy.entries, energy.sampled))
        along = values[sampled > 0] / sampled[sampled > 0]
        if len(along) >= 8 and along.max() < MAX_FLAT * np.median(along):
            return axis
    return None


def coils_are_an_axis(energy: Energy) -> bool:
    """Tell whether what is read as coils is an axis of k-space: there are many, and energy peaks in their middle."""
    coils, n = energy.coils, len(energy.coils)
    if n < MIN_SIZE or n <= min(energy.entries.shape) or not coils.any():
        return False
    smooth = low_passed(coils)
    decays = smooth.max() > MAX_FLAT * np.median(smooth)
    return bool(decays and abs(int(smooth.argmax()) - n // 2) <= TOLERANCE)
