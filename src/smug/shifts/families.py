"""Families of perturbations by patient and scanner, whose parameters an attack chooses.

The shifts of the same names are random members of them. All are differentiable in their parameters (see
:class:`smug.attacks.Family`), and zero parameters change nothing.
"""

from collections.abc import Callable, Mapping

from smug.attacks.family import Family
from smug.data.scan import Scan
from smug.shifts.lines import BLOCKS
from smug.shifts.motion import in_motion
from smug.shifts.off_resonance import POINTS, displaced
from smug.shifts.scanner import KNOTS, SPIKES, ghosted, spiked, with_gains


def _spike_shape(scan: Scan) -> tuple[int, ...]:
    return SPIKES, scan.y.shape[1]


def _gain_shape(scan: Scan) -> tuple[int, ...]:
    return scan.y.shape[1], KNOTS


def _field_shape(scan: Scan) -> tuple[int, ...]:
    return POINTS, POINTS


def _blocks_of(numbers: int) -> Callable[[Scan], tuple[int, ...]]:
    return lambda scan: (BLOCKS, numbers)


FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family("motion", "motion between blocks of lines", in_motion, _blocks_of(3), "linf", "pixels and degrees"),
        Family("spikes", "spikes in k-space", spiked, _spike_shape, "l2", "of the largest sample", is_complex=True),
        Family("ghost", "every second line out of phase", ghosted, _blocks_of(2), "linf", "degrees"),
        Family("gain-drift", "gains of the coils that drift", with_gains, _gain_shape, "linf", "of the gain"),
        Family("off-resonance", "a field that displaces along the readouts", displaced, _field_shape, "linf", "pixels"),
    )
}
"""Families of perturbations by patient and scanner, for :func:`smug.attacks.worst_of` and :func:`random_of`."""
