"""Shifts: what a reconstructor meets in use that it was not made for, one function each.

``shift(scan, severity, seeds) -> Scan``: a slice of the result depends on that slice and its seed alone, and without
severity the measurements stay as they are, bit for bit. Shifts of the reconstructor itself are in
:mod:`smug.shifts.model`. Another anatomy is no function of a scan but another data set: ``smug evaluate --data knee``.
"""

from collections.abc import Mapping

from smug.shifts.families import FAMILIES
from smug.shifts.feature import insertion, lesion, recovered, spurious
from smug.shifts.maps import map_error, map_shift
from smug.shifts.model import sigma, steps
from smug.shifts.motion import drift, motion
from smug.shifts.noise import noise, noise_in_range
from smug.shifts.off_resonance import off_resonance
from smug.shifts.record import Shift
from smug.shifts.sampling import acceleration, mask_kind, mask_redraw
from smug.shifts.scanner import gain_drift, ghost, spikes
from smug.shifts.target import contrast, rotation

__all__ = [
    "FAMILIES",
    "SHIFTS",
    "Shift",
    "acceleration",
    "contrast",
    "drift",
    "gain_drift",
    "ghost",
    "insertion",
    "lesion",
    "map_error",
    "map_shift",
    "mask_kind",
    "mask_redraw",
    "motion",
    "noise",
    "noise_in_range",
    "off_resonance",
    "recovered",
    "rotation",
    "sigma",
    "spikes",
    "spurious",
    "steps",
]

_RELATIVE = (0.0025, 0.005, 0.01, 0.015, 0.02, 0.025, 0.05)
_KINDS = ("random", "equispaced", "variable-density", "poisson")

SHIFTS: Mapping[str, Shift] = {
    shift.name: shift
    for shift in (
        Shift("noise", "white Gaussian noise on the sampled entries", noise, _RELATIVE, "relative l2"),
        Shift("noise-in-range", "Gaussian noise in the range of A", noise_in_range, _RELATIVE, "relative l2"),
        Shift("acceleration", "a mask of the same kind at another rate", acceleration, (2.0, 3.0, 4.0, 6.0, 8.0), "x"),
        Shift("mask-kind", "a mask of another kind at the same rate", mask_kind, _KINDS, "kind"),
        Shift("mask-redraw", "another draw of the same kind of mask", mask_redraw, (1.0, 2.0, 3.0), "draw"),
        Shift("map-error", "smooth errors of the coil maps", map_error, (0.02, 0.05, 0.1, 0.2), "relative l2"),
        Shift("map-shift", "coil maps that are out of place", map_shift, (1.0, 2.0, 4.0, 8.0), "pixels"),
        Shift("rotation", "the object turned", rotation, (1.0, 2.5, 5.0, 10.0, 20.0), "degrees"),
        Shift("contrast", "the object's magnitudes to the power of gamma", contrast, (0.7, 1.4, 2.0), "gamma"),
        Shift("lesion", "a small feature inserted", insertion, (0.05, 0.1, 0.2, 0.4), "of the image's maximum"),
        Shift("motion", "a sudden move at a random line", motion, (0.5, 1.0, 2.0, 4.0), "pixels and degrees"),
        Shift("drift", "a patient who drifts during the scan", drift, (0.5, 1.0, 2.0, 4.0), "pixels and degrees"),
        Shift("spikes", "five spikes in k-space", spikes, (0.05, 0.1, 0.2, 0.5), "of the largest sample"),
        Shift("ghost", "every second line out of phase", ghost, (5.0, 10.0, 20.0, 40.0), "degrees"),
        Shift("gain-drift", "gains of the coils that drift", gain_drift, (0.02, 0.05, 0.1, 0.2), "of the gain"),
        Shift(
            "off-resonance", "a field that displaces along the readouts", off_resonance, (0.5, 1.0, 2.0, 4.0), "pixels"
        ),
    )
}
"""All shifts of scans by name, with their usual severities."""
