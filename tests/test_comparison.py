"""smug.evaluate and smug.certify: what is compared, on what, and what comes out."""

import json

import pytest
import torch

import smug
from smug.evaluation.datasets import simulated_set

ACQUISITION = smug.Acquisition(coils=2)


@pytest.fixture(scope="module")
def scan() -> smug.Scan:
    images = torch.stack([smug.head_phantom(seed, 32) for seed in (1, 2)])
    return smug.simulate(images, ACQUISITION)


@pytest.fixture(scope="module")
def result(scan):
    return smug.evaluate({"cg": smug.CGSense(), "zero": "zero-filled"}, scan, "demo")


def test_rows_summaries_and_document(result):
    assert [(row.model, row.slice) for row in result.rows if row.condition == "clean"] == [
        (model, name) for name in ("slice-000", "slice-001") for model in ("cg", "zero")
    ]
    assert {(s.model, s.condition) for s in result.summaries} == {(row.model, row.condition) for row in result.rows}
    assert result.document["kspace"] == "simulated" and len(result.document["data"]["sha256"]) == 16
    assert result.attacks().groups


def test_whom_given_scans_show_is_not_known():
    """They may all be of one person: intervals are over slices, and there is no p."""
    scans = smug.simulate(torch.stack([smug.head_phantom(seed, 32) for seed in range(5)]), ACQUISITION)
    result = smug.evaluate({"cg": smug.CGSense(), "zero": "zero-filled"}, scans, "clean")
    found = result.summaries[1].difference
    assert (found.unit, found.units) == ("slice", 5)
    assert found.p != found.p  # NaN
    assert "over subjects" not in str(result)


def test_the_table_is_what_is_printed(result):
    assert "cg" in str(result.table()) and "zero" in str(result)
    assert str(result) == str(result.table()) and "<table" in result._repr_html_()
    assert result.table("Mine").title == "Mine" and result.conclusion()


def test_an_evaluation_is_read_back(result, tmp_path):
    path, other = tmp_path / "all.json", tmp_path / "other.json"
    path.write_text(json.dumps(result.document))
    read = smug.Evaluation.read(path)
    assert str(read) == str(result) and read.conclusion() == result.conclusion()
    read.report(tmp_path / "again")
    assert not (tmp_path / "again" / "figure.png").exists()
    assert result.report(tmp_path / "first") is None
    for name in ("table.md", "cards/cg.json"):
        assert (tmp_path / "again" / name).read_text() == (tmp_path / "first" / name).read_text()
    halves = [path, other]
    for half, name in zip(halves, ("slice-000", "slice-001"), strict=True):
        rows = [row for row in result.document["rows"] if row["slice"] == name]
        half.write_text(json.dumps({**result.document, "rows": rows}))
    joined = smug.Evaluation.read(*halves)
    assert str(joined) == str(result) and joined.document["summaries"] == result.document["summaries"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": "other"}, "schema smug-evaluation-1"),
        ({"rows": []}, "no rows"),
        ({"rows": [{"nobody": 1}]}, "not the document of an evaluation"),
        ({"rows": None}, "not the document of an evaluation"),
        ({"conditions": 3}, "not the document of an evaluation"),
        ({}, "some twice"),
        ({"kspace": "measured"}, "twice|both"),
    ],
)
def test_what_is_no_evaluation_is_not_read(result, tmp_path, changes, message):
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    one.write_text(json.dumps(result.document))
    two.write_text(json.dumps({**result.document, **changes}))
    with pytest.raises(ValueError, match=message):
        smug.Evaluation.read(*((one, two) if changes.keys() <= {"kspace"} else (two,)))


def test_scans_by_the_name_of_their_source_are_those_that_are_scored():
    scans = smug.load_scans("phantom", size=32, acquisition=ACQUISITION, count=2)
    by_name = smug.evaluate("zero-filled", "phantom", "clean", size=32, acquisition=ACQUISITION, max_slices=2)
    by_scans = smug.evaluate("zero-filled", scans, "clean")
    assert [row.psnr for row in by_name.rows] == [row.psnr for row in by_scans.rows]


