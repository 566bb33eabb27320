import pytest
import torch
from scipy import ndimage

from smug.data.scan import Scan
from smug.norm import NORMS
from smug.physics.sense import Sense
from smug.shifts import map_error, map_shift

size = NORMS["l2"].size


@pytest.mark.parametrize("severity", [1e-3, 0.05, 0.2])
def test_the_error_is_as_large_as_asked(scan, seeds, severity):
    wrong = map_error(scan, severity, seeds).A.maps
    ratio = size(wrong - scan.A.maps) / size(scan.A.maps)
    torch.testing.assert_close(ratio, torch.full_like(ratio, severity), rtol=severity / 4 + 1e-3, atol=0)


@pytest.mark.parametrize("shift", [map_error, map_shift])
@pytest.mark.parametrize("severity", [0.01, 0.2, 3.0])
def test_the_root_sum_of_squares_stays(scan, seeds, shift, severity):
    rss = shift(scan, severity, seeds).A.maps.norm(dim=1)
    torch.testing.assert_close(rss, torch.ones_like(rss), rtol=0, atol=1e-5)


@pytest.mark.parametrize("shift", [map_error, map_shift])
def test_where_maps_are_zero_they_stay_so_or_move(scan, seeds, shift):
    inside = torch.zeros(48, 40, dtype=torch.bool, device=scan.y.device)
    inside[10:30, 10:30] = True
    masked = Scan(scan.y, Sense(mask=scan.A.mask, maps=scan.A.maps * inside), scan.truth, scan.id)
    wrong = shift(masked, 0.5, seeds).A.maps
    far = torch.ones_like(inside)
    far[9:31, 9:31] = False
    assert wrong.isfinite().all()
    assert not wrong[..., far].any()
    if shift is map_error:
        assert not wrong[..., ~inside].any()


def test_smooth(scan, seeds):
    """Almost all of the error has at most three half periods over the field of view, whatever the matrix."""
    ratio = map_error(scan, 0.05, seeds).A.maps / scan.A.maps - 1
    for dim in (-2, -1):
        assert ratio.diff(dim=dim).abs().max() < 0.35 * ratio.abs().max()


def test_measurements_and_target_stay(scan, seeds):
    for shifted in (map_error(scan, 0.2, seeds), map_shift(scan, 3.0, seeds)):
        assert shifted.y is scan.y
        assert shifted.target is scan.target
        assert torch.equal(shifted.A.mask, scan.A.mask)


def test_of_one_coil_the_phase_is_wrong(scan, seeds):
    single = Sense(mask=scan.A.mask)
    scan = Scan(single(scan.truth), single, scan.truth, scan.id)
    maps = map_error(scan, 0.1, seeds).A.maps
    assert maps.shape == (2, 1, 48, 40)
    torch.testing.assert_close(maps.abs(), torch.ones_like(maps.real), rtol=0, atol=1e-5)
    assert maps.angle().abs().max() > 0.05


def test_maps_move_by_the_distance(scan):
    """Against scipy, with the displacement that fits best."""
    for seed in (1, 2, 3):
        moved = map_shift(scan[0], 2.0, torch.tensor([seed])).A.maps[0, 0].cpu().numpy()
        maps = scan.A.maps[0, 0].cpu().numpy()
        errors = {}
        for angle in range(0, 360, 5):
            step = (
                2.0 * torch.tensor([angle]).deg2rad().sin().item(),
                2.0 * torch.tensor([angle]).deg2rad().cos().item(),
            )
            expected = ndimage.shift(maps.real, step, order=1) + 1j * ndimage.shift(maps.imag, step, order=1)
            errors[angle] = abs((moved - expected)[5:-5, 5:-5]).max()
        assert min(errors.values()) < 0.005 < max(errors.values()) / 10
