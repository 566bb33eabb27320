"""Figures 5 to 7: images of all methods, of one slice in the worst case."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from smug.evaluation.row import Outcome
from smug.evaluation.summary import per_cent
from smug.paper.conditions import EPSILON, pgd
from smug.paper.exhibit import Content, Drawing, Exhibit
from smug.paper.measurement import Results
from smug.paper.runs import PAPERS
from smug.paper.scales import Scale
from smug.paper.scores import ScoredImage, SliceImages, records
from smug.paper.style import STYLES, captioned
from smug.reports.figure import ERROR_COLOURS, Picture, draw_image, error_limit, label, most_different, picture
from smug.system.figures import GAP, PANEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OURS = ("cg-sense", "tv", "jitter", "adversarial")
"""The methods in the lower half, below the paper's."""


def visual_figure(scored: Sequence[ScoredImage]) -> "Figure":
    """Return a figure of one slice: the target and the paper's methods with error maps below, then :data:`OURS`."""
    pictures = {each.score.method: picture(Outcome(each.score.row, each.image, each.target)) for each in scored}
    rows = [[method for method in methods if method in pictures] for methods in (PAPERS, OURS)]
    limit, place = error_limit(pictures.values()), most_different([[pictures[method] for method in rows[0]]])
    target = next(iter(pictures.values())).target
    figure, grid = _layout(target.shape)
    draw_image(grid[0][0], target, place)
    grid[0][0].set_title("target", fontsize=9)
    for methods, above, below in zip(rows, grid[::2], grid[1::2], strict=True):
        for method, image, error in zip(methods, above[1:], below[1:], strict=False):
            p = pictures[method]
            draw_image(image, p.image, place)
            image.set_title(STYLES[method].label, fontsize=9)
            label(image, f"{p.row.psnr:.2f} dB  {p.row.ssim:.3f}")
            shown = error.imshow(p.error, cmap=ERROR_COLOURS, vmin=0, vmax=limit, interpolation="nearest")
    _scale(figure, grid[1][0], shown)
    grid[2][0].text(0.5, 0.5, _perturbation(pictures.values()), ha="center", va="center", fontsize=7.5, linespacing=1.4)
    return figure


def _layout(shape: tuple[int, ...]) -> tuple["Figure", list[list["Axes"]]]:
    """Two blocks of two rows of panels, with room for headings above each block; the first column is bare."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns, margin, heading = len(PAPERS) + 1, 0.1, 0.25  # the last two in inches
    panel = PANEL * shape[0] / shape[1]
    width, height = 2 * margin + columns * (PANEL + GAP), margin + 2 * heading + 4 * (panel + GAP)
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)

    def axes(row: int, column: int) -> "Axes":
        left, top = margin + column * (PANEL + GAP), heading * (1 + row // 2) + row * (panel + GAP)
        placed = figure.add_axes((left / width, 1 - (top + panel) / height, PANEL / width, panel / height))
        placed.set(xticks=[], yticks=[])
        if row and not column:
            placed.axis("off")
        return placed

    return figure, [[axes(row, column) for column in range(columns)] for row in range(4)]


def _scale(figure: "Figure", axes: "Axes", errors: Any) -> None:
    bar = axes.inset_axes((0.1, 0.55, 0.8, 0.07))
    figure.colorbar(errors, cax=bar, orientation="horizontal", extend="max")
    bar.tick_params(labelsize=7)
    bar.set_xlabel("error | |x| − |t| | /\nmaximum of the target", fontsize=7)


def _perturbation(pictures: Iterable[Picture]) -> str:
    size = per_cent(p.row.relative_l2 for p in pictures)
    return f"measurements\nperturbed by\n{size}\n(relative l2),\nPGD, ε = {EPSILON:g}"


def _content(scale: Scale, anatomy: str, acceleration: float) -> Content:
    shown = SliceImages(anatomy, acceleration, (*PAPERS, *OURS), (pgd(EPSILON),))
    note = scale.anatomy(anatomy).note

    def draw(results: Results) -> Drawing:
        images = results.of(shown)
        caption = (
            f"Data set {anatomy}{f': {note}' if note else ''}. {images[0].score.row.slice}, the slice in the middle of "
            f"the test split (of phantoms the first); models trained at {acceleration:g}x, seed {scale.seeds[0]}. PGD, "
            f"ε = {EPSILON:g} of the image's maximum, made for each method. {scale.sampling} In the panels: PSNR and "
            "SSIM of the slice's magnitude. All images from 0 to the target's maximum, all errors on one scale; the "
            "inset enlarges the square where the four above differ most."
        )
        figure = captioned(visual_figure(images), caption)
        return Drawing(records(each.score for each in images), figure, notes=(caption,))

    return Content([shown], draw)


def _exhibit(name: str, title: str, anatomy: str, acceleration: float) -> Exhibit:
    return Exhibit(name, title, anatomy, lambda scale: _content(scale, anatomy, acceleration))


FIG5 = _exhibit("fig5", "Fig. 5: brain at 4x in the worst case", "brain", 4.0)
FIG6 = _exhibit("fig6", "Fig. 6: knee at 4x in the worst case", "knee", 4.0)
FIG7 = _exhibit("fig7", "Fig. 7: knee at 8x in the worst case", "knee", 8.0)
