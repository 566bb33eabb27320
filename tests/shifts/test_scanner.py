"""Motion, spikes, ghosts and drifting gains: what each does, its size, and its derivative."""

import math
from dataclasses import replace

import pytest
import torch

from smug.data.scan import Scan
from smug.physics.sense import Sense
from smug.shifts import FAMILIES, drift, gain_drift, ghost, motion, spikes
from smug.shifts.lines import BLOCKS
from smug.shifts.motion import in_motion
from smug.shifts.rigid import moved, rotated
from smug.shifts.scanner import KNOTS, SPIKES, ghosted, spiked, with_gains


@pytest.fixture
def full(make):
    """All lines sampled, no noise, one slice in double precision."""
    scan = make(1, dtype=torch.complex128, noise=0.0)
    A = Sense(mask=torch.ones(1, scan.y.shape[-1], dtype=torch.bool), maps=scan.A.maps.to(torch.complex128))
    return replace(scan, y=A(scan.truth), A=A)


ONE = torch.tensor([7])


def test_a_shift_by_whole_pixels_is_a_roll():
    image = torch.zeros(1, 20, 24, dtype=torch.complex128)
    image[0, 8, 9] = 1
    shifted = moved(image, torch.zeros(1), torch.tensor([[3.0, -2.0]]))
    torch.testing.assert_close(shifted, image.roll((3, -2), (1, 2)), atol=1e-12, rtol=0)


def test_a_turn_is_that_of_the_shift_rotation(full):
    turned = moved(full.truth, torch.tensor([math.radians(7.0)]))
    torch.testing.assert_close(turned, rotated(full.truth, 7.0))


def test_what_leaves_the_field_of_view_does_not_come_back():
    image = torch.zeros(1, 16, 16, dtype=torch.complex128)
    image[0, 1, 8] = 1
    assert moved(image, torch.zeros(1), torch.tensor([[-4.0, 0.0]])).abs().max() < 1e-9


def test_lines_of_a_block_see_the_moved_patient_and_the_others_the_one_at_rest(full):
    poses = torch.zeros(1, BLOCKS, 3, dtype=torch.float64)
    poses[0, 0] = torch.tensor([1.5, -2.0, 3.0])
    y = in_motion(full, poses, ONE)
    there = moved(full.truth, torch.tensor([math.radians(3.0)]), torch.tensor([[1.5, -2.0]]))
    width = y.shape[-1]
    first = math.ceil((width - 1) / BLOCKS)  # lines 0 to 4 of 40: times below 1 / 8
    torch.testing.assert_close(y[..., :first], full.A(there)[..., :first])
    torch.testing.assert_close(y[..., first:], full.y[..., first:])


def test_the_centre_of_kspace_is_at_rest(full):
    """A pose of the block in the middle changes nothing, nor does any shift the line at the centre."""
    poses = torch.zeros(1, BLOCKS, 3, dtype=torch.float64)
    poses[0, BLOCKS // 2] = 3.0
    torch.testing.assert_close(in_motion(full, poses, ONE), full.y)
    centre = full.y.shape[-1] // 2
    for shift in (motion, drift):
        torch.testing.assert_close(shift(full, 2.0, ONE).y[..., centre], full.y[..., centre])


def test_a_sudden_move_is_by_so_many_pixels_and_degrees(full):
    """The moved lines are on one side, and are those of some image moved by 2 pixels and 2 degrees."""
    y = motion(full, 2.0, ONE).y
    changed = ~torch.isclose(y, full.y, atol=1e-9, rtol=0).all(2).all(1)[0]
    lines = changed.nonzero()[:, 0]
    assert 0 < len(lines) < len(changed)
    assert int(lines.max() - lines.min()) == len(lines) - 1
    assert lines.min() == 0 or lines.max() == len(changed) - 1

    def distances(turn, at):
        shift = 2 * torch.stack([at.sin(), at.cos()], 1)
        images = moved(full.truth.expand(len(at), -1, -1), torch.full((len(at),), math.radians(turn)), shift)
        return (full.A(images)[..., lines] - y[..., lines]).flatten(1).norm(dim=1) / y[..., lines].norm()

    seen = []
    for turn in (-2.0, 2.0):  # the nearest of 36 directions, then every half a degree around it
        at = torch.arange(36) * math.radians(10)
        near = at[distances(turn, at).argmin()] + torch.arange(-12, 13) * math.radians(0.5)
        seen.append(float(distances(turn, near).min()))
    assert min(seen) < 0.01


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


@pytest.mark.parametrize("name", FAMILIES)
def test_parameters_of_zero_change_nothing_and_others_have_a_derivative(make, name):
    scan = make(1, dtype=torch.complex128)
    scan = replace(scan, A=Sense(scan.A.mask, scan.A.maps.to(torch.complex128)))
    family = FAMILIES[name]
    dtype = torch.complex128 if family.is_complex else torch.float64
    zero = torch.zeros(1, *family.shape(scan), dtype=dtype)
    torch.testing.assert_close(family.apply(scan, zero, ONE), scan.y, atol=1e-10, rtol=1e-10)
    towards = torch.linspace(-1, 1, zero.numel()).double().reshape(zero.shape).to(dtype)
    parameters = (0.3 + 0.1 * towards).requires_grad_()

    def energy(p):
        return (family.apply(scan, p, ONE) - scan.y).abs().square().sum()

    (gradient,) = torch.autograd.grad(energy(parameters), parameters)
    step = 1e-5
    with torch.no_grad():
        slope = (energy(parameters + step * towards) - energy(parameters - step * towards)) / (2 * step)
    assert float((gradient.conj() * towards).real.sum()) == pytest.approx(float(slope), rel=1e-4)


def test_masks_of_points_are_served(make):
    scan = make(1, mask="poisson", acceleration=2.5)
    for shift, severity in ((motion, 1.0), (drift, 1.0), (spikes, 0.1), (ghost, 10.0), (gain_drift, 0.1)):
        y = shift(scan, severity, ONE).y
        assert not torch.equal(y, scan.y)
        assert not y[~scan.A.support(y)].any()
