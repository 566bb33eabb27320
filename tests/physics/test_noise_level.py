"""The noise of a scan, estimated from its k-space."""

import pytest
import torch
from torch import Tensor

from smug.data.phantom import head_phantom
from smug.data.simulate import Acquisition, simulate
from smug.physics.fourier import fft2c, ifft2c
from smug.physics.noise_level import estimated_noise

NOISE = 0.01


def scan(size=128, coils=4, mask="random", rate=3.0, noise=NOISE, seed=0):
    """The k-space of a phantom, and what of it is sampled."""
    acquisition = Acquisition(coils=coils, acceleration=rate, mask=mask, noise=noise)
    simulated = simulate(head_phantom(seed, size)[None], acquisition, [seed])
    return simulated.y, simulated.A.mask


@pytest.mark.parametrize("noise", [0.003, 0.01, 0.05])
@pytest.mark.parametrize(
    ("mask", "rate", "coils", "size"),
    [
        ("random", 1.0, 1, 96),
        ("random", 4.0, 8, 128),
        ("equispaced", 3.0, 4, 192),
        ("variable-density", 2.0, 2, 128),
        ("equispaced", 8.0, 16, 128),
        ("poisson", 2.0, 16, 128),
        ("poisson", 8.0, 32, 160),
    ],
)
def test_it_is_within_a_tenth_of_the_truth(noise, mask, rate, coils, size):
    for seed in (1, 2):
        (level,) = estimated_noise(*scan(size, coils, mask, rate, noise, seed))
        assert level.sigma == pytest.approx(noise, rel=0.1)


def test_few_scans_are_unknown_and_no_level_is_wrong():
    levels = [
        estimated_noise(*scan(96, coils, mask, rate, noise, seed=10 + coils))[0].sigma
        for coils in (1, 4, 12)
        for mask in ("random", "equispaced", "poisson")
        for rate in (2.0, 5.0)
        for noise in (0.004, 0.03)
    ]
    known = [level for level in levels if level is not None]
    assert len(known) >= 0.7 * len(levels)  # of small matrices, a third with a single coil
    truths = [0.004 if level < 0.01 else 0.03 for level in known]
    assert all(level == pytest.approx(truth, rel=0.12) for level, truth in zip(known, truths, strict=True))


def taper(size: int) -> Tensor:
    return torch.hann_window(size, periodic=True)


def masked(y: Tensor) -> Tensor:
    """K-space of the images with everything outside of a disc set to zero."""
    place = torch.linspace(-1, 1, y.shape[-1])
    return fft2c(ifft2c(y) * (place[:, None].square() + place.square() < 0.7))


def padded(y: Tensor, axis: int) -> Tensor:
    """K-space whose outer half is zero."""
    size = y.shape[axis]
    y = y.clone()
    y.narrow(axis, 0, size // 4).zero_()
    y.narrow(axis, size - size // 4, size // 4).zero_()
    return y


PROCESSED = {
    "filtered along y": lambda y: y * taper(y.shape[-2])[:, None],
    "filtered along x": lambda y: y * taper(y.shape[-1]),
    "filtered": lambda y: y * taper(y.shape[-2])[:, None] * taper(y.shape[-1]),
    "zero-filled along y": lambda y: padded(y, -2),
    "zero-filled along x": lambda y: padded(y, -1),
    "masked": masked,
    "rounded": lambda y: torch.view_as_complex((torch.view_as_real(y) / (2 * NOISE)).round() * 2 * NOISE),
}


@pytest.mark.parametrize("name", PROCESSED)
@pytest.mark.parametrize("coils", [1, 8])
@pytest.mark.parametrize("rate", [1.0, 3.0])
def test_noise_that_was_processed_is_unknown(name, coils, rate):
    y, _ = scan(128, coils, rate=1.0)
    y, mask = PROCESSED[name](y), scan(128, 1, rate=rate)[1]
    assert estimated_noise(y * mask[:, None, None], mask)[0].sigma is None


def test_an_image_without_noise_has_none_that_is_known():
    assert {estimated_noise(*scan(noise=0, coils=c, rate=r))[0].sigma for c in (1, 4) for r in (1.0, 3.0)} == {None}


def test_fine_rounding_does_no_harm():
    y, mask = scan()
    rounded = torch.view_as_complex((torch.view_as_real(y) / (NOISE / 2)).round() * NOISE / 2)
    assert estimated_noise(rounded, mask)[0].sigma == pytest.approx(NOISE, rel=0.1)


def test_a_broken_coil_and_a_spike_do_no_harm():
    y, mask = scan(coils=8, rate=2.0)
    y[:, 3] *= 50
    line = int(mask[0].nonzero()[5])
    y[..., 40, line] += 30
    assert estimated_noise(y, mask)[0].sigma == pytest.approx(NOISE, rel=0.15)


def test_it_follows_the_measurements_in_any_unit():
    y, mask = scan()
    (level,) = estimated_noise(y, mask)
    for factor in (1e-15, 3.0, 1e12):
        assert estimated_noise(factor * y, mask)[0].sigma == pytest.approx(factor * level.sigma, rel=1e-4)
    assert estimated_noise(y.to(torch.complex128), mask)[0].sigma == pytest.approx(level.sigma, rel=1e-4)


def test_each_scan_of_a_batch_is_as_alone():
    (a, mask), (b, _) = scan(noise=0.01), scan(noise=0.03)
    masks = torch.cat([mask, scan(seed=1)[1]])
    b = masks[1][None, None, None] * scan(noise=0.03, rate=1.0)[0]
    together = estimated_noise(torch.cat([a, b]), masks)
    assert together == estimated_noise(a, mask) + estimated_noise(b, masks[1:])


def test_what_was_not_sampled_has_no_influence():
    y, mask = scan()
    other = torch.where(mask[:, None, None], y, 7.0)
    assert estimated_noise(other, mask) == estimated_noise(y, mask)


def test_what_cannot_be_told_is_told():
    y, mask = scan()
    assert estimated_noise(0 * y, mask)[0].source == "no signal"
    assert estimated_noise(y[..., :8, 60:68], torch.ones(1, 8, dtype=torch.bool))[0].sigma is None
    off = mask.clone()
    off[:, 64] = False
    assert estimated_noise(y, off)[0].source == "the centre of k-space is not sampled"


def test_what_is_refused():
    y, mask = scan()
    with pytest.raises(ValueError, match="finite"):
        estimated_noise(torch.where(y == y.flatten()[-1], torch.nan, y), mask)
    with pytest.raises(ValueError, match="not empty"):
        estimated_noise(y[:0], mask)
    with pytest.raises(ValueError, match="mask: expected"):
        estimated_noise(y, mask[:, 1:])
    with pytest.raises(ValueError, match="mask: expected"):
        estimated_noise(y, mask.float())
