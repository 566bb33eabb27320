from typing import get_args

import pytest
import torch

from smug import losses
from smug.commands.train import Train
from smug.models.ridge_energy import denoised
from smug.system.distributed import ALONE
from smug.training import methods
from smug.training.batches import load_training_data
from smug.training.config import RIDGE_METHODS, Config, Method, StabilityTarget
from smug.training.config_file import merge
from smug.training.configured import build
from smug.training.learner import Learner, Objective, parts
from smug.training.presets import PRESETS

TINY = merge(PRESETS["tiny"], {"data": {"size": 32, "count": 4, "validation": 2}})
SEEDS = torch.tensor([3, 4])


@pytest.fixture(scope="module")
def scan():
    return load_training_data(TINY.data).batch(1, 2, seed=0)


def built(method, **changes):
    network = {"network": {"kind": "ridge"}} if method in RIDGE_METHODS else {}
    config = merge(TINY, {"method": method, **network, **changes})
    f = build(config)
    generator = torch.Generator().manual_seed(0)
    for parameter in f.networks().parameters():  # away from the identity that networks start as
        parameter.data += 0.05 * torch.randn(parameter.shape, generator=generator)
    return f, config


def terms(f, config, scan):
    return Objective(f, config)(scan, SEEDS)


def test_every_method_has_a_record_and_an_option():
    assert set(methods.METHODS) == set(get_args(Method))
    option = next(hint for hint in get_args(Train.__annotations__["method"]) if get_args(hint))
    assert get_args(option) == get_args(Method)
    assert set(methods.TARGETS) == set(get_args(StabilityTarget))


@pytest.mark.parametrize("method", get_args(Method))
def test_the_terms_are_those_of_the_record(method, scan):
    f, config = built(method)
    found = terms(f, config, scan)
    assert tuple(found) == methods.METHODS[method].terms
    assert all(value.ndim == 0 and bool(value > 0) for value in found.values())


def test_a_ridge_regulariser_is_told_the_noise_of_every_image(scan):
    f, config = built("ridge", noise_levels=(0.02, 0.02))
    same = terms(f, config, scan)["denoising"]
    y, x = losses._noisy(scan.truth, (0.02, 0.02), SEEDS)[0], scan.truth
    found = denoised(f.regulariser, y, 0.02, tolerance=1e-4).value.detach()
    torch.testing.assert_close(same.detach(), losses.mean_square((found - x) / 0.02), rtol=0.01, atol=0)
    levels = losses._noisy(scan.truth.expand(2, -1, -1), (0.01, 0.1), torch.tensor([5, 6]))[1]
    assert 0.01 < levels.min() < levels.max() < 0.1


def test_only_ridge_regularisers_are_trained_as_such():
    with pytest.raises(ValueError, match=r'network.kind: expected "ridge" or "convex-ridge" for'):
        merge(TINY, {"method": "ridge"})


def test_the_terms_of_smug_are_those_of_the_public_losses(scan):
    f, config = built("smug", reconstruction_weight=7.0)
    found = terms(f, config, scan)
    g = f.replace(num_samples=config.training_samples)
    torch.testing.assert_close(sum(found.values()), losses.smug(g, scan, SEEDS, reconstruction_weight=7.0))
    torch.testing.assert_close(found["stability"], losses.unrolled_stability(g, scan, SEEDS))


@pytest.mark.parametrize("method", ["modl", "smug"])
def test_the_logarithm_weighs_every_image_by_its_error(method, scan):
    """Its gradient is that of the square's terms in parts of the image's own error."""
    f, config = built(method, loss="log", reconstruction_weight=7.0 if method == "smug" else 1.0)
    sum(terms(f, config, scan).values()).backward()
    found = [parameter.grad for parameter in f.networks().parameters()]
    g, square = built(method, reconstruction_weight=config.reconstruction_weight)
    for i in range(2):
        of_image = Objective(g, square)(scan[i : i + 1], SEEDS[i : i + 1])
        error = of_image["reconstruction"].detach() / config.reconstruction_weight
        (sum(of_image.values()) / (2 * (error + methods.FLOOR))).backward()
    expected = [parameter.grad for parameter in g.networks().parameters()]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("method", "changes", "message"),
    [
        ("pretrain", {"loss": "log"}, 'loss: expected "square" for'),
        ("ridge", {"loss": "log", "network": {"kind": "ridge"}}, 'loss: expected "square" for'),
        ("modl", {"loss": "cube"}, "loss: expected one of square, log"),
        ("modl", {"tau": 0.1}, "tau: expected a finite number >= 0, and 0 but for ridge"),
        ("ridge", {"tau": -0.1, "network": {"kind": "ridge"}}, "tau: expected a finite number >= 0"),
        ("ridge", {"lam": 0.0, "network": {"kind": "ridge"}}, "lam: expected a number > 0"),
        ("ridge", {"lam_times": "residual", "network": {"kind": "ridge"}}, 'lam_times: expected "one" for'),
        ("modl", {"lam_times": "noise"}, "lam_times: expected one of one, residual"),
        (
            "smug",
            {"stability_target": "frozen-denoised-iterate", "network": {"kind": "level-unet"}},
            "stability_target: expected",
        ),
    ],
)
def test_settings_that_do_not_fit_the_method_are_refused(method, changes, message):
    with pytest.raises(ValueError, match=message):
        merge(TINY, {"method": method, **changes})


