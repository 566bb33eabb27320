"""The receiver noise of a measured volume or a simulated scan."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from smug.data.kspace.read import read
from smug.data.kspace.volume import Volume
from smug.data.scan import Scan
from smug.data.slices import spread
from smug.physics.noise_level import NO_SIGNAL, NoiseLevel, estimated_noise
from smug.physics.sense import cartesian
from smug.system.arguments import check_arguments

MOST_SLICES = 8
"""Slices that are looked at, spread evenly."""


@check_arguments
def noise_level(scan: Volume | Scan | str | Path) -> NoiseLevel:
    """Return the receiver noise per real and imaginary part of k-space, or None with the reason why it is unknown.

    Of a volume with a noise scan it is that of the noise scan. Otherwise it is estimated from the measurements of up to
    8 slices, see :mod:`smug.physics.noise_level`: the median, if at least half of them tell it. ``scan`` is a volume, a
    :class:`smug.Scan`, or the path of a file for :func:`smug.read`. The result has ``sigma`` and ``source``. Transforms
    are unitary and coil maps normalised, so ``sigma`` is about the noise of a pixel of the coil-combined image too, and
    ``sigma / smug.measurement_scale(y, A)`` that of the image as reconstructors see it. Raises what reading raises.

    >>> import smug
    >>> scan = smug.simulate(smug.head_phantom(seed=1)[None], smug.Acquisition(coils=8, noise=0.02))
    >>> print(smug.noise_level(scan))
    0.0201 (background of k-space)
    """
    if isinstance(scan, str | Path):
        scan = read(scan)
    if isinstance(scan, Volume):
        if scan.noise_sigma is not None:
            return NoiseLevel(scan.noise_sigma, "noise scan")
        return _median([estimated_noise(*scan.measured(i))[0] for i in spread(len(scan), MOST_SLICES)])
    return _median(estimated_noise(scan.y, cartesian(scan.A, "noise level").mask))


def _median(levels: Sequence[NoiseLevel]) -> NoiseLevel:
    """The level of most slices that have signal."""
    seen = [level for level in levels if level.source != NO_SIGNAL]
    if not seen:
        return NoiseLevel(None, NO_SIGNAL)
    known = [level.sigma for level in seen if level.sigma is not None]
    sources = Counter(level.source for level in seen if (level.sigma is None) == (2 * len(known) < len(seen)))
    return NoiseLevel(median(known) if 2 * len(known) >= len(seen) else None, sources.most_common(1)[0][0])
