"""Sparse-view CT: the tomograph, its photons, filtered back-projection, and the scripts on the smallest inputs."""

import json
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

import smug
from recipes.tomography import picture, score, table, tomograph, train


def test_the_tomograph_is_an_operator_of_norm_1():
    facts = smug.check_operator(tomograph.Tomograph(7, 16), (16, 16))
    assert facts.measured == (7, 24)
    assert facts.norm == pytest.approx(1, abs=1e-3)


def test_a_solution_has_a_gradient():
    A = tomograph.Tomograph(3, 16)
    b = torch.randn(1, 16, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()
    x = smug.solve(A, b, 0.1).value
    (gradient,) = torch.autograd.grad(x.square().sum(), b)
    assert torch.allclose(gradient, smug.solve(A, 2 * x.detach(), 0.1).value, atol=1e-4)


def in_circle(size):
    """A phantom and nothing outside the circle of its field of view, which skimage demands."""
    place = torch.arange(size) - (size - 1) / 2
    return torch.where(torch.hypot(place[:, None], place) < size / 2 - 2, smug.ct_phantom(3, size), 0)


def test_sums_along_rays_are_those_of_skimage():
    from skimage.transform import radon

    size, views = 65, 30  # odd: both turn about the middle pixel; no view at 45 degrees, where rays of pixels coincide
    image, A = in_circle(size), tomograph.Tomograph(views, size)
    theirs = torch.from_numpy(radon(image.double().numpy(), theta=np.arange(views) * 180 / views)).mT
    margin = (A.detectors - size) // 2
    ours = A(image[None])[0] / A.gain
    assert not ours[:, :margin].any() and not ours[:, margin + size :].any()
    assert (ours[:, margin : margin + size] - theirs).norm() < 0.005 * theirs.norm()


def test_filtered_back_projection_is_that_of_skimage():
    from skimage.transform import iradon

    size, views = 65, 90
    image, A = in_circle(size), tomograph.Tomograph(views, size)
    y, margin = A(image[None]), (A.detectors - size) // 2
    sinogram = (y[0, :, margin : margin + size] / A.gain).mT.double().numpy()
    theirs = torch.from_numpy(iradon(sinogram, theta=np.arange(views) * 180 / views, filter_name="hann"))
    ours = tomograph.FilteredBackProjection()(y, A)[0]
    place = torch.arange(size) - (size - 1) / 2
    inside = torch.hypot(place[:, None], place) < size / 2 - 2
    assert (ours - theirs)[inside].norm() < 0.005 * theirs[inside].norm()


def test_photons_make_noise_that_grows_with_what_they_pass():
    A = tomograph.Tomograph(4, 16)
    image = torch.zeros(1, 16, 16)
    image[:, 2:14, 2:14] = 1.0
    exact, photons = A(image), 1e4
    counted = torch.cat([tomograph.counted(A, image, photons, seed) for seed in range(400)])
    expected = torch.exp(exact * A.attenuation / 2) / math.sqrt(photons) / A.attenuation  # of Poisson's law
    middle = exact > 0.5 * exact.max()
    assert torch.allclose(counted.std(0)[None][middle], expected[middle], rtol=0.2)
    assert torch.allclose(counted.mean(0)[None][middle], exact[middle], rtol=0.01)
    water = float(exact.max() * A.attenuation)  # 12 of 16 pixels of 24 cm are water
    assert water == pytest.approx(tomograph.WATER * 18 * math.sqrt(2), rel=0.1)
    assert torch.isfinite(tomograph.counted(A, 100 * image, photons, 0)).all()


@pytest.fixture
def small(monkeypatch):
    """Phantoms of 16 x 16, an update of two methods, and little to score."""
    phantoms = tomograph.phantoms
    for module in (tomograph, score):
        monkeypatch.setattr(module, "phantoms", lambda split, count: phantoms(split, min(count, 2), 16))
    monkeypatch.setattr(train, "METHODS", ("modl", "weighted-smug"))
    monkeypatch.setattr(train, "BASE", replace(train.BASE, steps=1))
    monkeypatch.setattr(train, "UPDATES", dict.fromkeys((train.START, *train.METHODS), 2))
    monkeypatch.setattr(score, "FEW", 1)
    few = {"cg": (smug.CGSense, (0.01, 0.1)), "tv": (partial(smug.TotalVariation, iterations=5), (1e-4, 1e-3))}
    monkeypatch.setattr(score, "CLASSICAL", {**score.CLASSICAL, **few})
    for cached in (score.held_out, score.classical):
        cached.cache_clear()
    yield
    for cached in (score.held_out, score.classical):
        cached.cache_clear()


def test_the_scripts_train_score_tabulate_and_draw(small, tmp_path, capsys, monkeypatch):
    runs, out = tmp_path / "runs", tmp_path / "scores.json"
    train.main([str(runs), "--views", "20"])
    weights = {path.stem: path.stat().st_mtime_ns for path in runs.iterdir()}
    assert set(weights) == {"pretrain-0", "modl-0", "weighted-smug-0"}
    train.main([str(runs), "--views", "20"])
    assert {path.stem: path.stat().st_mtime_ns for path in runs.iterdir()} == weights

    for script in (train.main, lambda words: score.main([words[0], str(out), *words[1:]])):
        with pytest.raises(SystemExit, match="expected weights for 30 views, got 20"):
            script([str(runs), "--views", "30"])

    chosen = ("clean", "noise 1%", "15 views", "2 steps", "worst 1%")
    conditions = score.conditions
    monkeypatch.setattr(score, "conditions", lambda views: {name: conditions(views)[name] for name in chosen})
    score.main([str(runs), str(out), "--views", "20", "--phantoms", "2"])
    document = json.loads(out.read_text())
    assert set(document["scores"]) == {"fbp", "cg", "tv", "modl-0", "weighted-smug-0"}
    worst = document["scores"]["cg"]["worst 1%"]
    assert min(worst["gain"]) > max(document["scores"]["cg"]["noise 1%"]["gain"])
    assert document["scores"]["cg"]["clean"] != document["scores"]["cg"]["15 views"]
    with pytest.raises(SystemExit, match="expected scores of 1 phantoms in 20 views"):
        score.main([str(runs), str(out), "--views", "20", "--phantoms", "1"])

    capsys.readouterr()
    table.main(str(out))
    text = capsys.readouterr().out
    assert "| Weighted SMUG |" in text and "20 views, training seeds: 1" in text

    monkeypatch.setattr(picture, "SHOWN", ("fbp", "modl"))
    picture.main([str(runs), str(tmp_path / "picture.png"), "--phantom", "0", "--views", "20"])
    assert (tmp_path / "picture.png").stat().st_size > 1000
    assert "| MoDL |" in capsys.readouterr().out


def test_the_share_of_ten_times_the_budget(small):
    (share,) = score.share("fbp", tomograph.FilteredBackProjection(), 1, 30)["share"]
    assert 0.9 < share <= 1
