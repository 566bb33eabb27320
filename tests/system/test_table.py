import io
from html.parser import HTMLParser

import pytest
from rich.console import Console

from smug.system.table import Cell, Column, Group, Table, simple_table
from smug.system.words import counted, listed, printable

HOSTILE = (
    "[red]a[/red]",
    "[/]",
    "a|b",
    "<b>a</b>",
    "<script>alert(1)</script>",
    "a*b*c",
    "_a_",
    "__init__",
    "a_b_c",
    "`a`",
    "a & b &amp;",
    "$x$",
    "~~a~~",
    "[a](b)",
    "![a](b)",
    '"quoted"',
    "back\\slash",
    "{{ title }}",
    ":smile:",
)
"""Names that are markup in one of the formats."""


def table(name: str = "MoDL", title: str = "Scores") -> Table:
    return Table(
        (Column("model", align="left"), Column("PSNR", "dB")),
        (
            Group("clean", ((name, "32.70"), (Cell("SMUG", colour="#d55e00"), Cell("33.10", strong=True)))),
            Group("noise", ((name, "30.00"),), about="receiver noise"),
        ),
        title,
        (f"A note of {name}.",),
        grouping="condition",
    )


def terminal(shown: Table, width: int = 100) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=False)
    with console.capture() as capture:
        console.print(shown)
    return capture.get()


class Read(HTMLParser):
    """The cells of an HTML table, row by row, all text, and all tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.text, self.names, self.inside = "", [], False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.names.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            self.rows[-1].append("")
            self.inside = True

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in ("th", "td")

    def handle_data(self, data):
        self.text += data
        if self.inside:
            self.rows[-1][-1] += data


def rendered(markdown: str) -> str:
    """Return Markdown as GitHub's rules make it HTML."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown)


def test_terminal():
    lines = [line.rstrip() for line in str(table()).splitlines()]
    assert [line for line in lines if line and "─" not in line] == [
        "Scores",
        "        PSNR",
        "model   (dB)",
        "clean",
        " MoDL  32.70",
        " SMUG  33.10",
        "noise",
        " MoDL  30.00",
        "A note of MoDL.",
    ]


def test_markdown():
    assert table().markdown().splitlines() == [
        "**Scores**",
        "",
        "| condition | model | PSNR (dB) |",
        "| --- | --- | ---: |",
        "| clean | MoDL | 32.70 |",
        "|  | SMUG | **33.10** |",
        "| noise | MoDL | 30.00 |",
        "",
        "A note of MoDL.",
    ]


def test_html():
    read = Read(table().html())
    assert read.rows[:4] == [["model", "PSNR (dB)"], ["clean"], ["MoDL", "32.70"], ["SMUG", "33.10"]]
    assert read.rows[4] == ["noise receiver noise"]
    assert 'aria-label="Scores"' in table().html()
    assert "<b>33.10</b>" in table().html()
    assert "background: #d55e00" in table().html()


def test_a_simple_table_has_no_groups():
    made = simple_table(["", "clean", Column("what", align="left")], [["MoDL", "32.7", "a"]], notes=("", "Note."))
    assert made.markdown() == "|  | clean | what |\n| --- | ---: | --- |\n| MoDL | 32.7 | a |\n\nNote.\n"
    assert "rowgroup" not in made.html()
    assert [line.split() for line in str(made).splitlines()][-3] == ["MoDL", "32.7", "a"]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_never_markup(name):
    made = table(name, title=name)
    assert terminal(made).count(name) == 4  # title, two rows, note
    for html in (made.html(), rendered(made.markdown())):
        read = Read(html)
        assert [name, "32.70"] in [row[-2:] for row in read.rows]
        assert f"A note of {name}." in read.text
        expected = {"figure", "div", "figcaption", "table", "caption", "thead", "tbody", "tr", "th", "td", "p"}
        assert set(read.names) <= expected | {"b", "i", "span", "strong"}


@pytest.mark.parametrize("start", ["# a", "- a", "+ a", "1. a", "1) a", "> a", "= a", "---", "===", "* a"])
def test_a_note_is_a_paragraph(start):
    read = Read(rendered(simple_table(["a"], [["b"]], notes=["first", start]).markdown()))
    assert set(read.names) <= {"table", "thead", "tbody", "tr", "th", "td", "p"}
    assert read.text.rstrip().endswith(start)


def test_control_characters_reach_neither_terminal_nor_file():
    made = table("a\x1b[31mb\nc\udcff", title="t\x07")
    for text in (terminal(made), made.markdown(), made.html()):
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "a�[31mb c�" in text
        text.encode("utf-8")


def test_a_narrow_terminal_loses_no_text():
    name = "a-very-long-name-of-a-model-" * 3
    text = terminal(table(name), 40)
    assert max(map(len, text.splitlines())) <= 40
    assert name in "".join(line[:33].strip() for line in text.splitlines() if "clean" not in line)


def test_a_row_has_a_cell_per_column():
    with pytest.raises(ValueError, match="row of 1 cells, expected 2"):
        simple_table(["a", "b"], [["only one"]])


def test_words():
    assert [counted(n, "slice") for n in (0, 1, 2)] == ["0 slices", "1 slice", "2 slices"]
    assert counted(2, "study", "studies") == "2 studies"
    assert [listed(names) for names in ([], ["a"], ["a", "b"])] == ["", "a", "a and b"]
    assert printable("plain ümläut 脳") == "plain ümläut 脳"


def test_a_long_cell_begins_beside_the_others_of_its_row_and_heads_end_together():
    columns = [Column("what", align="left"), Column("two\nlines", align="left")]
    lines = str(simple_table(columns, [("label", "word " * 60)])).splitlines()
    assert lines[0].split() == ["two"] and lines[1].split() == ["what", "lines"]
    assert lines[3].startswith("label") and "label" not in "".join(lines[4:]) and len(lines) > 5
