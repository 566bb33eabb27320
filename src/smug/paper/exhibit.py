"""An exhibit of the paper as data: what is measured for it, how it is drawn, and the files that it becomes."""

import io
from collections.abc import Callable, Mapping, Sequence
from csv import DictWriter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smug.paper.experiment import Experiment
from smug.paper.measurement import Measurement, Results
from smug.paper.scales import Scale
from smug.paper.scores import Score, Scores
from smug.system.documents import document, plainly
from smug.system.figures import write_figure
from smug.system.files import write_json, write_text
from smug.system.table import Table
from smug.system.words import counted
from smug.training.config_file import to_dict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA = "smug-exhibit-1"


@dataclass(frozen=True, eq=False)
class Drawing:
    """What an exhibit shows: a figure, a body of text and tables, or both.

    ``records`` are plain values, one per line of the CSV. Texts of the ``body`` are Markdown. ``notes`` say what the
    exhibit does not show by itself.
    """

    records: Sequence[Mapping[str, Any]]
    figure: "Figure | None" = None
    body: Sequence[str | Table] = ()
    notes: Sequence[str] = ()

    @property
    def markdown(self) -> str:
        """The body in Markdown; empty where there is none."""
        return "\n\n".join(part if isinstance(part, str) else part.markdown().rstrip() for part in self.body)


@dataclass(frozen=True, eq=False)
class Content:
    """What an exhibit is at a scale: its measurements in the order of scoring, and how it is drawn from them."""

    measurements: Sequence[Measurement[Any]]
    draw: Callable[[Results], Drawing]


@dataclass(frozen=True)
class Exhibit:
    """A table or a figure of an ``anatomy``; ``content`` tells what it is at a scale."""

    name: str
    title: str
    anatomy: str
    content: Callable[[Scale], Content]


def write_exhibit(exhibit: Exhibit, drawing: Drawing, experiment: Experiment, folder: Path) -> dict[str, Any]:
    """Write ``NAME.csv``, ``NAME.json``, ``NAME.png`` and ``.pdf`` of a figure, ``NAME.md`` of a body.

    Return the JSON document: all that is needed to repeat the exhibit, and its records.
    """
    scale, name = experiment.scale, exhibit.name
    if drawing.figure is not None:
        _stamp(drawing.figure, scale.stamp)
        for suffix in (".png", ".pdf"):
            write_figure(folder / f"{name}{suffix}", drawing.figure)
    if drawing.body:
        stamp = f"**{scale.stamp}**" if scale.stamp else ""
        parts = (f"# {exhibit.title}", stamp, drawing.markdown, *drawing.notes)
        write_text(folder / f"{name}.md", "\n\n".join(filter(None, parts)) + "\n")
    write_text(folder / f"{name}.csv", csv(drawing.records))
    described = _document(exhibit, drawing, experiment)
    write_json(folder / f"{name}.json", described)
    return described


def csv(records: Sequence[Mapping[str, Any]]) -> str:
    """Return records as CSV, with the union of their keys as columns; empty where there is no value.

    >>> print(csv([{"a": 1, "b": "x, y"}, {"a": None, "c": 2.5}]), end="")
    a,b,c
    1,"x, y",
    ,,2.5
    """
    text = io.StringIO()
    writer = DictWriter(text, list(dict.fromkeys(key for record in records for key in record)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(plainly(record) for record in records)
    return text.getvalue()


def about(scale: Scale, measured: Scores, scores: Sequence[Score]) -> str:
    """Return the first sentence of captions: the data set, how many slices, subjects and training seeds."""
    note = scale.anatomy(measured.anatomy).note
    slices = {each.row.slice for each in scores}
    subjects = {each.row.subject for each in scores} - {""}
    seeds = {each.seed for each in scores}
    whose = f" of {counted(len(subjects), 'subject')}" if subjects else ""
    return (
        f"Data set {measured.anatomy}{f': {note}' if note else ''}. {counted(len(slices), 'test slice')}{whose}; "
        f"models trained at {measured.acceleration:g}x, {counted(len(seeds), 'training seed')}"
        f"{' from one warm start' if len(seeds) > 1 else ''}."
    )


def _document(exhibit: Exhibit, drawing: Drawing, experiment: Experiment) -> dict[str, Any]:
    scale = experiment.scale
    return document(
        SCHEMA,
        exhibit=exhibit.name,
        title=exhibit.title,
        scale=scale.name,
        stamp=scale.stamp,
        command=experiment.command,
        seed=experiment.seed,
        training_seeds=scale.seeds,
        configuration=to_dict(scale.config),
        start=scale.start if isinstance(scale.start, str) else asdict(scale.start),
        warm_start=asdict(scale.warm),
        test={"slices": scale.slices, "noise": scale.noise, "num_samples": scale.num_samples},
        data={
            part.name: part.described | {"note": part.note, "kspace": part.kspace} for part in (scale.brain, scale.knee)
        },
        notes=list(drawing.notes),
        records=list(drawing.records),
    )


def _stamp(figure: "Figure", stamp: str) -> None:
    """Write the scale's stamp across a figure."""
    if not stamp:
        return
    from matplotlib.patheffects import withStroke

    outline = [withStroke(linewidth=3, foreground="white", alpha=0.6)]  # on black images too
    place: dict[str, Any] = {"ha": "center", "va": "center", "rotation": 30, "fontsize": 24}
    figure.text(0.5, 0.5, stamp, color="0.4", alpha=0.6, path_effects=outline, **place)
