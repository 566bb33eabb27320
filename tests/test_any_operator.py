"""What is done with measurements is done with any operator's: real images stay real, and nothing asks for k-space."""

import ast
from pathlib import Path

import pytest
import torch

import smug
from smug.models.classical import ZeroFilled
from smug.shifts.noise import jitter
from smug.threat import measured_numbers
from tests.operators import OPERATORS, Blur, images, sense
from tests.properties import assert_refused, assert_slices_stand_alone

SRC = Path(smug.__file__).parent
THREAT = smug.Threat(0.05, norm="l2", unit="kspace-l2")
SMOOTHING = smug.Smoothing(sigma=0.05, num_samples=2)


def denoiser():
    torch.manual_seed(0)
    network = smug.UNet(channels=4)
    for parameter in network.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    return network.double()


def reconstructors():
    torch.manual_seed(0)
    D = denoiser()
    return {
        "adjoint": ZeroFilled(),
        "cg": smug.CGSense(0.05),
        "tv": smug.TotalVariation(0.003, iterations=30),
        "ridge": smug.Ridge(smug.RidgeRegulariser(filters=3, widths=(2,)).double(), lam=0.05, sigma=0.05, tau=0.1),
        "ridge, level": smug.Ridge(smug.RidgeRegulariser(filters=3, widths=(2,)).double(), lam=0.05, tau=0.1),
        "modl": smug.MoDL(D, steps=2),
        "smug": smug.SMUG(D, SMOOTHING, steps=2),
        "weighted smug": smug.WeightedSMUG(D, smug.WeightEncoder().double(), SMOOTHING, steps=2),
        "rs-e2e": smug.RSE2E(D, SMOOTHING, steps=2),
        "nonexpansive": smug.MoDL(smug.Nonexpansive(channels=3, depth=1).double(), steps=2),
        "normalised": smug.normalised(smug.MoDL(D, steps=2)),
    }


@pytest.fixture(params=OPERATORS)
def scan(request):
    return scan_of(request.param)


def scan_of(name):
    build, dtype = OPERATORS[name]
    A, x = smug.operator(build()), images(dtype)
    return smug.shifts.noise(smug.Scan(A(x), A, x, ("one", "two")), 0.01, torch.arange(2))


@pytest.mark.parametrize("name", reconstructors())
def test_reconstructors(scan, name):
    f = reconstructors()[name]
    assert f(scan.y, scan.A).dtype == scan.truth.dtype
    assert_slices_stand_alone(f, scan, torch.arange(2))


def test_all_starts_and_rules_stay_in_the_threat(scan):
    f = smug.CGSense(0.05)
    rules = [smug.attacks.PGD(steps=2), smug.attacks.APGD(steps=2), smug.attacks.Square(steps=4)]
    for threat in (THREAT, smug.Threat(0.05, unit="kspace-max"), smug.Threat(1.0, unit="noise", noise_sigma=0.01)):
        for rule in rules:
            found = smug.attacks.attack(f, scan, threat, rule=rule)
            assert found.delta.dtype == scan.y.dtype
            assert bool((found.objective > found.clean_objective).all())
            assert not smug.diagnosis.outside_threat(found.delta, scan.y, scan.A, scan.truth, threat)
    fast = smug.attacks.fast(smug.SMUG(denoiser(), SMOOTHING, steps=1), scan, THREAT)
    torch.testing.assert_close(fast.relative_l2, torch.full((2,), 0.05, dtype=torch.float64), rtol=0.01, atol=0)


def test_the_corner_of_the_box_has_the_length_of_the_ball(scan):
    box, ball = (smug.Threat(0.05, norm=norm, unit="kspace-l2") for norm in ("linf", "l2"))
    corner = box.radius(scan.y, scan.A, scan.truth) * measured_numbers(scan.y, scan.A).sqrt()
    torch.testing.assert_close(corner, ball.radius(scan.y, scan.A, scan.truth))


def test_scale_is_homogeneous_and_tells_the_size(scan):
    one, many = (smug.measurement_scale(c * scan.y, scan.A) for c in (1, 1000))
    assert one.shape == (2, 1, 1)
    torch.testing.assert_close(many, 1000 * one)
    assert float((one.flatten() / scan.truth.abs().amax((1, 2))).min()) > 0.05
    torch.testing.assert_close(scan.normalised().y.flatten(1) * one.flatten(1), scan.y.flatten(1))


def test_bounds_and_certificates(scan):
    f, one = smug.CGSense(0.05), scan[0]
    found = smug.bounds.local_gain(f, scan.y, scan.A, iterations=4)
    (bound,) = smug.bounds.deterministic_bounds(f, scan.A)
    assert float(found.worst.max()) <= bound.value * (1 + 1e-6)
    assert isinstance(bound, smug.bounds.Certified)
    curve = smug.bounds.percentile_curve(f, one.y, one.A, one.truth, 0.01, (1.0,), draws=20)
    assert not curve.points[0].error.vacuous
    assert smug.noise_map(f, one.y, one.A, 0.01, replicas=3).shape == one.truth.shape


