import pytest
import torch

from smug import DIDN
from smug.bounds.lipschitz import measured_residual, proved_modulus, proved_sector
from smug.models.adapters import clamped
from smug.models.compute import in_precision
from smug.models.noise import complex_normal
from smug.models.nonexpansive import ModulusClipped, Nonexpansive, modulus_clipped
from smug.models.sector import Sector


def images(device: torch.device, batch: int = 2) -> torch.Tensor:
    return complex_normal(torch.tensor(0), (batch, 8, 6), torch.complex128).to(device)


def test_power_iteration_finds_the_norm_of_a_linear_residual(device):
    x = images(device)
    matrix = torch.randn(6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).to(device)
    matrix = matrix.to(torch.complex128)
    exact = float(torch.linalg.matrix_norm(matrix - torch.eye(6, device=device), 2))
    found = measured_residual(lambda x: x @ matrix, x, iterations=50)
    assert found.value == pytest.approx(exact, rel=1e-3)
    assert found.value <= exact * (1 + 1e-9)


def test_more_iterations_find_no_less(device):
    denoiser = DIDN(channels=8, blocks=1).double().to(device)
    torch.nn.init.normal_(denoiser.tail[-1].weight, std=0.1, generator=torch.Generator(device).manual_seed(0))
    found = [measured_residual(denoiser, images(device), iterations=n).value for n in (1, 3, 10)]
    assert 0 < found[0] <= found[1] <= found[2]


def test_it_never_exceeds_what_is_proved(device):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        denoiser = Nonexpansive(channels=4, depth=2, size=3).double().to(device)
    for scale in (1e-3, 0.1, 1):
        found = measured_residual(denoiser, scale * images(device), iterations=10)
        assert 0 < found.value <= denoiser.sector.residual


def test_it_works_in_inference_mode_and_leaves_parameters_alone(device):
    denoiser = Nonexpansive(channels=4, depth=1, size=3).double().to(device)
    with torch.inference_mode():
        measured_residual(denoiser, images(device), iterations=2)
    assert all(p.grad is None for p in denoiser.parameters())
    with pytest.raises(ValueError, match="iterations"):
        measured_residual(denoiser, images(device), iterations=0)


def test_what_denoisers_say_of_themselves():
    proved = Nonexpansive(channels=4, depth=1, size=3)
    assert proved_sector(proved) == Sector(0, 1)
    assert proved_modulus(proved) is None
    assert proved_modulus(modulus_clipped(proved, 0.7)) == 0.7
    assert proved_sector(DIDN(channels=8, blocks=1)) is None
    assert proved_sector(in_precision(proved, torch.bfloat16)) is None


def test_a_limit_of_something_else_proves_nothing():
    class Tripled(torch.nn.Module):
        limit = 0.5

        def forward(self, x):
            return 3 * x

    for denoiser in (Tripled(), clamped(Tripled(), 1.0)):  # which clamps what goes in
        assert proved_modulus(denoiser) is None


def test_what_a_class_computes_anew_is_not_proved_by_its_parent():
    class Doubled(Nonexpansive):
        def forward(self, x):
            return 2 * super().forward(x)

    class Known(Doubled):
        sector = Sector(0, 2)

    class Unclipped(ModulusClipped):
        def forward(self, x):
            return self.denoiser(x)

    assert proved_sector(Doubled(channels=4, depth=1, size=3)) is None
    assert proved_sector(Known(channels=4, depth=1, size=3)) == Sector(0, 2)
    assert proved_modulus(Unclipped(torch.nn.Identity(), 0.5)) is None
