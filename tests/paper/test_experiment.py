import json
from dataclasses import replace

import pytest

from smug.evaluation.conditions import clean, noisy
from smug.paper.conditions import pgd
from smug.paper.experiment import Experiment
from smug.paper.measurement import Results
from smug.paper.runs import Run
from smug.paper.scales import SCALES
from smug.paper.scores import Scores, SliceImages
from smug.training.runs import DOCUMENT, initialise, load_weights, save_weights

MEASURED = Scores("brain", 4.0, ("zero-filled",), (clean(), noisy(0.02), pgd(0.02)))


def scored(out, together, slices=3):
    scale = replace(SCALES["tiny"], slices=slices, together=together)
    return MEASURED.score(Experiment(scale, out), Results({}))


def test_slices_that_are_scored_together_are_scored_as_alone(tmp_path):
    alone, together = (scored(tmp_path / str(n), n) for n in (1, 2))
    key = lambda score: (score.row.condition, score.row.slice)  # noqa: E731
    assert sorted(map(key, alone)) == sorted(map(key, together)) and len(alone) == 9
    for a, b in zip(sorted(alone, key=key), sorted(together, key=key), strict=True):
        assert b.row.psnr == pytest.approx(a.row.psnr, abs=1e-3)
        assert b.row.relative_l2 == pytest.approx(a.row.relative_l2, rel=1e-4)


def test_images_are_of_the_slice_in_the_middle_of_the_split(tmp_path):
    scale = replace(SCALES["tiny"], slices=3, together=2, seeds=(0, 1))
    experiment = Experiment(scale, tmp_path)
    shown = SliceImages("brain", 4.0, ("zero-filled",), (clean(), noisy(0.02))).score(experiment, Results({}))
    assert [each.image.shape for each in shown] == [(48, 48)] * 2
    assert {each.score.row.slice for each in shown} == {*experiment.test("brain", 4.0, count=1).subjects}


def test_a_model_that_is_not_trained_is_not_trained_by_scoring(smallest, tmp_path):
    experiment = Experiment(smallest, tmp_path)
    with pytest.raises(ValueError, match="modl-0: expected a finished training run, got none"):
        Scores("brain", 4.0, ("modl",), (clean(),)).score(experiment, Results({}))
    assert not tmp_path.joinpath("runs").exists()


def test_only_the_run_that_would_be_made_is_taken_from_its_folder(smallest, tmp_path, make):
    made, modl, warm = Experiment(smallest, tmp_path), Run("brain", 4.0, "modl"), Run("brain", 4.0, "warm")
    model = make.model(modl, made)
    weights, document = made.folder(modl) / "model.safetensors", made.folder(modl) / DOCUMENT
    assert made.model(modl).metadata == model.metadata

    def refused(why):
        with pytest.raises(ValueError, match=f"modl-0: holds a run of another {why}; name another --out"):
            made.model(modl)

    described = document.read_text()
    document.write_text(json.dumps({**json.loads(described), "data": {"source": "phantom", "sha256": "0"}}))
    refused("data")
    document.write_text(described)
    # as by another process that is slower
    save_weights(weights, model.reconstructor, model.config, {**model.metadata, "update": "1"})
    refused("length")
    save_weights(weights, model.reconstructor, model.config, model.metadata)
    longer = replace(smallest, config=replace(smallest.config, seed=1), warm=replace(smallest.warm, updates=3))
    with pytest.raises(ValueError, match="warm-0: holds a run of another configuration, length"):
        Experiment(longer, tmp_path).train(warm)
    # a warm start that was trained again, elsewhere
    before = load_weights(made.folder(warm))
    initialise(before.reconstructor, made.folder(modl))
    save_weights(made.folder(warm) / "model.safetensors", before.reconstructor, before.config, before.metadata)
    refused("start")
