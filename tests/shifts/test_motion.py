"""A patient who moves: which lines see it where."""

import math

import torch

from smug.shifts import drift, motion
from smug.shifts.lines import BLOCKS
from smug.shifts.motion import in_motion
from smug.shifts.rigid import moved

ONE = torch.tensor([7])


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
