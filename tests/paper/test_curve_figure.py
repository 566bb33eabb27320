import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from smug.evaluation.statistics import Interval
from smug.paper.curve_figure import curve_figure
from smug.paper.curves import Axis, Point
from smug.paper.style import STYLES

AXIS = Axis("level", "level (unit)", "{:g}".format, trained=2.0)


def points(level, seeds=(0.0,), difference=True):
    def at(x):
        mean = level - x
        gain = Interval(level - 30, level - 31, level - 29, "slice", 9) if difference else None
        return Point(x, Interval(mean, mean - 1, mean + 1, "slice", 9), gain, 2.0, [mean + seed for seed in seeds])

    return [at(x) for x in (1.0, 2.0, 4.0)]


@pytest.fixture
def drawn():
    return {
        "modl": points(30.0, difference=False),
        "smug": points(31.0, seeds=(-0.5, 0.5)),
        "cg-sense": points(25.0),
    }


def named(axes, label):
    return next(line for line in axes.lines if line.get_label() == label)


def test_axes_have_labels_with_units_and_ticks_at_the_places(drawn):
    figure = curve_figure({"": drawn}, AXIS, "modl")
    left, right = figure.axes
    assert (left.get_xlabel(), left.get_ylabel()) == ("level (unit)", "mean PSNR (dB)")
    assert (right.get_xlabel(), right.get_ylabel()) == ("level (unit)", "difference to MoDL (dB)")
    assert [text.get_text() for text in left.get_xticklabels()] == ["1", "2", "4"]
    assert figure.get_figwidth() == 8 and figure.get_figheight() <= 5


def test_every_method_is_drawn_in_its_own_look_and_named_once(drawn):
    figure = curve_figure({"": drawn}, AXIS, "modl")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["MoDL", "SMUG", "CG-SENSE"]
    for method, curve in drawn.items():
        line = named(figure.axes[0], STYLES[method].label)
        assert line.get_color() == STYLES[method].colour and line.get_marker() == STYLES[method].look.marker
        assert list(line.get_ydata()) == [point.psnr.mean for point in curve]


def test_differences_are_those_to_the_reference_without_the_classical_methods(drawn):
    figure = curve_figure({"": drawn}, AXIS, "modl")
    right = figure.axes[1]
    lines = [line for line in right.lines if len(line.get_xdata()) == 3]
    assert [line.get_color() for line in lines] == [STYLES["smug"].colour]
    assert list(lines[0].get_ydata()) == [1.0, 1.0, 1.0]
    bars = [segment for bars in right.collections for segment in bars.get_segments()]
    assert [(bar[0][1], bar[1][1]) for bar in bars] == [(0.0, 2.0)] * 3


def test_bars_are_the_range_of_the_training_seeds(drawn):
    left = curve_figure({"": drawn}, AXIS, "modl").axes[0]
    colour = STYLES["smug"].colour
    (bars,) = [bars for bars in left.collections if hasattr(bars, "get_segments") and _hex(bars) == colour]
    assert [(bar[0][1], bar[1][1]) for bar in bars.get_segments()] == [(29.5, 30.5), (28.5, 29.5), (26.5, 27.5)]


def _hex(bars):
    from matplotlib.colors import to_hex

    return to_hex(bars.get_edgecolor()[0]).upper()


def test_two_sweeps_are_two_rows_and_nothing_leaves_the_figure(drawn):
    figure = curve_figure({"clean": drawn, "attacked": drawn}, AXIS, "modl")
    FigureCanvasAgg(figure).draw()
    assert [axes.get_title("left") for axes in figure.axes] == ["clean", "", "attacked", ""]
    whole = figure.bbox
    for each in (*figure.axes, *figure.legends):
        box = each.get_tightbbox()
        assert whole.x0 <= box.x0 and box.x1 <= whole.x1 and whole.y0 <= box.y0 and box.y1 <= whole.y1
    assert figure.legends[0].get_tightbbox().y1 < min(axes.get_tightbbox().y0 for axes in figure.axes)


def test_the_place_of_training_is_marked_where_there_is_one(drawn):
    def marked(axis):
        return [text.get_text().strip() for axes in curve_figure({"": drawn}, axis, "modl").axes for text in axes.texts]

    assert marked(AXIS) == ["as trained"] * 2
    assert marked(Axis("level", "level (unit)", "{:g}".format)) == []


def test_one_slice_has_no_interval_and_is_drawn_all_the_same():
    none = Interval(1.0, float("nan"), float("nan"), "slice", 1)
    alone = {
        "modl": [Point(x, none, None, float("nan"), [1.0]) for x in (1.0, 2.0)],
        "smug": [Point(x, none, none, float("nan"), [1.0]) for x in (1.0, 2.0)],
    }
    figure = curve_figure({"": alone}, AXIS, "modl")
    FigureCanvasAgg(figure).draw()
    assert list(named(figure.axes[0], "SMUG").get_ydata()) == [1.0, 1.0]
