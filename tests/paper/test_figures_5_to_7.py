from dataclasses import replace

import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from smug.evaluation.row import Row
from smug.paper import figures_5_to_7
from smug.paper.figures_5_to_7 import FIG5, FIG6, FIG7, OURS, PAPERS, visual_figure
from smug.paper.scores import Score, ScoredImage


def seen(method, error, size=(32, 32)):
    target = torch.zeros(size, dtype=torch.complex64)
    target[4:-4, 8:-8] = 2
    row = Row(method, "PGD linf 0.02", "slice-7", 20 + error, 0.5, 0.1, 20.0, 0.1)
    return ScoredImage(Score("brain", 4.0, method, 0, row), target + error, target)


@pytest.fixture
def all_methods():
    return [seen(method, 0.1 * number) for number, method in enumerate((*PAPERS, *OURS))]


def test_every_method_has_an_image_and_an_error_map(all_methods):
    figure = visual_figure(all_methods)
    shown = [axes for axes in figure.axes if axes.images]
    assert len(shown) == 1 + 2 * len(all_methods)
    assert {axes.get_title() for axes in shown} >= {
        "target",
        "MoDL",
        "Weighted SMUG",
        "CG-SENSE",
        "adversarial training",
    }


def test_all_images_have_one_window_and_all_errors_one_scale(all_methods):
    shown = [axes.images[0] for axes in visual_figure(all_methods).axes if axes.images]
    for colours, count in (("gray", 1 + len(all_methods)), ("magma", len(all_methods))):
        assert len({image.get_clim() for image in shown if image.get_cmap().name == colours}) == 1
        assert sum(image.get_cmap().name == colours for image in shown) == count


def test_the_numbers_stand_in_the_panels(all_methods):
    texts = [text.get_text() for axes in visual_figure(all_methods).axes for text in axes.texts]
    assert [text for text in texts if "dB" in text] == [
        f"{each.score.row.psnr:.2f} dB  {each.score.row.ssim:.3f}" for each in all_methods
    ]


def test_no_panel_covers_another_nor_leaves_the_figure(all_methods):
    figure = visual_figure([replace(each, image=each.image[:, 4:], target=each.target[:, 4:]) for each in all_methods])
    FigureCanvasAgg(figure).draw()
    boxes = [axes.get_position() for axes in figure.axes if axes.images]
    assert all(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= 1 and box.y1 <= 1 for box in boxes)
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])


def test_the_exhibit_is_of_one_slice_and_of_one_seed(experiment, tmp_path, monkeypatch, make):
    monkeypatch.setattr(figures_5_to_7, "PAPERS", ("modl", "smug"))
    monkeypatch.setattr(figures_5_to_7, "OURS", ("zero-filled",))
    result = make.exhibit(FIG6, replace(experiment, scale=replace(experiment.scale, seeds=(0, 1))), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"fig6.{kind}" for kind in ("png", "pdf", "csv", "json")}
    assert [record["method"] for record in result.records] == ["modl", "smug", "zero-filled"]
    assert {record["seed"] for record in result.records} == {0}
    assert {record["slice"] for record in result.records} == {*experiment.test("knee", 4.0, count=1).subjects}
    assert "slice in the middle of the test split" in result.notes[0]


def test_the_papers_figures():
    assert [exhibit.title for exhibit in (FIG5, FIG6, FIG7)] == [
        "Fig. 5: brain at 4x in the worst case",
        "Fig. 6: knee at 4x in the worst case",
        "Fig. 7: knee at 8x in the worst case",
    ]
