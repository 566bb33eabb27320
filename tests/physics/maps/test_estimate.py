"""Maps without holes: against known ones, dark middles, few lines, odd coils, measured data."""

import math

import pytest
import torch

from smug.data.phantom import head_phantom
from smug.metrics import head_mask
from smug.physics.fourier import fft2c, ifft2c
from smug.physics.maps.eigenvectors import Espirit, espirit
from smug.physics.maps.estimate import espirit_maps, estimate_maps
from smug.physics.maps.simulated import simulated_maps
from smug.physics.maps.support import signal_support
from smug.physics.masks import random_lines


def central(width, lines):
    mask = torch.zeros(1, width, dtype=torch.bool)
    mask[:, width // 2 - lines // 2 : width // 2 - lines // 2 + lines] = True
    return mask


def dark_middle(coils, size, profile_width, noise, seed=0):
    """K-space, true coil images and head of an image that is 20 times darker in the middle than at the rim."""
    y, x = (torch.linspace(-1, 1, n) for n in size)
    image = head_phantom(seed, size) * (0.06 + y[:, None] ** 2 + x**2)
    image = image / image.abs().max()
    images = simulated_maps(coils, *size, seed=seed, profile_width=profile_width) * image
    generator = torch.Generator().manual_seed(seed)
    kspace = fft2c(images)
    return (
        kspace + noise * torch.randn(kspace.shape, dtype=kspace.dtype, generator=generator),
        images,
        head_mask(image.reshape(1, *size)),
    )


def explained(maps, images, head):
    """Energy of coil images over that outside the span of the maps, inside the head, in dB."""
    rest = images - maps * (maps.conj() * images).sum(1, keepdim=True)
    inside = head[:, None]
    return 10 * math.log10(float((images * inside).abs().square().sum() / (rest * inside).abs().square().sum()))


def hole(maps, head):
    return float((maps.abs().square().sum(1) < 0.5)[head].float().mean())


CASES = {
    # coils, size, profile width, noise, lines, least dB, gain on ESPIRiT with its usual settings
    "16 coils, 96": (16, (96, 96), 0.5, 0.003, 8, 39, 10),
    "16 coils, noise": (16, (96, 96), 0.5, 0.03, 8, 27, 1),
    "16 coils, few lines": (16, (160, 128), 0.3, 0.01, 5, 26, 2),
    "8 coils": (8, (128, 128), 0.5, 0.01, 10, 38, 3),
    "4 coils": (4, (192, 192), 1.2, 0.01, 15, 38, 0),
    "2 coils": (2, (128, 128), 1.2, 0.005, 10, 36, 0),
}


@pytest.mark.parametrize("case", CASES)
def test_known_maps_are_found_and_have_no_hole(case):
    coils, size, profile_width, noise, lines, least, gain = CASES[case]
    kspace, images, head = dark_middle(coils, size, profile_width, noise)
    mask = central(size[1], lines)
    maps = espirit_maps(kspace, mask)
    usual = espirit(kspace, mask).maps
    assert hole(maps, head) == 0
    assert explained(maps, images, head) > least
    assert explained(maps, images, head) > explained(usual, images, head) + gain


def test_the_usual_settings_leave_a_hole():
    kspace, _, head = dark_middle(16, (96, 96), 0.3, 0.003)
    assert hole(espirit(kspace, central(96, 8)).maps, head) > 0.003
    assert hole(espirit_maps(kspace, central(96, 8)), head) == 0


@pytest.mark.parametrize(("coils", "side"), [(1, 6), (2, 6), (3, 5), (4, 4), (5, 4), (6, 3), (16, 3)])
def test_the_fewer_the_coils_the_larger_the_kernel(coils, side):
    kspace, _, _ = dark_middle(coils, (64, 64), 0.3, 0)
    assert estimate_maps(kspace, central(64, 16)).kernels == ((side, side),)


def test_dead_and_doubled_coils_do_not_count():
    kspace, images, head = dark_middle(4, (96, 96), 0.8, 0.005)
    mask = central(96, 16)
    alone = explained(espirit_maps(kspace, mask), images, head)
    for other in (0 * kspace, 1e-4 * torch.randn(kspace.shape, generator=torch.Generator().manual_seed(0)), kspace):
        result = estimate_maps(torch.cat([kspace, other], 1), mask)
        assert result.kernels == ((4, 4),)
        more = torch.cat([images, images if other is kspace else 0 * images], 1)
        assert explained(result.maps, more, head) > alone - 1


def test_maps_are_one_on_the_support_and_zero_elsewhere():
    kspace, _, head = dark_middle(8, (96, 80), 0.5, 0.003)
    mask = central(80, 16)
    support = signal_support(kspace, mask)
    length = espirit_maps(kspace, mask).abs().square().sum(1)
    torch.testing.assert_close(length, support.float(), atol=1e-5, rtol=0)
    assert support[head].all()
    assert (~support).float().mean() > 0.05


def test_support_has_no_holes_and_knows_no_unit():
    """A ring is filled, its surroundings are not."""
    y, x = (torch.arange(64) - 32.0 for _ in range(2))
    radius = (y[:, None] ** 2 + x**2).sqrt()
    ring = ((radius > 14) & (radius < 20)).to(torch.complex64)
    kspace, mask = fft2c(ring[None, None]), torch.ones(1, 64, dtype=torch.bool)
    for unit in (1, 1e-30, 1e30):
        support = signal_support(unit * kspace, mask)[0]
        assert support[radius < 20].all()
        assert not support[radius > 27].any()
    assert not signal_support(0 * kspace, mask).any()


def test_every_slice_is_on_its_own_and_nothing_is_random():
    kspace = dark_middle(4, (64, 64), 0.8, 0.01)[0]
    batch = torch.cat([kspace, 1e3 * kspace.flip(-1), 0 * kspace])
    masks = torch.cat([central(64, 16), central(64, 9), central(64, 12)])
    together = estimate_maps(batch, masks)
    for i in range(3):
        alone = estimate_maps(batch[i : i + 1], masks[i : i + 1])
        assert torch.equal(together.maps[i], alone.maps[0])
        assert torch.equal(together.eigenvalues[i], alone.eigenvalues[0])
        assert together.kernels[i] == alone.kernels[0]
    assert not together.maps[2].any()


def test_only_the_calibration_region_matters():
    kspace, _, _ = dark_middle(8, (64, 64), 0.5, 0.01)
    mask = random_lines(64, 3, 0.2, seed=0)
    alone = torch.where(central(64, 13)[:, None, None], kspace, 0)
    assert torch.equal(espirit_maps(kspace * mask[:, None, None], mask), espirit_maps(alone, mask))


@pytest.mark.parametrize("name", ["brain_16ch_96", "brain_t1_4ch"])
@pytest.mark.parametrize("lines", [0.06, 0.08])
def test_measured_heads_have_no_hole_and_are_explained_like_by_maps_of_all_data(data_root, name, lines):
    import h5py

    path = data_root / "multicoil_kspace" / f"{name}.h5"
    if not path.is_file():
        pytest.skip(f"needs measured k-space: {path.name} is not in the data folder")
    with h5py.File(path) as file:
        kspace = torch.from_numpy(file["kspace"][:]).to(torch.complex64)
    images = ifft2c(kspace)
    head = head_mask(torch.linalg.vector_norm(images, dim=1))
    width = kspace.shape[-1]
    maps = espirit_maps(kspace, central(width, round(width * lines)))
    full = espirit(kspace, torch.ones(1, width, dtype=torch.bool), Espirit(crop=0)).maps
    assert hole(maps, head) == 0
    assert explained(maps, images, head) > explained(full, images, head) - (5 if lines == 0.08 else 8)
