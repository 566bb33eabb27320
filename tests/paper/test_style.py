from itertools import combinations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from smug.paper.figures_8_9_10_13 import TARGETS
from smug.paper.runs import CLASSICAL, METHODS
from smug.paper.style import STYLES, captioned
from smug.paper.sweeps import ALL


def luminance(colour):
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), to_rgb(colour), strict=True))


def test_every_method_has_a_look_and_a_name_of_its_own():
    assert {*METHODS, *CLASSICAL} == STYLES.keys()
    assert len({style.label for style in STYLES.values()}) == len(STYLES)
    assert len({(style.colour, style.look.marker, style.look.dashes) for style in STYLES.values()}) == len(STYLES)


@pytest.mark.parametrize("methods", [ALL, TARGETS], ids=["methods", "targets"])
def test_curves_of_a_figure_have_different_colours_markers_and_dashes(methods):
    looks = [STYLES[method].look for method in methods]
    assert len({look.colour for look in looks}) == len({look.marker for look in looks}) == len(looks)
    for a, b in combinations(looks, 2):
        assert a.dashes != b.dashes or abs(luminance(a.colour) - luminance(b.colour)) > 0.1


@pytest.fixture
def figure():
    made = Figure(figsize=(5, 3))
    FigureCanvasAgg(made)
    axes = made.add_axes((0.2, 0.3, 0.5, 0.6))
    axes.plot([0, 1], label="a line")
    made.legend(loc="lower center")
    made.text(0.1, 0.05, "a remark")
    return made


def inches_below_the_top(figure):
    """Where things are drawn: left, bottom, right and top of each in inches, from the upper left corner."""
    figure.canvas.draw()
    height = figure.get_figheight()
    boxes = [each.get_window_extent() for each in (*figure.axes, *figure.legends, *figure.texts)]
    dpi = figure.dpi
    return [(box.x0 / dpi, height - box.y0 / dpi, box.x1 / dpi, height - box.y1 / dpi) for box in boxes]


def test_a_caption_moves_and_resizes_nothing(figure):
    before = inches_below_the_top(figure)
    after = inches_below_the_top(captioned(figure, "Small print. " * 30))
    assert after[:-1] == [pytest.approx(box, abs=0.02) for box in before]


def test_a_caption_is_below_everything_and_within_the_figure(figure):
    text = "Mean PSNR over many slices: (a) 10.00 dB. " * 12
    *others, (left, bottom, right, top) = inches_below_the_top(captioned(figure, text))
    assert top > max(box[1] for box in others)
    assert left >= 0 and right <= figure.get_figwidth() and bottom <= figure.get_figheight()
    assert figure.texts[-1].get_text().replace("\n", " ") == text.strip()
