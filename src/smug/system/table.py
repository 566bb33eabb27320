r"""One table for terminals, Markdown and HTML. Its texts are shown as they are: no markup in a name is obeyed.

>>> scores = simple_table(["model", Column("PSNR", "dB")], [["MoDL", "32.7"], ["a|b", "30.1"]], notes=["1 slice."])
>>> print(scores.markdown())
| model | PSNR (dB) |
| --- | ---: |
| MoDL | 32.7 |
| a\|b | 30.1 |
<BLANKLINE>
1 slice.
<BLANKLINE>
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Literal

from smug.system.words import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

PLAIN_WIDTH = 120
"""Characters in a line where a table is printed to no terminal."""


@dataclass(frozen=True)
class Column:
    """The head of a column; numbers are aligned to the right. Terminals break the line where the ``name`` does."""

    name: str
    unit: str = ""
    align: Literal["left", "right"] = "right"

    @property
    def head(self) -> str:
        """The name with its unit, on one line."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


@dataclass(frozen=True)
class Cell:
    """A text that is ``strong``, such as the best of its group, or has a mark of a ``colour`` (#rrggbb) before it."""

    text: str
    strong: bool = False
    colour: str = ""


@dataclass(frozen=True)
class Group:
    """Rows under a heading, with a cell per column; ``about`` explains the heading where there is room."""

    name: str
    rows: Sequence[Sequence[str | Cell]]
    about: str = ""


@dataclass(frozen=True)
class Table:
    """Groups of rows under columns, with paragraphs below.

    ``grouping`` says what the groups are: the head of the column that has their names in Markdown. Groups without a
    name have no heading. Raises ValueError where a row does not have a cell per column.
    """

    columns: Sequence[Column]
    groups: Sequence[Group]
    title: str = ""
    notes: Sequence[str] = ()
    grouping: str = ""

    def __post_init__(self) -> None:
        for row in (row for group in self.groups for row in group.rows):
            if len(row) != len(self.columns):
                raise ValueError(f"got a row of {len(row)} cells, expected {len(self.columns)}, one per column: {row}")

    def __rich__(self) -> "RenderableType":
        """Return what ``rich.print`` shows in a terminal."""
        return _rich(self)

    def __str__(self) -> str:
        """Return what a terminal shows, as plain text."""
        from io import StringIO

        from rich.console import Console

        text = StringIO()
        Console(file=text, width=PLAIN_WIDTH, color_system=None).print(self)
        return "\n".join(line.rstrip() for line in text.getvalue().splitlines())

    def markdown(self) -> str:
        """Return GitHub-flavoured Markdown: the title in bold, the table, and the notes as paragraphs."""
        return _markdown(self)

    def html(self) -> str:
        """Return an HTML figure: the table, with its title for a name, in a box that scrolls, and the notes."""
        return _html(self)

    def _repr_html_(self) -> str:
        """Show the table in a notebook."""
        return self.html()

    def with_notes(self, *notes: str) -> "Table":
        """Return the table with more notes above its own; empty ones are left out."""
        return replace(self, notes=(*filter(None, notes), *self.notes))


def simple_table(
    columns: Iterable[str | Column],
    rows: Iterable[Sequence[str | Cell]],
    *,
    title: str = "",
    notes: Iterable[str] = (),
) -> Table:
    """Return a table without groups; the first column is aligned to the left, others given as names to the right."""
    heads = [Column(c, align="right" if i else "left") if isinstance(c, str) else c for i, c in enumerate(columns)]
    return Table(tuple(heads), (Group("", tuple(rows)),), title, tuple(filter(None, notes)))


