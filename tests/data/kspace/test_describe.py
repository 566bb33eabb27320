"""What is said of a volume."""

from dataclasses import replace

import pytest
import torch

from smug.data.geometry import Geometry
from smug.data.kspace.describe import described, sampling
from smug.data.kspace.volume import Volume
from smug.physics.masks import equispaced_lines, poisson_disc, random_lines

HEIGHT, WIDTH = 64, 60


def volume(mask: torch.Tensor | None = None, slices: int = 3, coils: int = 4) -> Volume:
    lines = torch.ones(1, WIDTH, dtype=torch.bool) if mask is None else mask
    kspace = tuple(torch.ones(slices, coils, HEIGHT, WIDTH, dtype=torch.complex64))
    return Volume("v", kspace, lines, WIDTH, mask is None, (HEIGHT, WIDTH))


def test_a_full_scan():
    v = replace(volume(), crop=(32, 60), frames=3, noise_sigma=0.0123, format="ISMRMRD", warnings=("odd",))
    told = described(replace(v, attributes={"prewhitening": "from 9 samples", "voxel_size": "assumed"}))
    assert told["format"] == "ISMRMRD" and told["slices"] == "3 slices in 3 frames, 4 coils"
    assert told["matrix"] == "64 x 60 samples (readout x phase), 60 of these lines encoded"
    assert told["sampling"] == "1.00x, all lines" and told["full scan"].startswith("yes")
    assert told["receiver noise"] == "0.0123 per real and imaginary part"
    assert told["prewhitening"] == "from 9 samples" and told["notes"] == ("voxel_size: assumed",)
    assert told["image"] == "32 x 60 pixels, the central part of 64 x 60"
    assert told["voxels"] == "1 x 1 x 1 mm (y, x, slice), of unknown orientation"
    assert told["coil maps"] == "by ESPIRiT, from its own 64 x 60 central samples"
    assert told["warnings"] == ("odd",)


def test_a_single_coil_with_a_place():
    place = Geometry.placed((1, 2, 3), torch.eye(3), (0, 0, 0))
    told = described(replace(volume(slices=1, coils=1), geometry=place))
    assert told["slices"] == "1 slice, 1 coil" and told["coil maps"] == "none: a single coil"
    assert told["voxels"] == "2 x 1 x 3 mm (y, x, slice), with a known place in the patient"
    assert told["receiver noise"].startswith("not known") and told["prewhitening"] == "none: no noise scan"


LINES = torch.arange(WIDTH)


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ((LINES % 4 == 2)[None], "4.00x, every 4th line"),
        (((LINES % 3 == 0) | ((LINES - 30).abs() < 5))[None], "every 3rd line"),
        (equispaced_lines(WIDTH, 4, 0.15, seed=0), "line"),
        (random_lines(WIDTH, 4, 0.1, seed=0), "4.00x, irregular lines"),
        ((LINES >= 12)[None], "1.25x, 48 lines without gaps, 12 to 59 (partial Fourier)"),
        (poisson_disc(HEIGHT, WIDTH, 4, 12, seed=0), "points in two dimensions"),
        (((torch.arange(HEIGHT) > 9)[:, None] & (LINES % 2 == 0))[None], "lines with an asymmetric echo"),
        (((torch.arange(HEIGHT) % 4 == 0)[:, None] & (LINES >= 0))[None], "lines along both axes"),
        (torch.stack([LINES % 2 == 0, LINES % 2 == 1, LINES % 2 == 0]), "2.00x, every 2nd line, of each slice its own"),
    ],
)
def test_kinds_of_sampling(mask, expected):
    assert expected in sampling(volume(mask))


def test_without_the_centre_there_are_no_maps_but_from_calibration():
    v = volume((LINES % 4 == 3)[None])
    told = described(v)
    assert told["central lines"].startswith("none") and told["coil maps"].startswith("none")
    lines = volume(((LINES - 30).abs() < 6)[None])
    assert (
        described(replace(v, calibration=lines))["coil maps"] == "by ESPIRiT, from 64 x 11 separate calibration samples"
    )
    assert described(lines)["central lines"] == "11"
