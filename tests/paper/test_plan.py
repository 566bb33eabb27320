from dataclasses import replace

import pytest

from smug.paper.estimate import Calls, calls, estimate
from smug.paper.exhibits import EXHIBITS
from smug.paper.figure_11 import FIG11
from smug.paper.figures_5_to_7 import FIG5
from smug.paper.figures_8_9_10_13 import FIG8, FIG9
from smug.paper.matched_noise import HALVINGS
from smug.paper.measurement import Cells
from smug.paper.plan import draw, plan, score, train
from smug.paper.runs import Run
from smug.paper.scales import SCALES
from smug.paper.tables import TABLE1
from smug.training import trainer


def test_runs_come_after_those_that_they_start_from():
    scale = replace(SCALES["tiny"], seeds=(0, 1))
    runs = plan(EXHIBITS.values(), scale).runs
    assert len(set(runs)) == len(runs)
    for place, run in enumerate(runs):
        parent = run.parent(scale)
        assert parent is None or parent in runs[:place]


def test_what_two_exhibits_share_is_planned_once():
    scale = SCALES["tiny"]
    both, first, second = (plan(which, scale) for which in ([FIG8, FIG9], [FIG8], [FIG9]))
    assert len(both.runs) == len(first.runs) == len(second.runs)
    clean = [cells for cells in first.cells if cells.condition.name == "clean"]
    assert len(both.cells) == len(first.cells) + len(second.cells) - len(clean)


def test_the_search_for_a_level_of_noise_is_planned_with_what_it_needs():
    planned = plan([TABLE1], SCALES["tiny"])
    search = [cells for cells in planned.cells if cells.split == "val"]
    assert {cells.run for cells in search} == {Run("brain", 4.0, "modl")}
    assert sum(cells.slices for cells in search) == 16 * (1 + HALVINGS + 1)
    assert Run("brain", 4.0, "modl") in planned.runs


def test_phases_do_their_own_work_alone(experiment, tmp_path, monkeypatch):
    alone = replace(experiment, out=tmp_path, scale=replace(experiment.scale, slices=1))
    monkeypatch.setattr("smug.paper.figures_8_9_10_13.ALL", ("modl", "zero-filled"))
    planned = plan([FIG9], alone.scale)
    train(planned, alone)
    assert len(list(tmp_path.rglob("run.json"))) == 3 and not (tmp_path / "rows").exists()
    monkeypatch.setattr(trainer, "train", lambda *_, **__: pytest.fail("trained by another phase"))
    results = score(planned, alone)
    assert (tmp_path / "rows").exists() and not (tmp_path / "fig9.csv").exists()
    monkeypatch.setattr("smug.paper.experiment.score", lambda *_, **__: pytest.fail("scored by drawing"))
    ((exhibit, drawing, document),) = draw(planned, alone, results, tmp_path)
    assert exhibit is FIG9 and (tmp_path / "fig9.csv").exists()
    assert document["records"] and len(document["records"]) == len(drawing.records)


def cells_of(exhibit, method, condition):
    (found,) = [
        cells
        for cells in plan([exhibit], SCALES["tiny"]).cells
        if cells.run.method == method and cells.condition.name == condition
    ]
    return found


@pytest.mark.parametrize(
    ("method", "condition", "counted"),
    [
        ("modl", "clean", Calls(2, 0)),  # two steps
        ("smug", "clean", Calls(4, 0)),  # of two samples
        ("cg-sense", "clean", Calls(1, 0)),
    ],
)
def test_calls_are_counted(method, condition, counted):
    assert calls(cells_of(FIG8, method, condition), SCALES["tiny"]) == counted


def test_an_attack_takes_gradients_and_smoothing_multiplies_its_calls():
    modl, smug = (calls(cells_of(FIG8, name, "PGD linf 0.02"), SCALES["tiny"]) for name in ("modl", "smug"))
    assert modl.differentiated >= 2 * 10 and smug.differentiated == 2 * modl.differentiated


def test_a_setting_that_a_method_does_not_have_takes_no_time():
    (condition, *_) = [cells.condition for cells in plan([FIG11], SCALES["tiny"]).cells]
    assert calls(Cells(Run("knee", 4.0, "modl"), condition, 1), SCALES["tiny"]) == Calls()


def test_the_estimate_is_of_what_is_not_trained(experiment, make, tmp_path):
    few = replace(experiment, out=tmp_path)
    planned = plan([FIG5], few.scale)
    before = estimate(planned, few)
    assert (before.runs, before.finished, before.updates) == (8, 0, 16)
    assert before.attacks == 8 and before.reconstructions == 0 and before.drawings == 1
    assert before.training_seconds > 0 and before.scoring_seconds > 0
    make.model(Run("brain", 4.0, "modl"), few)
    after = estimate(planned, few)
    assert (after.finished, after.updates) == (3, 10) and after.attacks == 8
    assert after.lines[0].startswith("train 8 models (3 of them finished): 10 updates, ")