def test_a_ridge_reconstructs_with_the_weights_of_its_configuration():
    f, _ = built("ridge", lam=0.25, tau=0.01)
    assert (f.lam, f.tau) == (0.25, 0.01)


@pytest.mark.parametrize("changes", [{"noise": 1e-9}, {"threat": {"value": 0.0}}], ids=["jitter", "adversarial"])
def test_no_perturbation_is_modl(changes, scan):
    method = "jitter" if "noise" in changes else "adversarial"
    f, config = built(method, perturbation=changes)
    plain = terms(*built("modl"), scan)
    torch.testing.assert_close(terms(f, config, scan), plain)


@pytest.mark.parametrize("method", ["jitter", "adversarial"])
def test_perturbations_make_the_loss_larger(method, scan):
    plain = terms(*built("modl"), scan)["reconstruction"]
    assert terms(*built(method), scan)["reconstruction"] > plain


def test_the_worst_case_is_worse_than_noise_of_its_size(scan):
    """Noise of sigma = eps / sqrt(3) has the l2 norm of a uniform start in the box."""
    noise = terms(*built("jitter", perturbation={"noise": 0.05 / 3**0.5}), scan)["reconstruction"]
    worst = terms(*built("adversarial", perturbation={"threat": {"value": 0.05}}), scan)["reconstruction"]
    assert worst > noise


def test_trades_pays_for_what_an_attack_changes(scan):
    f, config = built("trades", reconstruction_weight=7.0, perturbation={"threat": {"value": 0.05}})
    found = terms(f, config, scan)
    plain = terms(*built("modl"), scan)["reconstruction"]
    torch.testing.assert_close(found["reconstruction"], 7.0 * plain)
    noise = 0.05 / 3**0.5 * torch.randn(scan.y.shape, dtype=scan.y.dtype) * scan.A.sampled
    by_chance = losses.mean_square(f(scan.y + noise, scan.A) - f(scan.y, scan.A))
    assert found["change"] > 1.2 * by_chance
    still = terms(*built("trades", perturbation={"threat": {"value": 0.0}}), scan)["change"]
    assert still == 0
    found["change"].backward()  # through both reconstructions
    assert all(parameter.grad is not None for parameter in f.networks().parameters())


def test_adversarial_training_leaves_the_gradients_of_the_attack_out(scan):
    f, config = built("adversarial")
    found = terms(f, config, scan)["reconstruction"]
    assert all(parameter.grad is None for parameter in f.networks().parameters())
    found.backward()
    assert all(parameter.grad is not None for parameter in f.networks().parameters())


def test_every_stability_target(scan):
    values = {}
    for target in get_args(StabilityTarget):
        f, config = built("smug", stability_target=target)
        objective = Objective(f, config)
        for parameter in f.networks().parameters():  # the frozen ones stay where they were
            parameter.data *= 1.1
        values[target] = objective(scan, SEEDS)["stability"].item()
        frozen = list(objective.start.parameters())
        assert bool(frozen) == target.startswith("frozen")
        assert not any(parameter.requires_grad for parameter in frozen)
    assert len(set(values.values())) == len(values)


def test_zero_training_samples_see_no_noise(scan):
    f, config = built("smug", training_samples=0)
    one, other = (Objective(f, config)(scan, seeds) for seeds in (SEEDS, SEEDS + 1))
    torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("method", ["modl", "adversarial", "rs-e2e", "weighted-smug", "pretrain"])
def test_recompute_changes_no_gradient(method, scan):
    gradients = []
    for recompute in (False, True):
        f, config = built(method, compute={"recompute": recompute})
        sum(terms(f, config, scan).values()).backward()
        gradients.append([parameter.grad for parameter in f.networks().parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


@pytest.mark.parametrize("method", ["modl", "smug", "adversarial"])
def test_parts_of_a_batch_make_the_update_of_the_whole(method, scan):
    updated = []
    for accumulate in (1, 2):
        f, config = built(method, compute={"accumulate": accumulate})
        learner = Learner.of(f, config, ALONE)
        found, norm = learner.update(1, scan)
        updated.append((found, norm, [parameter.grad.clone() for parameter in f.networks().parameters()]))
    (one, norm, gradients), (other, their_norm, others) = updated
    assert one == pytest.approx(other, rel=1e-5) and norm == pytest.approx(their_norm, rel=1e-4)
    for gradient, theirs in zip(gradients, others, strict=True):
        torch.testing.assert_close(gradient, theirs, rtol=1e-3, atol=1e-5)


def test_parts_are_the_rows(scan):
    pieces = parts(scan, SEEDS, 2)
    assert [piece.id for piece, _ in pieces] == [(name,) for name in scan.id]
    assert torch.equal(torch.cat([piece.y for piece, _ in pieces]), scan.y)
    assert torch.cat([seeds for _, seeds in pieces]).tolist() == SEEDS.tolist()
    for piece, _ in pieces:
        torch.testing.assert_close(piece.A(piece.truth).shape, piece.y.shape)


def test_a_batch_without_equal_shares_is_refused():
    from smug.system.distributed import Group

    with pytest.raises(ValueError, match=r"multiple of processes x compute.accumulate = 3, got 2"):
        Learner.of(build(TINY), TINY, Group(0, 3))


def test_a_network_of_ones_own_must_be_given():
    config = merge(Config(), {"network": {"kind": "file", "file": "mine.py:net"}})
    with pytest.raises(ValueError, match=r"--denoiser mine\.py:net"):
        build(config)
