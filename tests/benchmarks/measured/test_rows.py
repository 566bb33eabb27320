import json

import pytest
import torch

import smug
from benchmarks.measured import rows as module
from benchmarks.measured.cases import Scores, head_psnr, reconstructed, scores
from benchmarks.measured.oracle import FAMILIES, Best
from benchmarks.measured.rows import ORACLES, Contender, Row, kept, make_row, reconstructor

CPU = torch.device("cpu")
ROW = Row("head", 3.0, "random", 0, "best tv", Scores(30.0, 0.9, 29.0, 0.1, 2.0), Best(0.01, 30.0))


def test_a_model_is_scored_as_it_reconstructs(case):
    row = make_row(case, Contender("zf", smug.ZeroFilled()), CPU)
    images = reconstructed(case, smug.ZeroFilled(), CPU)[0]
    assert row.scores == scores(images, case, row.scores.seconds)
    assert (row.case, row.model, row.best) == (("head", 3, "equispaced", 1), "zf", None)


def test_an_oracle_has_the_lam_of_the_case(case):
    _, oracle = ORACLES
    row = make_row(case, oracle, CPU)
    assert (oracle.name, row.model) == ("best cg-sense", "best cg-sense")
    assert row.best.psnr == row.scores.psnr >= make_row(case, Contender("cg", smug.CGSense(0.2)), CPU).scores.psnr
    model = reconstructor(oracle, row.best)
    assert model == FAMILIES["cg-sense"].make(row.best.lam, row.best.more)
    assert head_psnr(reconstructed(case, model, CPU)[0], case.full) == row.best.psnr
    with pytest.raises(ValueError, match="best cg-sense: expected the regularisation"):
        reconstructor(oracle, None)


@pytest.fixture
def count():
    made = []

    def make():
        made.append(1)
        return ROW

    make.made = made
    return make


def test_a_row_is_made_once(case, tmp_path, count):
    for _ in range(2):
        assert kept(tmp_path, "digest", case, ORACLES[0], count) == ROW
    assert len(count.made) == 1
    (path,) = tmp_path.iterdir()
    assert json.loads(path.read_text())["schema"] == module.SCHEMA
    path.write_text("{")
    assert kept(tmp_path, "digest", case, ORACLES[0], count) == ROW and len(count.made) == 2


def test_what_differs_is_made_anew(case, scan, tmp_path, count, monkeypatch):
    models = [smug.CGSense(0.1), smug.CGSense(0.2), smug.ZeroFilled()]
    for contender in (*ORACLES, *(Contender("m", model) for model in models)):
        kept(tmp_path, "digest", case, contender, count)
    kept(tmp_path, "another file", case, ORACLES[0], count)
    for name, value in {"acceleration": 4, "kind": "random", "seed": 2, "file": "other"}.items():
        values = {key: getattr(case, key) for key in ("file", "acceleration", "kind", "seed")}
        kept(tmp_path, "digest", module.Case(**values | {name: value}, full=scan), ORACLES[0], count)
    monkeypatch.setattr(module, "code_digest", lambda: "another benchmark")
    kept(tmp_path, "digest", case, ORACLES[0], count)
    assert len(count.made) == len(list(tmp_path.iterdir())) == 11


def test_nothing_is_kept_of_functions_that_may_change(case, tmp_path, count):
    for folder in (tmp_path, None):
        assert kept(folder, "digest", case, Contender("mine", lambda y, A, generator=None: A.H(y)), count) == ROW
    assert len(count.made) == 2 and not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to_loses_nothing(case, tmp_path, count, caplog):
    (tmp_path / "file").touch()
    assert kept(tmp_path / "file", "digest", case, ORACLES[0], count) == ROW
    assert "this row is not kept" in caplog.text
