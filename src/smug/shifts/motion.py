"""A patient who moves while a scan is made: suddenly, evenly, or from block to block of lines."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.models.noise import complex_normal, derive, entry_seeds, uniform
from smug.physics.sense import cartesian
from smug.shifts.lines import BLOCKS, SHIFT, block_of, time_of_centre, times
from smug.shifts.record import DIRECTION, PLACE, check_severity
from smug.shifts.rigid import moved
from smug.system.arguments import check_arguments


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
    time, centre = times(scan), time_of_centre(scan)
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
    return _in_motion(scan, moving[..., None] * poses, block_of(times(scan)))


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


def _central_block(scan: Scan) -> Tensor:
    """Return the block of lines in which the centre of k-space is acquired, ``(batch, 1)``."""
    return block_of(time_of_centre(scan))
