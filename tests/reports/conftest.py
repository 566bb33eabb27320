"""The outcomes of made-up methods, the report that is written of them, and what is read in it."""

import base64
import json
from html.parser import HTMLParser

import pytest

from smug.evaluation.protocols import PROTOCOLS
from smug.evaluation.summary import to_json
from smug.reports.report import write_report

from ..evaluation.conftest import outcomes

__all__ = ["outcomes"]


def document(outcomes, **changes):
    data = {"source": "phantom", "split": "test", "sha256": "0" * 16, "kspace": "simulated"}
    fixed = {"configuration": {"steps": 8}, "seeds": [0], "data": data, "command": "smug evaluate --model a"}
    return to_json([outcome.row for outcome in outcomes], PROTOCOLS["demo"].conditions, **(fixed | changes))


class Page(HTMLParser):
    """Tags with their attributes, the text of scripts, and the text that is read."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.inside = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.inside = tag
            self.scripts += [""] * (tag == "script")

    def handle_endtag(self, tag):
        if tag == self.inside:
            self.inside = ""

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts[-1] += data
        elif not self.inside:
            self.text += data

    @property
    def words(self) -> str:
        """The text without line breaks."""
        return " ".join(self.text.split())

    @property
    def figures(self) -> list[tuple[str, str]]:
        """What each figure shows, and its SVG."""
        start = "data:image/svg+xml;base64,"
        images = [a for tag, a in self.tags if tag == "img" and (a.get("src") or "").startswith(start)]
        return [(a["alt"], base64.b64decode(a["src"].removeprefix(start)).decode()) for a in images]

    @property
    def viewer(self) -> dict:
        """What the viewer shows."""
        return json.loads(self.scripts[0])


@pytest.fixture
def page(outcomes, tmp_path):
    """Write a report and read it."""

    def make(made=None, *, images=True, title="A title", notes=("A note.",), methods=None, **changes) -> Page:
        made = outcomes() if made is None else made
        path = tmp_path / "report.html"
        shown = {"outcomes": made} if images else {}
        write_report(path, document(made, **changes), **shown, title=title, notes=notes, methods=methods or {})
        assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
        return Page(path.read_text(encoding="utf-8"))

    return make
