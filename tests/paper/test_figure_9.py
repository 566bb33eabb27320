import torch

from smug.paper import figures_8_9_10_13
from smug.paper.conditions import at_rate
from smug.paper.figures_8_9_10_13 import FIG9, RATE_AXIS, RATES


def test_the_rate_of_training_is_clean_data(experiment):
    assert at_rate(4.0).name == "clean"
    scan = experiment.test("knee", 4.0).scans[0]
    for rate in RATES:
        made = at_rate(rate).perturb(None, scan, torch.tensor([3])).scan
        sampled = made.A.mask.sum().item()
        assert sampled == round(scan.A.mask.shape[-1] / rate)


def test_the_axis_tells_the_share_that_is_sampled():
    assert [RATE_AXIS.written(rate) for rate in (2.0, 8.0)] == ["2x\n50 %", "8x\n12.5 %"]
    assert RATE_AXIS.trained == 4.0


def test_figure_9_has_all_rates(experiment, tmp_path, monkeypatch, make):
    monkeypatch.setattr(figures_8_9_10_13, "ALL", ("modl", "zero-filled"))
    result = make.exhibit(FIG9, experiment, tmp_path)
    assert {record["rate"] for record in result.records} == {*RATES}
    assert len(result.records) == 2 * len(RATES) * 2
    assert "| MoDL |" in result.markdown and "2x, 50 %" in result.markdown
    for method in ("modl", "zero-filled"):
        psnr = {r["rate"]: r["psnr"] for r in result.records if r["method"] == method and r["slice"].endswith("0")}
        assert psnr[2.0] > psnr[8.0]
