"""Networks of the fastMRI kind: by hand, and the real E2E-VarNet where it is installed."""

import pytest
import torch
from torch import nn

from smug.attacks import pgd, to_clean
from smug.data.scan import Scan
from smug.foreign import fastmri_network
from smug.physics.fourier import fft2c, ifft2c
from smug.physics.sense import Sense

from .conftest import COILS, HEIGHT, THREAT, WIDTH


class Cascade(nn.Module):
    """One step of data consistency and one convolution, with the interface of a VarNet."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.convolution = nn.Conv2d(2, 2, 3, padding=1, bias=False).double()

    def forward(self, masked_kspace, mask, num_low_frequencies=None):
        self.seen = masked_kspace, mask, num_low_frequencies
        k = torch.view_as_complex(masked_kspace)
        x = torch.view_as_real(ifft2c(k)).movedim(-1, 2).flatten(0, 1)
        x = torch.view_as_complex(self.convolution(x).movedim(1, -1).contiguous()).unflatten(0, k.shape[:2])
        k = torch.where(mask[..., 0], k, fft2c(x))
        return torch.linalg.vector_norm(ifft2c(k), dim=1)


def test_the_network_gets_what_fastmri_gives(measured, promises):
    y, A, _ = measured
    network = Cascade().to(y.device)
    f = fastmri_network(network, num_low_frequencies=2)
    f(y, A)
    kspace, mask, low = network.seen
    assert kspace.shape == (2, COILS, HEIGHT, WIDTH, 2)
    assert kspace.is_contiguous()
    assert torch.equal(kspace[..., 0], y.real)
    assert torch.equal(kspace[..., 1], y.imag)
    assert mask.shape == (2, 1, 1, WIDTH, 1)
    assert mask.dtype == torch.bool
    assert torch.equal(mask[:, 0, 0, :, 0], A.mask)
    assert low == 2
    promises(f)


def test_masks_that_are_not_lines(measured):
    y, A, _ = measured
    points = A.mask[:, None, :] & (torch.arange(HEIGHT, device=y.device) % 3 > 0)[:, None]
    network = Cascade().to(y.device)
    fastmri_network(network)(y, Sense(points, A.maps))
    assert torch.equal(network.seen[1], points[:, None, :, :, None])
    assert not network.seen[0][:, :, 0].any()


def test_one_mask_serves_a_batch(measured):
    y, A, _ = measured
    network = Cascade().to(y.device)
    fastmri_network(network)(y, Sense(A.mask[:1], A.maps))
    assert network.seen[1].shape == (2, 1, 1, WIDTH, 1)


def test_a_magnitude_is_attacked_against_magnitudes(measured):
    y, A, target = measured
    f = fastmri_network(Cascade().to(y.device))
    result = pgd(f, Scan(y, A, target, ("a", "b")), THREAT, steps=3)
    image = f(y + result.delta, A)
    assert not image.is_complex()
    torch.testing.assert_close(result.objective, (image - target.abs()).square().mean((1, 2)))
    result = pgd(f, Scan(y, A, target, ("a", "b")), THREAT, steps=3, objective=to_clean)
    torch.testing.assert_close(result.objective, (f(y + result.delta, A) - f(y, A)).square().mean((1, 2)))


def test_another_shape_is_refused(measured):
    y, A, _ = measured
    with pytest.raises(ValueError, match=r"an image for every slice, \(2, 12, 10\), got \(2, 12, 8\)"):
        fastmri_network(lambda k, mask: torch.ones(2, HEIGHT, 8))(y, A)


def test_the_end_to_end_varnet(device):
    models = pytest.importorskip("fastmri.models", reason="needs fastmri")
    torch.manual_seed(0)
    varnet = models.VarNet(num_cascades=2, sens_chans=2, sens_pools=2, chans=2, pools=2).double().to(device).eval()
    mask = torch.zeros(2, 32, dtype=torch.bool, device=device)
    mask[:, ::4], mask[:, 13:19] = True, True
    maps = torch.full((1, 2, 32, 32), 0.5**0.5, dtype=torch.complex128, device=device)
    A = Sense(mask, maps)
    target = torch.zeros(2, 32, 32, dtype=torch.complex128, device=device)
    target[:, 8:24, 10:20] = 1 + 0.5j
    target[1] *= 7
    noise = torch.randn(2, 2, 32, 32, dtype=torch.complex128, generator=torch.Generator().manual_seed(1)).to(device)
    y = A(target) + 0.1 * A.sampled * noise
    f = fastmri_network(varnet)
    both = f(y, A)
    assert both.shape == (2, 32, 32)
    assert not both.is_complex()
    torch.testing.assert_close(both, varnet(torch.view_as_real(y), mask[:, None, None, :, None]))
    for i in range(2):
        torch.testing.assert_close(f(y[i : i + 1], A[i])[0], both[i])
    torch.testing.assert_close(f(1e-5 * y, A), 1e-5 * both)  # it normalises by itself
    result = pgd(f, Scan(y, A, target, ("a", "b")), THREAT, steps=3)
    assert bool((result.objective > 1.05 * result.clean_objective).all())
    free = y.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda v: f(A.sampled * v, A), free, fast_mode=True, atol=1e-4)
