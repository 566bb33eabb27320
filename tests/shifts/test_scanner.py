"""Spikes, ghosts and drifting gains: what each does, and its size."""

import math
from dataclasses import replace

import pytest
import torch

from smug.data.scan import Scan
from smug.physics.sense import Sense
from smug.shifts import drift, gain_drift, ghost, motion, spikes
from smug.shifts.lines import BLOCKS
from smug.shifts.scanner import KNOTS, SPIKES, ghosted, spiked, with_gains

ONE = torch.tensor([7])


def test_spikes_have_their_size_and_places(full):
    severity = 0.3
    added = spikes(full, severity, ONE).y - full.y
    over_coils = added.norm(dim=1)
    assert int((over_coils > 1e-12).sum()) == SPIKES
    largest = full.y.norm(dim=1).max()
    sizes = over_coils[over_coils > 1e-12]
    torch.testing.assert_close(sizes, (severity * largest).expand(SPIKES))


def test_amplitudes_of_norm_1_are_spikes_as_large_as_the_largest_sample(full):
    amplitudes = torch.full((1, SPIKES, 4), 1 / math.sqrt(4 * SPIKES), dtype=torch.complex128)
    added = spiked(full, amplitudes, ONE) - full.y
    assert float(added.norm()) == pytest.approx(math.sqrt(SPIKES) * float(full.y.norm(dim=1).max()))


def test_a_constant_phase_between_lines_makes_a_ghost_at_half_the_field_of_view():
    """A point of all lines: cos(phi / 2) of it stays, sin(phi / 2) appears N / 2 pixels away."""
    image = torch.zeros(1, 16, 16, dtype=torch.complex128)
    image[0, 5, 3] = 1
    A = Sense(mask=torch.ones(1, 16, dtype=torch.bool), maps=torch.ones(1, 1, 1, 1, dtype=torch.complex128))
    scan = Scan(A(image), A, image, ("point",))
    phases = torch.tensor([40.0, 0.0]).double().expand(1, BLOCKS, 2)
    seen = A.H(ghosted(scan, phases, ONE)).abs()[0]
    assert float(seen[5, 3]) == pytest.approx(math.cos(math.radians(20)))
    assert float(seen[5, 11]) == pytest.approx(math.sin(math.radians(20)))


def test_the_shift_of_readouts_is_a_phase_that_grows_to_the_edge(full):
    """180 degrees at the edge are one sample between even and odd lines, half for either."""
    phases = torch.tensor([0.0, 360.0]).double().expand(1, BLOCKS, 2)
    y = ghosted(full, phases, ONE)
    torch.testing.assert_close(y[..., 0::2], full.y[..., 0::2].roll(1, -2))
    torch.testing.assert_close(y[..., 1::2], full.y[..., 1::2].roll(-1, -2))


def test_ghosts_of_opposite_phase_undo_each_other(full):
    phases = torch.linspace(-20, 20, 2 * BLOCKS).double().reshape(1, BLOCKS, 2)
    there = ghosted(full, phases, ONE)
    torch.testing.assert_close(ghosted(replace(full, y=there), -phases, ONE), full.y)
    assert not torch.allclose(there, full.y)
    assert float(there.norm()) == pytest.approx(float(full.y.norm()))


def test_gains_are_linear_between_their_times(full):
    changes = torch.zeros(1, 4, KNOTS, dtype=torch.float64)
    changes[0, 2] = torch.linspace(-0.2, 0.2, KNOTS)
    ratio = (with_gains(full, changes, ONE) / full.y).real
    expected = 1 + torch.linspace(-0.2, 0.2, full.y.shape[-1], dtype=torch.float64)
    torch.testing.assert_close(ratio[0, 2], expected.expand_as(ratio[0, 2]))
    torch.testing.assert_close(ratio[0, 1], torch.ones_like(ratio[0, 1]))


def test_gain_drift_has_its_size(full):
    ratio = (gain_drift(full, 0.1, ONE).y / full.y - 1).abs()
    assert float(ratio.max()) == pytest.approx(0.1)


def test_a_ghost_has_the_phase_of_its_severity(full):
    y = ghost(full, 10.0, ONE).y
    lines = [torch.fft.ifft(torch.fft.ifftshift(k, dim=-2), dim=-2) for k in (y, full.y)]
    angle = (lines[0] * lines[1].conj()).angle()[..., 0, :]  # the row at the centre, where readouts do not matter
    difference = (angle[..., 1::2] - angle[..., 0::2]).abs()
    torch.testing.assert_close(torch.rad2deg(difference), torch.full_like(difference, 10.0))


def test_masks_of_points_are_served(make):
    scan = make(1, mask="poisson", acceleration=2.5)
    for shift, severity in ((motion, 1.0), (drift, 1.0), (spikes, 0.1), (ghost, 10.0), (gain_drift, 0.1)):
        y = shift(scan, severity, ONE).y
        assert not torch.equal(y, scan.y)
        assert not y[~scan.A.support(y)].any()