def test_a_folder_gets_everything_and_an_html_file_the_report(result, tmp_path):
    result.report(tmp_path / "out", title="Both")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report.html", "figure.png", "table.md", "cards"}
    assert "cg" in (tmp_path / "out" / "table.md").read_text(encoding="utf-8")
    result.report(tmp_path / "only.html", title="Both")
    assert (tmp_path / "only.html").read_bytes() == (tmp_path / "out" / "report.html").read_bytes()


def test_scans_a_batch_and_a_test_set_are_the_same_data(scan, result):
    one, two = scan[0], scan[1]
    models = {"cg": smug.CGSense(), "zero": smug.ZeroFilled()}
    assert [row.to_json() for row in smug.evaluate(models, [one, two], "demo").rows] == [
        row.to_json() for row in result.rows
    ]


def test_a_source_by_name_is_that_of_the_command():
    test = simulated_set("phantom", "test", 32, ACQUISITION, count=1)
    by_name = smug.evaluate("zero-filled", "phantom", "clean", size=32, acquisition=ACQUISITION, max_slices=1)
    by_set = smug.evaluate({"zero-filled": smug.ZeroFilled()}, test, "clean")
    assert by_name.rows == by_set.rows
    assert by_name.document["data"] == by_set.document["data"]


def test_names_are_those_of_models_functions_and_classes(scan):
    def adjoint(y, A):
        return A.H(y)

    rows = smug.evaluate(["modl", adjoint, smug.CGSense(0.1)], scan[0], "clean").rows
    assert [row.model for row in rows] == ["modl", "adjoint", "CGSense"]


def test_regularised_models_are_tuned_where_the_source_has_validation_slices(scan):
    document = smug.evaluate("cg-sense", scan, "clean").document
    assert document["configuration"] == {"cg-sense": repr(smug.CGSense())}


def test_a_store_keeps_rows(scan, tmp_path):
    first = smug.evaluate("zero-filled", scan, "clean", store=tmp_path / "rows")
    assert list((tmp_path / "rows").rglob("*.json"))
    assert smug.evaluate("zero-filled", scan, "clean", store=tmp_path / "rows").rows == first.rows


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ([], "expected names, reconstructors"),
        (3, "got int 3"),
        ([None], "got NoneType None"),
        ({"a": 1.5}, "got float 1.5"),
        (["tv:0.1", "tv:0.1"], "expected each once"),
        ([smug.ZeroFilled(), smug.ZeroFilled()], "a mapping"),
    ],
)
def test_what_is_no_model_is_refused(scan, models, message):
    with pytest.raises(ValueError, match=message):
        smug.evaluate(models, scan, "clean")


@pytest.mark.parametrize("data", [[], 3, None, [torch.ones(3)], torch.ones(3)])
def test_what_is_no_data_is_refused(data):
    with pytest.raises(ValueError, match=r"data: expected a smug\.Scan"):
        smug.evaluate("zero-filled", data, "clean")


def test_slices_of_one_name_and_scans_without_target_are_refused(scan):
    with pytest.raises(ValueError, match="different name"):
        smug.evaluate("zero-filled", [scan, scan], "clean")
    with pytest.raises(ValueError, match="fully sampled target"):
        smug.evaluate("zero-filled", smug.Scan(scan.y, scan.A, None, scan.id), "clean")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "fastest"}, "expected one of clean"),
        ({"protocol": 3}, "protocol: expected text or a Protocol, got int 3"),
        ({"protocol": "paper", "epsilons": (0.1,)}, "sizes of its own"),
        ({"max_slices": 1.5}, "max_slices: expected an integer"),
        ({"size": True}, "size: expected an integer"),
        ({"acquisition": 4}, "acquisition: expected an Acquisition, got int 4"),
        ({"kspace": "real"}, "measured"),
    ],
)
def test_options_out_of_range_are_refused(scan, options, message):
    with pytest.raises(ValueError, match=message):
        smug.evaluate("zero-filled", scan, **{"protocol": "clean", **options})


def test_certify_has_a_table_and_a_report(scan, tmp_path):
    asked = smug.Certification(noise=0.01, levels=(2.0,), draws=2)
    result = smug.certify({"cg": smug.CGSense(0.1)}, scan[0], asked)
    assert {row.model for row in result.rows} == {"cg"} and len(result.gains) == 1
    assert "cg" in str(result) and str(result) == str(result.table())
    assert result.document["certification"]["draws"] == 2
    result.report(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"certificates.md", "certificates.png"}
