"""No attack exceeds a certificate, and nothing is certified that is not proved."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

import smug
from smug import DIDN, RSE2E, SMUG, CGSense, MoDL, Sense, Smoothing, Threat, WeightedSMUG, ZeroFilled
from smug.attacks import pgd, to_clean
from smug.bounds import Certified, Estimate, deterministic_bounds
from smug.data.scan import Scan
from smug.models.noise import complex_normal
from smug.models.nonexpansive import Nonexpansive, modulus_clipped
from smug.models.normalised import Normalised
from smug.models.sector import Sector
from smug.models.unet import LevelUNet
from smug.models.weight_encoder import WeightEncoder
from smug.norm import L2
from smug.reconstructor import Reconstructor, Wrapper

from ..models.conftest import far_from_start
from ..properties import assert_refused
from ..scans import dense
from .conftest import unrolled_matrix

SMOOTHING = Smoothing(sigma=0.05, num_samples=2)


def nonexpansive(seed: int = 0) -> Nonexpansive:
    return far_from_start(lambda: Nonexpansive(channels=4, depth=2, size=3).double(), seed)


def image(A: Sense, seed: int = 2) -> Tensor:
    return complex_normal(torch.tensor(seed), (1, 6, 8), torch.complex128).to(A.mask.device) / 3


def certified(bounds: list[Certified | Estimate]) -> list[Certified]:
    return [bound for bound in bounds if isinstance(bound, Certified)]


RECONSTRUCTORS = {
    "modl": lambda D: MoDL(D, steps=4),
    "smug": lambda D: SMUG(D, SMOOTHING, steps=4),
    "rs-e2e": lambda D: RSE2E(D, SMOOTHING, steps=4),
    "small lam": lambda D: MoDL(D, steps=6, lam=0.1),
    "clipped": lambda D: SMUG(modulus_clipped(D, 0.3), SMOOTHING, steps=3),
    "clipped weighted": lambda D: WeightedSMUG(modulus_clipped(D, 0.3), WeightEncoder(4).double(), SMOOTHING, steps=3),
}


def check_attacks(f: Reconstructor, A: Sense, eps: float, seed: int = 0) -> float:
    """Attack and compare with every certificate; return the part of the smallest that was reached."""
    target = image(A)
    y = A(target)
    threat = Threat(eps, norm="l2", unit="kspace-l2")
    frozen = lambda y, A, generator=None: f(y, A)  # noqa: E731  the same noise on both sides
    scan = Scan(y, A, target, ("a",))
    found = pgd(frozen, scan, threat, steps=6, objective=to_clean, generator=torch.tensor([seed]))
    with torch.no_grad():
        moved = float(torch.linalg.vector_norm(f(y + found.delta, A) - f(y, A)))
    bounds = certified(deterministic_bounds(f, A, radius=float(L2().size(found.delta))))
    for bound in bounds:
        assert moved <= bound.value * (1 + 1e-5), bound
    return moved / min(bound.value for bound in bounds)


@pytest.mark.parametrize("name", sorted(RECONSTRUCTORS))
def test_no_attack_exceeds_a_certificate(name, coils):
    f = RECONSTRUCTORS[name](nonexpansive()).to(coils.mask.device)
    assert check_attacks(f, coils, eps=0.3) > 0.03  # the certificate is about what the attack does


@pytest.mark.parametrize("eps", [0.001, 0.1])
def test_no_attack_exceeds_a_certificate_of_any_operator(operator, eps):
    f = MoDL(nonexpansive(1).to(operator.mask.device), steps=3)
    assert check_attacks(f, operator, eps, seed=1) > 0.1


def test_the_sharpest_certificate_is_reached_by_a_linear_denoiser(coils):
    """Images too smooth to be shrunk: D is the identity there, and the bound its gain."""

    class Identity(torch.nn.Module):
        sector = Sector(1.0, 1.0)

        def forward(self, x: Tensor) -> Tensor:
            return x

    f = MoDL(Identity(), steps=8)
    gain = float(
        torch.linalg.matrix_norm(unrolled_matrix(dense(coils), torch.eye(48, dtype=torch.complex128), 8, 1.0), 2)
    )
    values = {bound.name.split(",")[0]: bound.value for bound in deterministic_bounds(f, coils)}
    assert values["sharpest by sector"] == pytest.approx(gain, rel=1e-4)
    assert values["structure-aware"] >= gain


@pytest.mark.parametrize("f", [CGSense(0.1), ZeroFilled()])
def test_linear_methods_are_certified_exactly(f, coils):
    vector = torch.eye(6 * 8 * 3, dtype=torch.complex128).reshape(-1, 1, 3, 6, 8).to(coils.mask.device)
    columns = torch.stack([f(v, coils) for v in vector]).flatten(1)
    (bound,) = deterministic_bounds(f, coils, radius=2.0)
    assert isinstance(bound, Certified)
    assert bound.value == pytest.approx(2 * float(torch.linalg.matrix_norm(columns, 2)), rel=1e-4)


def test_a_network_without_a_proof_has_estimates_only(coils):
    denoiser = DIDN(channels=8, blocks=1)
    plain = deterministic_bounds(SMUG(denoiser, SMOOTHING), coils)
    measured = deterministic_bounds(SMUG(denoiser, SMOOTHING), coils, residual=0.2)
    assert {b.name for b in plain} == {"theorem 1", "corrected chain", "saturating chain"}
    assert len(measured) == 6
    assert all(isinstance(bound, Estimate) for bound in (*plain, *measured))
    assert deterministic_bounds(MoDL(denoiser), coils) == []


def test_theorem_1_is_vacuous_where_the_trivial_bound_is_less(coils):
    bounds = deterministic_bounds(SMUG(DIDN(channels=8, blocks=1), SMOOTHING), coils, radius=0.1)
    by_name = {bound.name: bound for bound in bounds}
    assert by_name["theorem 1"].vacuous
    assert by_name["theorem 1"].value > by_name["corrected chain"].value > by_name["saturating chain"].value
    wide = deterministic_bounds(SMUG(DIDN(channels=8, blocks=1), Smoothing(sigma=50)), coils, radius=0.1)
    assert not wide[0].vacuous


def test_theorem_1_is_never_certified_of_a_finite_number_of_draws(coils):
    bounds = deterministic_bounds(SMUG(modulus_clipped(nonexpansive(), 1.0), SMOOTHING), coils)
    assert all(isinstance(b, Estimate) for b in bounds if "theorem" in b.name or "chain" in b.name[-5:])
    assert any("infinitely many" in text for text in bounds[0].assumptions)


def test_weights_that_depend_on_the_image_break_the_sector(coils):
    f = WeightedSMUG(nonexpansive(), WeightEncoder(4), SMOOTHING)
    assert certified(deterministic_bounds(f, coils)) == []
    assert len(certified(deterministic_bounds(f.replace(num_samples=0), coils))) == 3


def test_another_lam_is_not_the_printed_theorem(coils):
    names = [b.name for b in deterministic_bounds(SMUG(DIDN(8, 1), SMOOTHING, lam=0.5), coils)]
    assert names[0] == "theorem 1, general lam"


def test_a_normalised_reconstructor_has_the_bounds_of_the_one_inside(coils):
    f = MoDL(nonexpansive(), steps=2)
    frozen = Normalised(f, scale=lambda y, A: torch.tensor([[[7.0]]]))
    assert deterministic_bounds(frozen, coils) == deterministic_bounds(f, coils)
    model = smug.load("smug-4x")
    assert {b.name for b in deterministic_bounds(model, coils)} == {"theorem 1", "corrected chain", "saturating chain"}


def test_bounds_in_proportion_to_the_radius(coils):
    f = MoDL(nonexpansive(), steps=2)
    one, ten = (deterministic_bounds(f, coils, radius=r) for r in (1.0, 10.0))
    assert [10 * b.value for b in one] == pytest.approx([b.value for b in ten])


def test_a_denoiser_that_is_told_a_level_is_no_single_map(coils):
    torch.manual_seed(0)
    with pytest.raises(ValueError, match="expected a denoiser that is one map, got one that is told the noise level"):
        deterministic_bounds(MoDL(LevelUNet(4, 1)), coils, radius=0.1, shape=(8, 8))


class Louder(ZeroFilled):
    def __call__(self, y, A, generator=None):
        return 10 * super().__call__(y, A, generator)


class Restless(MoDL):
    def iterate(self, y, A, generator=None):
        return super().iterate(10 * y, A, generator)


@dataclass(frozen=True, eq=False)
class Around(Wrapper):
    reconstructor: Reconstructor

    def __call__(self, y, A, generator=None):
        return 10 * self.reconstructor(y, A)


@pytest.mark.parametrize("f", [Louder(), Restless(nonexpansive(), steps=2), Around(ZeroFilled()), Normalised(Louder())])
def test_nothing_is_certified_of_code_of_users(f, coils):
    assert_refused(lambda: deterministic_bounds(f, coils), "percentile certificate holds for any")


def test_errors_are_for_people(coils):
    assert_refused(lambda: deterministic_bounds(lambda y, A: A.H(y), coils), "percentile certificate")
    assert_refused(lambda: deterministic_bounds(ZeroFilled(), coils, radius=0), "radius")
    lines = Sense(torch.tensor([[True, False]]))
    assert_refused(lambda: deterministic_bounds(MoDL(nonexpansive()), lines), "shape")
    assert deterministic_bounds(MoDL(nonexpansive(), steps=1), lines, shape=(4, 2))