def _rich(table: Table) -> "RenderableType":
    from rich import box
    from rich.console import Group as Stack
    from rich.table import Table as RichTable
    from rich.text import Text

    def text(value: str, style: str = "") -> Text:
        return Text(printable(value), style=style)

    result = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    widest = max((len(_cell(row[0]).text) for group in table.groups for row in group.rows), default=0)
    heads = [[*c.name.split("\n"), *([f"({c.unit})"] if c.unit else [])] for c in table.columns]
    tallest = max(map(len, heads), default=0)
    for i, (column, lines) in enumerate(zip(table.columns, heads, strict=True)):
        head = Text("\n" * (tallest - len(lines)) + "\n".join(map(printable, lines)))
        width = None if i else min(widest + 1, 10)
        result.add_column(head, justify=column.align, overflow="fold", min_width=width)
    for group in table.groups:
        result.add_section()
        if group.name:
            result.add_row(text(group.name, "bold"))
        for row in group.rows:
            first, *rest = map(_cell, row)
            indented = Cell(f" {first.text}", first.strong) if group.name else first
            result.add_row(*(text(cell.text, "bold" if cell.strong else "") for cell in (indented, *rest)))
    gap = text("")
    title = [text(table.title, "italic"), gap] if table.title else []
    return Stack(*title, result, *([gap] if table.notes else []), *map(text, table.notes))


def _markdown(table: Table) -> str:
    named = any(group.name for group in table.groups)
    head = [_in_cell(column.head) for column in table.columns]
    rule = ["---:" if column.align == "right" else "---" for column in table.columns]
    lines = [[_in_cell(table.grouping), *head], ["---", *rule]] if named else [head, rule]
    for group in table.groups:
        for i, row in enumerate(group.rows):
            cells = [
                f"**{text}**" if cell.strong else text for cell in map(_cell, row) for text in [_in_cell(cell.text)]
            ]
            lines.append([_in_cell(group.name) if i == 0 else "", *cells] if named else cells)
    body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    title = [f"**{_in_text(table.title)}**"] if table.title else []
    return "\n\n".join((*title, body, *map(_in_text, filter(None, table.notes)))) + "\n"


def _html(table: Table) -> str:
    def head(column: Column) -> str:
        unit = f' <span class="unit">({_in_html(column.unit)})</span>' if column.unit else ""
        return f'<th scope="col" class="{column.align}">{_in_html(column.name)}{unit}</th>'

    def body(group: Group) -> str:
        about = f' <span class="about">{_in_html(group.about)}</span>' if group.about else ""
        heading = f"<span>{_in_html(group.name)}{about}</span>"
        first = f'<tr class="group"><th scope="rowgroup" colspan="{len(table.columns)}">{heading}</th></tr>'
        rows = "\n".join(f"<tr>{row(cells)}</tr>" for cells in group.rows)
        return f"<tbody>\n{first if group.name else ''}\n{rows}\n</tbody>"

    def row(cells: Sequence[str | Cell]) -> str:
        kinds = ["th", *["td"] * (len(cells) - 1)]
        return "".join(map(cell, kinds, table.columns, map(_cell, cells)))

    def cell(kind: str, column: Column, value: Cell) -> str:
        mark = f'<i class="dot" style="background: {_in_html(value.colour)}"></i>' if value.colour else ""
        text = f"<b>{_in_html(value.text)}</b>" if value.strong else _in_html(value.text)
        scope = ' scope="row"' if kind == "th" else ""
        return f'<{kind}{scope} class="{column.align}">{mark}{text}</{kind}>'

    name = _in_html(table.title)
    region = f' tabindex="0" role="region" aria-label="{name}"' if name else ""
    return "\n".join(
        (
            f'<figure class="table">\n<div class="scroll"{region}>\n<table>',
            f"<caption>{name}</caption>" if name else "",
            f"<thead>\n<tr>{''.join(map(head, table.columns))}</tr>\n</thead>",
            *map(body, table.groups),
            "</table>\n</div>",
            "\n".join(("<figcaption>", *(f"<p>{_in_html(note)}</p>" for note in table.notes), "</figcaption>"))
            if table.notes
            else "",
            "</figure>",
        )
    )


def _cell(value: str | Cell) -> Cell:
    return Cell(value) if isinstance(value, str) else value


def _in_html(text: str) -> str:
    return escape(printable(text))


def _in_text(text: str) -> str:
    """Escape what Markdown would take for markup: also what makes a heading or a list at the start of a line."""
    return re.sub(r"^(\d*)([#+.)=-])", r"\1\\\2", _inline(text))


def _in_cell(text: str) -> str:
    return _inline(text).replace("|", r"\|")


def _inline(text: str) -> str:
    text = (
        re.sub(r"([\\`*~$])", r"\\\1", printable(text)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    )
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)  # within a word it is no emphasis
    return re.sub(r"\](?=[(\[:])", r"\\]", text)