def test_the_gain_on_noise_is_that_of_the_matrix():
    """Of x = c y, real: ||J||_F / sqrt(n) is c."""
    A = smug.operator(lambda x: 3 * x, lambda y: 3 * y)
    found = smug.bounds.local_gain(ZeroFilled(), torch.ones(1, 8, 9), A, probes=16)
    assert float(found.average) == pytest.approx(3, rel=0.1)
    assert float(smug.noise_map(ZeroFilled(), torch.ones(1, 30, 30), A, 0.1, replicas=64).mean()) == pytest.approx(
        0.3, rel=0.02
    )


@pytest.mark.parametrize("name", ["blur", "complex matrix"])
def test_evaluation_and_diagnosis(name):
    scan = scan_of(name)[0]
    models = {"cg": smug.CGSense(0.05), "mine": lambda y, A: A.H(y)}
    rows = smug.evaluate(models, scan, "fast", epsilons=[0.02]).rows
    assert {row.model for row in rows} == set(models)
    assert all(row.psnr == row.psnr for row in rows)
    assert smug.diagnosis.repeatable(models["cg"], scan, THREAT).flags == ()


def test_certify_a_users_operator():
    x = images(torch.float64, 1)
    scan = smug.Scan(Blur()(x), Blur(), x, ("blurred",))
    result = smug.certify(smug.CGSense(0.05), scan)
    assert any(not row.vacuous and row.attacked_psnr > 0 for row in result.rows)
    assert result.gains[0].attack <= result.gains[0].bounds[0].value


def test_a_store_keeps_no_rows_of_an_operator_that_may_change(tmp_path):
    x = images(torch.float64, 1)
    scan = smug.Scan(Blur()(x), Blur(), x, ("blurred",))
    smug.evaluate(smug.CGSense(0.05), scan, "clean", store=tmp_path)
    assert not list(tmp_path.rglob("*.json"))
    x, A = images(torch.complex64, 1), sense(torch.complex64)
    smug.evaluate(smug.CGSense(0.05), smug.Scan(A(x), A, x, ("mri",)), "clean", store=tmp_path)
    assert list(tmp_path.rglob("*.json"))


def test_shifts_of_the_object_serve_all_and_those_of_mri_say_so():
    x = images(torch.float64)
    scan = smug.Scan(Blur()(x), Blur(), x, ("one", "two"))
    served = {"noise", "noise-in-range", "rotation", "contrast", "lesion"}
    for name, shift in smug.shifts.SHIFTS.items():
        severity = shift.severities[0]
        if name in served:
            changed = shift.apply(scan, severity, torch.arange(2))
            assert (changed.y.dtype, changed.truth.dtype) == (torch.float64, torch.float64)
        else:
            assert_refused(lambda: shift.apply(scan, severity, torch.arange(2)), "expected Cartesian MRI")
    assert jitter(scan, 0.1, torch.arange(2)).y.dtype == torch.float64


def test_what_needs_cartesian_mri_says_so():
    y, A = torch.ones(1, 12, 10, dtype=torch.float64), Blur()
    foreign = smug.foreign
    for f in (
        foreign.magnitude_network(lambda x: x),
        foreign.fastmri_network(lambda kspace, mask: kspace),
        foreign.numpy_function(lambda kspace, mask, maps: kspace),
    ):
        assert_refused(lambda: f(y, A), "expected Cartesian MRI")
    assert_refused(lambda: foreign.deepinv_physics(y, A), "expected Cartesian MRI")


def test_a_network_of_real_images():
    x = images(torch.float64)
    f = smug.foreign.image_network(torch.nn.Conv2d(1, 1, 3, padding=1).double())
    assert f(Blur()(x), Blur()).dtype == torch.float64
    assert smug.foreign.image_network(torch.nn.Conv2d(1, 1, 3, padding=1))(Blur()(x), Blur()).shape == x.shape


def test_nobody_asks_for_the_class_of_an_operator_outside_physics():
    """``isinstance(A, Sense)`` is for the physics alone; others ask an operator what it knows."""
    found = []
    for path in sorted(SRC.rglob("*.py")):
        if path.is_relative_to(SRC / "physics"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            asks = isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("isinstance", "issubclass")
            matches = isinstance(node, ast.MatchClass)
            part = node.args[1] if asks else node.cls if matches else None
            names = {getattr(n, "id", getattr(n, "attr", "")) for n in ast.walk(part)} if part is not None else set()
            if "Sense" in names:
                found.append(f"{path.relative_to(SRC)}:{node.lineno}")
    assert found == []
