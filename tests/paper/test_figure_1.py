from smug.evaluation.statistics import interval
from smug.paper.figure_1 import FIG1, changes
from smug.paper.table_text import signed


def test_what_changes_is_one_thing_at_a_time():
    named = changes(8)
    assert [condition.name for condition in named.values()] == [
        "clean",
        "PGD linf 0.02",
        "acceleration 2.0",
        "steps 16",
    ]
    assert "(d) 16 steps for 8" in named


def test_figure_1_shows_target_images_and_errors(experiment, tmp_path, make):
    result = make.exhibit(FIG1, experiment, tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".png", ".pdf", ".csv", ".json", ".md"}
    titles = [axes.get_title() for axes in result.figure.axes if axes.get_title()]
    assert titles == ["target", *changes(2)]
    panels = [axes for axes in result.figure.axes if axes.images and axes.get_position().width > 0.1]
    assert len(panels) == 1 + 2 * 4
    psnr = [text.get_text() for axes in panels for text in axes.texts]
    assert sum(text.endswith(" dB") for text in psnr) == 4


def test_figure_1_has_numbers_of_all_test_slices(experiment, tmp_path, make):
    result = make.exhibit(FIG1, experiment, tmp_path)
    assert len(result.records) == 4 * 2
    assert {record["method"] for record in result.records} == {"modl"}
    assert result.markdown.count("\n| (") == 4
    texts = [text.get_text().replace("\n", " ") for text in result.figure.texts]
    assert any(text.startswith("Data set brain: head phantoms stand in. 2 test slices") for text in texts)
    assert "smoke test, not a result" in texts


def test_the_interval_of_a_change_is_that_of_paired_slices(experiment, tmp_path, make):
    result = make.exhibit(FIG1, experiment, tmp_path)
    psnr = {(record["condition"], record["slice"]): record["psnr"] for record in result.records}
    drops = [psnr["PGD linf 0.02", name] - psnr["clean", name] for name in {name for _, name in psnr}]
    line = next(line for line in result.markdown.splitlines() if line.startswith("| (b)"))
    assert signed(interval(drops, ["one", "two"])) in line  # phantoms are subjects of their own
    assert result.notes[-1].startswith("n = 2: no interval")
