import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr

from smug.evaluation.conditions import clean
from smug.paper import figure_12
from smug.paper.conditions import pgd
from smug.paper.figure_12 import FIG12, SAMPLES, unweighted, weight_pair, with_iid_samples
from smug.paper.runs import Run
from smug.paper.sample_weights import SampleWeights, sample_weights

SEEDS = torch.zeros(1, dtype=torch.int64)
POSITIVE = arrays(float, 10, elements=st.floats(0.05, 1))


@given(POSITIVE, POSITIVE)
def test_effective_samples_are_between_one_and_all(weights, errors):
    w = SampleWeights("scan", weights / weights.sum(), errors)
    assert 1 <= w.effective_samples <= 10 * (1 + 1e-12)
    assert w.ratio >= 1


def test_equal_weights_are_worth_all_samples_and_have_no_rank():
    w = SampleWeights("scan", np.full(10, 0.1), np.arange(10.0))
    assert w.effective_samples == pytest.approx(10) and w.ratio == 1 and np.isnan(w.rank_correlation)
    assert SampleWeights("scan", np.eye(10)[0] + 1e-9, np.arange(10.0)).effective_samples == pytest.approx(1)


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    weights, errors = rng.random(10).round(1), rng.random(10)  # rounded: with ties
    assert SampleWeights("scan", weights, errors).rank_correlation == pytest.approx(
        spearmanr(weights, errors).statistic
    )
    assert SampleWeights("scan", np.arange(10.0), -np.arange(10.0)).rank_correlation == pytest.approx(-1)


@pytest.fixture(scope="module")
def model(experiment, make):
    return with_iid_samples(make.model(Run("knee", 4.0, "weighted-smug"), experiment).to(experiment.device))


@pytest.fixture(scope="module")
def scan(experiment):
    return experiment.test("knee", 4.0).scans[0].to(experiment.device)


def test_weights_and_errors_are_those_of_the_last_step(model, scan):
    w = sample_weights(model, scan, SEEDS)
    assert w.weights.shape == w.errors.shape == (SAMPLES,)
    assert w.weights.sum() == pytest.approx(1) and (w.weights > 0).all()
    normalised = scan.normalised()
    with torch.no_grad():
        *_, step = model.reconstructor.iterate(normalised.y, normalised.A, SEEDS)
    mean = torch.einsum(
        "k,kyx->yx", torch.tensor(w.weights, dtype=torch.complex64).to(scan.y.device), step.z.samples[:, 0]
    )
    assert torch.allclose(mean, step.z.value[0], atol=1e-5)
    worst = int(w.errors.argmax())
    error = (step.z.samples[worst, 0] - normalised.truth[0]).abs().square().mean().sqrt() / normalised.truth.abs().max()
    assert w.errors[worst] == pytest.approx(float(error), rel=1e-4)


def test_a_reconstructor_without_weights_is_refused(experiment, make, scan):
    with pytest.raises(ValueError, match="expected a reconstructor that weights its samples"):
        sample_weights(make.model(Run("knee", 4.0, "smug"), experiment).to(experiment.device), scan, SEEDS)


def test_all_weights_one_is_smug_with_the_same_denoiser(model, scan):
    import smug

    f, inner = unweighted(model), model.reconstructor
    plain = smug.SMUG(inner.denoiser, inner.smoothing, inner.steps, inner.lam)
    y, A = scan.normalised().y, scan.normalised().A
    assert torch.allclose(f.reconstructor(y, A, SEEDS), plain(y, A, SEEDS), atol=1e-5)
    assert not torch.equal(f(scan.y, scan.A, SEEDS), model(scan.y, scan.A, SEEDS))


def test_a_pair_differs_in_its_weights_alone(model):
    learned, equal = weight_pair(pgd(0.02))
    assert learned.perturb is equal.perturb
    assert learned.recipe != equal.recipe and learned.name != equal.name
    assert learned.change(model).reconstructor.smoothing == equal.change(model).reconstructor.smoothing
    assert {c.name for c in weight_pair(clean())} == {"clean, learned weights", "clean, equal weights"}


def test_the_exhibit(experiment, tmp_path, monkeypatch, make):
    monkeypatch.setattr(figure_12, "SCANS", 2)
    result = make.exhibit(FIG12, experiment, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"fig12.{kind}" for kind in ("png", "pdf", "csv", "json", "md")
    }
    kinds = [record["kind"] for record in result.records]
    assert {kind: kinds.count(kind) for kind in kinds} == {"scan": 2, "sample": 2 * SAMPLES, "cell": 2 * 4}
    for scan in {record["slice"] for record in result.records}:
        of_scan = [r["weight"] for r in result.records if r["kind"] == "sample" and r["slice"] == scan]
        assert sum(of_scan) == pytest.approx(1)
    assert "effective" in result.markdown
