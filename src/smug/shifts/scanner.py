"""What goes wrong while a scan is made: motion between lines, spikes, ghosts of every second line, gains that drift.

Time runs along the lines of k-space that are sampled, from left to right (columns, where a mask is no line mask). Each
perturbation is a family with parameters, see :class:`smug.attacks.Family`, and a shift with a severity whose random
member it is. All are differentiable in their parameters, and zero parameters change nothing.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from smug.attacks.family import Family
from smug.data.scan import Scan
from smug.models.noise import complex_normal, derive, entry_seeds, uniform
from smug.physics.sense import cartesian
from smug.shifts.record import DIRECTION, PLACE, check_severity
from smug.shifts.rigid import moved
from smug.system.arguments import check_arguments

SHIFT = "shift of the scanner"

BLOCKS = 8
"""Blocks of consecutive lines during which the patient lies still, and in which the ghost of a family is constant."""

SPIKES = 5
"""Spikes in a slice."""

KNOTS = 8
"""Times at which gains are given; between them they change linearly."""


@check_arguments
def motion(scan: Scan, severity: float, seeds: Tensor) -> Scan:
    """Move the patient suddenly at a random line: by ``severity`` pixels in a random direction and as many degrees.

    The lines on the side of the centre of k-space show the patient at rest. Raises ValueError for a scan without
    target.
    """
    check_severity("motion", severity)
    if severity == 0:
        return scan
    seeds = entry_seeds(seeds, len(scan.y))
    time = _time(scan)
    centre = _centre(scan, time)
    at = uniform(derive(seeds, PLACE)).to(time)[:, None]
    after = (time > at) != (centre > at)
    poses = torch.stack([torch.zeros(len(seeds), 3), severity * _direction(seeds)], dim=1)
    return replace(scan, y=_in_motion(scan, poses.to(scan.y.real), after.long()))


@check_arguments
def drift(scan: Scan, severity: float, seeds: Tensor) -> Scan:
    """Let the patient drift evenly, in all by ``severity`` pixels in a random direction and as many degrees.

    While the centre of k-space is acquired, the patient is at rest; between are 8 positions. Raises ValueError for a
    scan without target.
    """
    check_severity("motion drift", severity)
    if severity == 0:
        return scan
    seeds = entry_seeds(seeds, len(scan.y))
    progress = torch.arange(BLOCKS) / (BLOCKS - 1)
    since_centre = progress - progress[_central_block(scan).cpu()]
    poses = (severity * _direction(seeds)[:, None] * since_centre[..., None]).to(scan.y.real)
    return replace(scan, y=in_motion(scan, poses, seeds))


@check_arguments
def in_motion(scan: Scan, poses: Tensor, seeds: Tensor) -> Tensor:
    """Return the measurements of a patient who moves: ``poses`` real ``(batch, 8, 3)`` of equal blocks of lines.

    A pose is pixels along y, pixels along x and degrees counterclockwise. During the block that holds the centre of
    k-space the patient is at rest, whatever its pose is said to be: there is no harm in lying elsewhere all the time.
    Raises ValueError for a scan without target.
    """
    moving = torch.arange(BLOCKS, device=poses.device) != _central_block(scan)
    return _in_motion(scan, moving[..., None] * poses, _block(_time(scan)))


@check_arguments
def spikes(scan: Scan, severity: float, seeds: Tensor) -> Scan:
    """Add 5 spikes at random sampled places, each of ``severity`` times the largest sample over all coils.

    Phases, and how a spike is spread over the coils, are random.
    """
    check_severity("spikes", severity)
    cartesian(scan.A, SHIFT)
    if severity == 0:
        return scan
    seeds = entry_seeds(seeds, len(scan.y))
    drawn = complex_normal(derive(seeds, DIRECTION), _spike_shape(scan), scan.y.dtype, scan.y.device)
    each = severity * drawn / torch.linalg.vector_norm(drawn, dim=2, keepdim=True)
    return replace(scan, y=spiked(scan, each / math.sqrt(SPIKES), seeds))


@check_arguments
def spiked(scan: Scan, amplitudes: Tensor, seeds: Tensor) -> Tensor:
    """Return measurements with spikes of ``amplitudes``, complex ``(batch, spike, coil)``, at places of the seeds.

    Amplitudes are relative to ``sqrt(spikes)`` times the largest sample, root sum of squares over coils: those of l2
    norm 1 in all are spikes that are on average as large as it.
    """
    y, sampled = scan.y, scan.A.support(scan.y).any(1)
    largest = torch.linalg.vector_norm(y, dim=1).flatten(1).amax(1)
    added = []
    for i, seed in enumerate(derive(seeds, PLACE)):
        places = sampled[i].flatten().nonzero()[:, 0]
        draws = uniform(derive(seed.expand(len(places)) + torch.arange(len(places)), PLACE))
        chosen = places[draws.argsort()[:SPIKES].to(places.device)]
        values = math.sqrt(SPIKES) * largest[i] * amplitudes[i, : len(chosen)].T
        added.append(torch.zeros_like(y[i]).flatten(1).index_add(1, chosen, values).reshape(y[i].shape))
    return y + scan.A.sampled * torch.stack(added)


@check_arguments
def ghost(scan: Scan, severity: float, seeds: Tensor) -> Scan:
    """Put a phase of ``severity`` degrees between every second line and the others, and shift their readouts.

    The shift is ``severity / 180`` of a sample, which adds as much phase at the edge of the field of view. Both signs
    are random.
    """
    check_severity("ghost", severity)
    if severity == 0:
        return scan
    seeds = entry_seeds(seeds, len(scan.y))
    signs = torch.stack([(uniform(derive(seeds, DIRECTION, i)) < 0.5).double() * 2 - 1 for i in range(2)], dim=1)
    phases = severity * signs.to(scan.y.real)[:, None].expand(-1, BLOCKS, -1)
    return replace(scan, y=ghosted(scan, phases, seeds))


@check_arguments
def ghosted(scan: Scan, phases: Tensor, seeds: Tensor) -> Tensor:
    """Return measurements whose even and odd lines differ, by ``phases`` in degrees, real ``(batch, 8, 2)``.

    They are, for each of 8 equal blocks of lines, the phase between the two and what a shift of the readouts, along y,
    adds to it at the edge of the field of view. Half of each is given to either; even and odd count sampled lines.
    """
    time = _time(scan)
    of_line = phases.double().gather(1, _block(time)[:, :, None].expand(-1, -1, 2))
    sign = 0.5 - (_rank(scan) % 2).double()
    constant, edge = (math.pi / 180 * sign * of_line[..., i] for i in range(2))
    height = scan.y.shape[-2]
    place = (torch.arange(height, dtype=torch.float64, device=scan.y.device) - height // 2) / (height / 2)
    angle = constant[:, None, None, :] + edge[:, None, None, :] * place[:, None]
    factor = torch.polar(torch.ones_like(angle), angle).to(scan.y.dtype)
    lines = _along_y(scan.y, inverse=True)
    return scan.A.sampled * _along_y(factor * lines)


@check_arguments
def gain_drift(scan: Scan, severity: float, seeds: Tensor) -> Scan:
    """Let the gain of every coil drift evenly, from one sign to the other: up to ``severity``, 0.05 is 5 %.

    How much and in which direction is random; at least one coil drifts by all of it.
    """
    check_severity("gain drift", severity)
    if severity == 0:
        return scan
    seeds = entry_seeds(seeds, len(scan.y))
    slope = complex_normal(derive(seeds, DIRECTION), (scan.y.shape[1],), torch.complex128).real.to(scan.y.device)
    slope = severity * slope / slope.abs().amax(1, keepdim=True)
    curve = torch.linspace(-1, 1, KNOTS, dtype=torch.float64, device=scan.y.device)
    return replace(scan, y=with_gains(scan, (slope[:, :, None] * curve).to(scan.y.real), seeds))


@check_arguments
def with_gains(scan: Scan, changes: Tensor, seeds: Tensor) -> Tensor:
    """Return measurements by coils of gain ``1 + changes``, real ``(batch, coil, 8)`` at times evenly spread.

    Between them gains change linearly.
    """
    position = _time(scan).clamp(0, 1).to(changes.dtype) * (KNOTS - 1)
    before = position.floor().long().clamp(0, KNOTS - 2)
    share = (position - before)[:, None]
    expanded = before[:, None].expand(-1, changes.shape[1], -1)
    gain = 1 + (1 - share) * changes.gather(2, expanded) + share * changes.gather(2, expanded + 1)
    return scan.y * gain[:, :, None]


def _in_motion(scan: Scan, poses: Tensor, pose_of_line: Tensor) -> Tensor:
    """Return measurements whose lines, ``(batch, x)``, see the target in one of the ``poses (batch, pose, 3)``."""
    A, target = cartesian(scan.A, SHIFT), scan.truth
    batch, count = poses.shape[:2]
    images = target[:, None].expand(-1, count, -1, -1).flatten(0, 1)
    flat = poses.flatten(0, 1)
    at_pose = moved(images, math.pi / 180 * flat[:, 2], flat[:, :2]).reshape(batch, count, *target.shape[-2:])
    change = torch.zeros_like(scan.y)
    for pose in range(count):
        lines = (pose_of_line == pose)[:, None, None]
        change = change + lines * A(at_pose[:, pose] - target)
    return scan.y + change


def _direction(seeds: Tensor) -> Tensor:
    """Return a unit of motion: a random direction of one pixel, and one degree either way; real ``(batch, 3)``."""
    drawn = complex_normal(derive(seeds, DIRECTION), (), torch.complex128)
    turn = (uniform(derive(seeds, DIRECTION, 1)) < 0.5).double() * 2 - 1
    return torch.stack([drawn.angle().sin(), drawn.angle().cos(), turn], dim=1)


def _lines(scan: Scan) -> Tensor:
    """Return which lines are sampled, anywhere along y; ``bool (batch, x)``."""
    A = cartesian(scan.A, SHIFT)
    lines = A.mask if A.is_line_mask else A.mask.any(-2)
    return lines.expand(len(scan.y), -1)


def _rank(scan: Scan) -> Tensor:
    """Return the number of each line among those that are sampled, ``(batch, x)``; that of others means nothing."""
    return (_lines(scan).long().cumsum(1) - 1).clamp_min(0)


def _time(scan: Scan) -> Tensor:
    """Return when each line is acquired, from 0 to 1; float64 ``(batch, x)``."""
    rank = _rank(scan).double()
    return rank / rank.amax(1, keepdim=True).clamp_min(1)


def _centre(scan: Scan, time: Tensor) -> Tensor:
    """Return when the sampled line nearest to the centre of k-space is acquired, ``(batch, 1)``."""
    distance = (torch.arange(time.shape[1], device=time.device) - time.shape[1] // 2).abs()
    nearest = torch.where(_lines(scan), distance, time.shape[1]).argmin(1, keepdim=True)
    return time.gather(1, nearest)


def _central_block(scan: Scan) -> Tensor:
    """Return the block of lines in which the centre of k-space is acquired, ``(batch, 1)``."""
    return _block(_centre(scan, _time(scan)))


def _block(time: Tensor) -> Tensor:
    return (time * BLOCKS).long().clamp_max(BLOCKS - 1)


def _along_y(values: Tensor, *, inverse: bool = False) -> Tensor:
    """Transform along the readouts, y, centred and unitary."""
    transform = torch.fft.ifft if inverse else torch.fft.fft
    shifted: Tensor = torch.fft.ifftshift(values, dim=-2)
    transformed: Tensor = torch.fft.fftshift(transform(shifted, dim=-2, norm="ortho"), dim=-2)
    return transformed


def _spike_shape(scan: Scan) -> tuple[int, ...]:
    return SPIKES, scan.y.shape[1]


def _blocks_of(numbers: int) -> Callable[[Scan], tuple[int, ...]]:
    return lambda scan: (BLOCKS, numbers)


def _gain_shape(scan: Scan) -> tuple[int, ...]:
    return scan.y.shape[1], KNOTS


FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family("motion", "motion between blocks of lines", in_motion, _blocks_of(3), "linf", "pixels and degrees"),
        Family("spikes", "spikes in k-space", spiked, _spike_shape, "l2", "of the largest sample", is_complex=True),
        Family("ghost", "every second line out of phase", ghosted, _blocks_of(2), "linf", "degrees"),
        Family("gain-drift", "gains of the coils that drift", with_gains, _gain_shape, "linf", "of the gain"),
    )
}
"""Families of perturbations by patient and scanner, for :func:`smug.attacks.worst_of` and :func:`random_of`."""
