import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from smug.reports.figure import comparison_figure, error_limit, picture, white_level
from smug.system.figures import write_figure

from ..properties import assert_refused

pytest.importorskip("matplotlib")


def pixels(figure) -> np.ndarray:
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(float)


def texts(figure) -> str:
    """All that is written in a figure."""
    from matplotlib.text import Text

    return "\n".join(text.get_text() for text in figure.findobj(Text))


def images(figure) -> list:
    return [image for axis in figure.axes for image in axis.images if axis.get_label() != "<colorbar>"]


@pytest.fixture
def one(outcomes):
    return outcomes(models=("cg", "modl", "smug"), slices=("one",))


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_file_is_written_and_the_same_each_time(one, tmp_path, suffix):
    for name in ("a", "b"):
        write_figure(tmp_path / f"{name}{suffix}", comparison_figure(one))
    first, second = (tmp_path / f"{name}{suffix}" for name in ("a", "b"))
    assert first.read_bytes()[:4] in (b"\x89PNG", b"%PDF", b"<?xm")
    assert first.read_bytes() == second.read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_not_blank(one):
    rgb = pixels(comparison_figure(one, title="A title"))
    assert rgb.std() > 20
    assert len(np.unique(rgb.reshape(-1, 3), axis=0)) > 100


def test_says_what_is_seen(one):
    text = texts(comparison_figure(one, title="A title"))
    for outcome in one:
        assert f"{outcome.row.psnr:.2f} dB" in text
        assert outcome.row.model in text
        assert outcome.row.condition in text
    limit = error_limit(map(picture, one))
    for expected in ("A title", "target", "5.0 %", f"0 to {limit:g} of", "magnitude-slice PSNR", "Slice one."):
        assert expected in text


def test_windows_are_common(one):
    figure = comparison_figure(one)
    limit = error_limit(map(picture, one))
    windows = [image.get_clim() for image in images(figure)]
    # Three models under two conditions: as many error maps; the target too has images.
    assert windows.count((0, limit)) == 6
    assert set(windows) == {(0, picture(one[0]).white), (0, limit)}


def test_window_is_on_the_head_and_not_on_fat():
    """A brain of a third of the fat around it is shown bright, with a bright vessel cut off."""
    r = torch.linspace(-1, 1, 64)
    radius = (r[:, None] ** 2 + r**2).sqrt()
    target = torch.where(radius < 0.8, 1.0, 0.0)
    target[radius < 0.7] = 0.3
    target[32, 32] = 1.0
    target += 0.01 * torch.rand(64, 64, generator=torch.Generator().manual_seed(0))
    assert white_level(target.double().numpy()) == pytest.approx(0.31, abs=0.02)
    assert white_level(np.ones((8, 8))) == 1
    assert white_level(np.zeros((8, 8))) == 1


def test_window_is_the_same_for_all_models(outcomes):
    made = outcomes(models=("cg", "modl"), conditions=("clean",), slices=("one",))
    brighter = [replace(o, image=3 * o.image) if o.row.model == "modl" else o for o in made]
    assert len({picture(o).white for o in brighter}) == 1
    windows = {image.get_clim() for image in images(comparison_figure(brighter)) if image.get_cmap().name == "gray"}
    assert windows == {(0, picture(made[0]).white)}


def test_shows_magnitudes_in_units_of_the_target(one):
    shown = picture(one[0])
    target = one[0].target.abs().double().numpy()
    np.testing.assert_allclose(shown.target, target / target.max())
    np.testing.assert_allclose(
        shown.error, np.abs(one[0].image.abs().double().numpy() - target) / target.max(), atol=1e-7
    )


def test_the_inset_is_where_models_differ(outcomes):
    made = outcomes(slices=("one",), size=64)
    same = [replace(outcome, image=outcome.target.clone()) for outcome in made]
    same[-1].image[40:46, 10:16] += 1
    axis = comparison_figure(same).axes[0]
    (box,) = axis.patches
    left, top, side = (round(value + 0.5) for value in (*box.get_xy(), box.get_width() - 0.5))
    assert left <= 10 <= 15 < left + side
    assert top <= 40 <= 45 < top + side
    shown = axis.child_axes[0].images[0].get_array()
    np.testing.assert_array_equal(shown, picture(same[0]).target[top : top + side, left : left + side])


def test_identical_images_nan_and_inf_are_drawn(outcomes):
    made = outcomes(slices=("one",))
    made[0] = replace(made[0], image=made[0].target, row=replace(made[0].row, psnr=math.inf))
    made[1] = replace(made[1], image=torch.full_like(made[1].image, math.nan), row=replace(made[1].row, psnr=math.nan))
    text = texts(comparison_figure(made))
    assert "inf dB" in text
    assert "nan dB" in text
    assert error_limit([picture(made[0])]) == 1


def test_one_model_and_images_that_are_not_square(outcomes):
    made = [
        replace(outcome, image=outcome.image[:20], target=outcome.target[:20])
        for outcome in outcomes(models=("cg",), conditions=("clean",), slices=("one",))
    ]
    width, height = comparison_figure(made).get_size_inches()
    assert height < width


def test_long_names_are_cut_off(outcomes):
    figure = comparison_figure(outcomes(models=("a network " * 20, "x" * 200), slices=("one",)))
    figure.canvas.draw()
    for axis in figure.axes[1:3]:
        assert axis.title.get_window_extent().height < 60
        assert axis.title.get_text().endswith("…")


def test_names_are_no_mathematics(outcomes):
    figure = comparison_figure(outcomes(models=(r"$\alpha", "b"), slices=("$x_1$",)))
    assert r"$\alpha" in texts(figure)
    assert pixels(figure).std() > 0


def test_wrong_outcomes(outcomes, one):
    assert_refused(lambda: comparison_figure(outcomes()), "got outcomes of 2 slices, expected those of one: one, two")
    assert_refused(lambda: comparison_figure([]), "got outcomes of 0 slices")
    assert_refused(lambda: comparison_figure(one[:-1]), "got no outcome of smug under PGD 0.05")


def test_targets_are_those_of_the_condition(outcomes):
    made = outcomes(slices=("one",))
    shifted = [replace(o, target=o.target.flip(0)) if o.row.condition != "clean" else o for o in made]
    axes = comparison_figure(shifted).axes
    np.testing.assert_array_equal(axes[0].images[0].get_array(), picture(shifted[0]).target)
    np.testing.assert_array_equal(axes[6].images[0].get_array(), picture(shifted[0]).target[::-1])


def test_says_when_measurements_are_others(outcomes):
    made = outcomes(slices=("one",))
    other = [replace(o, row=replace(o.row, relative_l2=math.nan)) for o in made]
    assert "measured\nin another way" in texts(comparison_figure(other))
    assert "measurements\nunchanged" in texts(comparison_figure(made))


def test_other_suffixes(one, tmp_path):
    with pytest.raises(ValueError, match=r"got a figure 'a\.bmp', expected a name that ends in \.png, \.pdf or \.svg"):
        write_figure(tmp_path / "a.bmp", comparison_figure(one))
    assert list(tmp_path.iterdir()) == []


def test_leaves_pyplot_alone(one):
    import sys

    comparison_figure(one)
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        assert pyplot.get_fignums() == []
