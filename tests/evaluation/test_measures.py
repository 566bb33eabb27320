import math
from dataclasses import replace

import pytest
import torch

from smug.data.simulate import Acquisition
from smug.evaluation.conditions import Condition, Perturbed, noisy_relative
from smug.evaluation.datasets import simulated_set
from smug.evaluation.measures import identity_loop, norm, qualities
from smug.evaluation.scoring import score
from smug.metrics import head_mask, psnr, ssim
from smug.models.classical import CGSense, TotalVariation, ZeroFilled
from smug.models.normalised import normalised
from smug.models.reconstructors import RSE2E, SMUG, MoDL
from smug.models.smoothing import Smoothing
from smug.physics.sense import Sense
from smug.reconstructor import described


@pytest.fixture(scope="module")
def scan():
    return simulated_set("phantom", "test", 32, Acquisition(coils=2), count=1).scans[0]


def only(f, condition, scan, **options):
    (row,) = score({"f": f}, [condition], [scan], **options)
    return row


def test_effects_against_their_definitions(scan):
    f = MoDL(lambda x: x.abs() * x, steps=3, lam=0.5)
    row = only(f, noisy_relative(0.05), scan)
    kept = []
    score({"f": f}, [noisy_relative(0.05)], [scan], keep=kept.append)
    y = next(iter(_perturbed(noisy_relative(0.05), f, scan)))
    d = y - scan.y
    size = norm(d)
    moved = norm(f(y, scan.A) - f(scan.y, scan.A))
    assert row.gain == pytest.approx(float(moved / size), rel=1e-5)
    assert row.robustness_error == pytest.approx(float(moved / norm(f(scan.y, scan.A))), rel=1e-5)
    assert row.range_fraction == pytest.approx(float(norm(scan.A.H(d)) / size), rel=1e-5)
    identity = MoDL(lambda x: x, steps=3, lam=0.5)
    assert row.identity_gain == pytest.approx(float(norm(identity(d, scan.A)) / size), rel=1e-5)
    assert row.relative_l2 == pytest.approx(0.05, rel=1e-5)


def _perturbed(condition, f, scan):
    from smug.evaluation.scoring import _seeds

    yield condition.perturb(f, scan, _seeds(scan, "made:0")).scan.y


def test_head_metrics_do_not_see_the_background(scan):
    target, head = scan.truth, head_mask(scan.truth)
    images = torch.stack([target + 0.02, target + 0.03])
    found = qualities(images, target)
    inside = [psnr(x, target, region=head) for x in images], [ssim(x, target, region=head) for x in images]
    for name, values in zip(("psnr_head", "ssim_head"), inside, strict=True):
        torch.testing.assert_close(found[name], torch.stack(values).mean(0))
    dirty = qualities(torch.where(head, images, images + 0.5), target)
    torch.testing.assert_close(dirty["psnr_head"], found["psnr_head"])
    assert dirty["psnr"] < found["psnr"] - 5


def test_nothing_is_related_to_a_perturbation_that_is_none(scan):
    def redraw(f, scan, seeds):
        mask = scan.A.mask.roll(1, -1)
        return Perturbed(replace(scan, A=Sense(mask=mask, maps=scan.A.maps)))

    row = only(CGSense(), Condition("redraw", "", redraw, "redraw"), scan)
    assert math.isnan(row.relative_l2)
    assert math.isnan(row.gain)
    still = only(CGSense(), Condition("still", "", lambda f, s, seeds: Perturbed(s), "still"), scan)
    assert still.relative_l2 == 0
    assert math.isnan(still.gain)


def test_the_recovered_contrast_of_a_feature(scan):
    v = torch.zeros_like(scan.truth)
    v[:, 14:17, 14:17] = 0.1

    def insert(f, scan, seeds):
        after = replace(scan, y=scan.y + scan.A(v), target=scan.truth + v)
        return Perturbed(after, feature=v)

    condition = Condition("feature", "", insert, "insert")
    expected = (scan.A.gram(v) * v.conj()).real.sum() / v.abs().square().sum()
    assert only(ZeroFilled(), condition, scan).feature == pytest.approx(float(expected), rel=1e-5)
    blind = only(lambda y, A: torch.ones_like(v), condition, scan)
    assert blind.feature == 0


def test_a_stochastic_reconstructor_is_scored_on_several_draws(scan):
    f = SMUG(lambda x: x * x.abs(), Smoothing(sigma=0.3, num_samples=1), steps=2)
    one, four = (only(f, noisy_relative(0.05), scan, draws=draws) for draws in (1, 4))
    assert one.psnr_sd == 0 < four.psnr_sd
    assert one.psnr != four.psnr
    calls = []

    def deterministic(y, A):
        calls.append(1)
        return A.H(y)

    row = only(deterministic, noisy_relative(0.05), scan, draws=8)
    assert row.psnr_sd == 0
    assert len(calls) == 3  # two clean ones are equal, so one is enough


def test_a_condition_may_change_the_reconstructor(scan):
    def change(f):
        return f.replace(steps=4)

    condition = Condition("4 steps", "", lambda f, s, seeds: Perturbed(s), "steps 4", change)
    f = MoDL(lambda x: 0.9 * x, steps=2)
    changed = only(f, condition, scan)
    direct = only(f.replace(steps=4), Condition("4 steps", "", lambda f, s, seeds: Perturbed(s), "steps 4"), scan)
    assert replace(changed, model="") == replace(direct, model="")
    assert changed.denoiser_calls == 4


@pytest.mark.parametrize(
    ("f", "calls"),
    [
        (lambda D: MoDL(D, steps=3), 3),
        (lambda D: SMUG(D, Smoothing(num_samples=4), steps=3), 12),
        (lambda D: SMUG(D, Smoothing(num_samples=0), steps=3), 3),
        (lambda D: SMUG(D, Smoothing(sigma=0.0), steps=3), 3),
        (lambda D: RSE2E(D, Smoothing(num_samples=2), steps=3), 6),
    ],
)
def test_denoiser_calls_are_those_that_are_made(scan, f, calls):
    images = []

    def denoiser(x):
        images.append(x.shape[0])
        return x

    f(denoiser)(scan.y, scan.A)
    assert sum(images) == calls
    assert described(f(denoiser)).denoiser_calls == described(normalised(f(denoiser))).denoiser_calls == calls
    assert math.isnan(described(lambda y, A: A.H(y)).denoiser_calls)


def test_the_identity_loop_takes_steps_and_lam_of_its_reconstructor():
    f = MoDL(lambda x: x, steps=3, lam=0.2)
    assert (identity_loop(normalised(f)).steps, identity_loop(f).lam) == (3, 0.2)
    for other in (CGSense(0.0), TotalVariation(0.5), normalised(TotalVariation(torch.tensor([0.1, 0.2])))):
        assert (identity_loop(other).steps, identity_loop(other).lam) == (8, 1.0)


def test_models_without_a_setting_have_no_row_where_it_changes(scan):
    from smug.evaluation.conditions import clean, with_setting
    from smug.shifts.model import steps

    conditions = [clean(), with_setting("steps", steps, 3, clean())]
    rows = score({"cg": CGSense(), "f": MoDL(lambda x: x)}, conditions, [scan])
    assert [(row.model, row.condition) for row in rows] == [("cg", "clean"), ("f", "clean"), ("f", "steps 3")]
