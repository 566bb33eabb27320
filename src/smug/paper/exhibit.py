"""An exhibit of the paper: a list of cells, and what is made of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smug.paper.cells import Found
from smug.paper.regime import Scale
from smug.paper.workshop import Workshop
from smug.system.documents import RESEARCH, plainly
from smug.system.figures import write_figure
from smug.system.files import write_json, write_text
from smug.version import __version__

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA = "smug-exhibit-1"


@dataclass(frozen=True, eq=False)
class Result:
    """What an exhibit shows: its ``records``, plain values, one per line of the CSV; a figure, a table, or both.

    ``text`` is the table in markdown, ``notes`` say what the exhibit does not show by itself.
    """

    records: Sequence[Mapping[str, Any]]
    figure: "Figure | None" = None
    text: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Exhibit:
    """A table or a figure of an ``anatomy``: ``make`` scores its cells in a workshop and draws them."""

    name: str
    title: str
    anatomy: str
    make: Callable[[Workshop], Result]

    def write(self, workshop: Workshop, folder: Path) -> Result:
        """Make the exhibit; write ``NAME.csv``, ``NAME.json``, and ``NAME.png`` and ``.pdf``, ``NAME.md``, or all."""
        result, scale = self.make(workshop), workshop.scale
        if result.figure is not None:
            stamped(result.figure, scale)
            for suffix in (".png", ".pdf"):
                write_figure(folder / f"{self.name}{suffix}", result.figure)
        if result.text:
            head = f"**{scale.stamp}**\n\n" if scale.stamp else ""
            notes = "".join(f"\n{note}\n" for note in result.notes)
            write_text(folder / f"{self.name}.md", f"# {self.title}\n\n{head}{result.text}\n{notes}")
        write_text(folder / f"{self.name}.csv", csv(result.records))
        write_json(folder / f"{self.name}.json", self.document(workshop, result))
        return result

    def document(self, workshop: Workshop, result: Result) -> dict[str, Any]:
        """Return everything that is needed to repeat the exhibit, and its records."""
        from smug.training.config_file import to_dict

        scale = workshop.scale
        document: dict[str, Any] = plainly(
            {
                "schema": SCHEMA,
                "version": __version__,
                "use": RESEARCH,
                "exhibit": self.name,
                "title": self.title,
                "scale": scale.name,
                "stamp": scale.stamp,
                "command": workshop.command,
                "seed": workshop.seed,
                "training_seeds": scale.seeds,
                "configuration": to_dict(scale.config),
                "start": scale.start if isinstance(scale.start, str) else asdict(scale.start),
                "warm_start": asdict(scale.warm),
                "test": {"slices": scale.slices, "noise": scale.noise, "num_samples": scale.num_samples},
                "data": {
                    part.name: part.described | {"note": part.note, "kspace": part.kspace}
                    for part in (scale.brain, scale.knee)
                },
                "notes": list(result.notes),
                "records": list(result.records),
            }
        )
        return document


def flat(found: Iterable[Found]) -> list[dict[str, Any]]:
    """Return scored cells as records."""
    return [each.flat() for each in found]


def csv(records: Sequence[Mapping[str, Any]]) -> str:
    """Return records as CSV, with the union of their keys as columns; empty where there is no value.

    >>> print(csv([{"a": 1, "b": "x, y"}, {"a": None, "c": 2.5}]), end="")
    a,b,c
    1,"x, y",
    ,,2.5
    """
    import io
    from csv import DictWriter

    text = io.StringIO()
    writer = DictWriter(text, list(dict.fromkeys(key for record in records for key in record)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(plainly(record) for record in records)
    return text.getvalue()


def stamped(figure: "Figure", scale: Scale) -> None:
    """Write the scale's stamp across a figure."""
    if not scale.stamp:
        return
    from matplotlib.patheffects import withStroke

    outline = [withStroke(linewidth=3, foreground="white", alpha=0.6)]  # on black images too
    place: dict[str, Any] = {"ha": "center", "va": "center", "rotation": 30, "fontsize": 24}
    figure.text(0.5, 0.5, scale.stamp, color="0.4", alpha=0.6, path_effects=outline, **place)
