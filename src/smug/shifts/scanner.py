"""What a scanner does wrong while a scan is made: spikes, ghosts of every second line, gains that drift."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.models.noise import complex_normal, derive, entry_seeds, uniform
from smug.physics.sense import cartesian
from smug.shifts.lines import BLOCKS, SHIFT, block_of, ranks, times
from smug.shifts.record import DIRECTION, PLACE, check_severity
from smug.system.arguments import check_arguments

SPIKES = 5
"""Spikes in a slice."""

KNOTS = 8
"""Times at which gains are given; between them they change linearly."""


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
    drawn = complex_normal(derive(seeds, DIRECTION), (SPIKES, scan.y.shape[1]), scan.y.dtype, scan.y.device)
    each = severity * drawn / torch.linalg.vector_norm(drawn, dim=2, keepdim=True)
    return replace(scan, y=spiked(scan, each / math.sqrt(SPIKES), seeds))


@check_arguments
def spiked(scan: Scan, amplitudes: Tensor, seeds: Tensor) -> Tensor:
    """Return measurements with spikes of ``amplitudes``, complex ``(batch, spike, coil)``, at places of the seeds.

    Amplitudes are relative to ``sqrt(spikes)`` times the largest sample, root sum of squares over coils: those of l2
    norm 1 in all are spikes that are on average as large as it.
    """
    cartesian(scan.A, SHIFT)
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
    time = times(scan)
    of_line = phases.double().gather(1, block_of(time)[:, :, None].expand(-1, -1, 2))
    sign = 0.5 - (ranks(scan) % 2).double()
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
    position = times(scan).clamp(0, 1).to(changes.dtype) * (KNOTS - 1)
    before = position.floor().long().clamp(0, KNOTS - 2)
    share = (position - before)[:, None]
    expanded = before[:, None].expand(-1, changes.shape[1], -1)
    gain = 1 + (1 - share) * changes.gather(2, expanded) + share * changes.gather(2, expanded + 1)
    return scan.y * gain[:, :, None]


def _along_y(values: Tensor, *, inverse: bool = False) -> Tensor:
    """Transform along the readouts, y, centred and unitary."""
    transform = torch.fft.ifft if inverse else torch.fft.fft
    shifted: Tensor = torch.fft.ifftshift(values, dim=-2)
    transformed: Tensor = torch.fft.fftshift(transform(shifted, dim=-2, norm="ortho"), dim=-2)
    return transformed
