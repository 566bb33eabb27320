import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from smug.system.documents import RESEARCH, document, from_json, read_document
from smug.system.files import write_json
from smug.version import __version__


@dataclass(frozen=True)
class Inner:
    kind: Literal["a", "b"]
    size: float = 1.0


@dataclass(frozen=True)
class Outer:
    name: str
    parts: tuple[Inner, ...]
    counts: Mapping[str, int]
    maybe: Inner | None
    anything: Any


VALUES = {
    "name": "x",
    "parts": [{"kind": "a", "size": None}, {"kind": "b", "size": 2}],
    "counts": {"n": 3},
    "maybe": None,
    "anything": [1, {"two": 2}],
}


def test_reads_nested_values():
    read = from_json(Outer, VALUES)
    assert math.isnan(read.parts[0].size)
    assert read.parts[1] == Inner("b", 2.0)
    assert (read.name, read.counts, read.maybe, read.anything) == ("x", {"n": 3}, None, [1, {"two": 2}])
    assert from_json(Outer, {**VALUES, "maybe": {"kind": "a"}}).maybe == Inner("a")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": 3}, r"name: expected str, got int '3'"),
        ({"name": None}, r"name: expected str, got NoneType"),
        ({"parts": {}}, r"parts: expected list, got dict"),
        ({"parts": [{"kind": "c"}]}, r"parts\[0\]\.kind: expected one of 'a', 'b', got 'c'"),
        ({"parts": [{"kind": "a", "size": "big"}]}, r"parts\[0\]\.size: expected float, got str"),
        ({"parts": [{"size": 1.0}]}, r"parts\[0\]\.kind: is missing"),
        ({"counts": {"n": 1.5}}, r"counts\.n: expected int, got float"),
        ({"counts": {"n": True}}, r"counts\.n: expected int, got bool"),
        ({"maybe": []}, r"maybe: expected dict, got list"),
        ({"more": 1}, r"more: unknown; known are name, parts"),
    ],
)
def test_says_what_does_not_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        from_json(Outer, VALUES | changes)


def test_every_document_has_the_same_head(tmp_path):
    made = document("smug-test-1", path=tmp_path, numbers=(1.0, math.nan))
    assert made == {
        "schema": "smug-test-1",
        "version": __version__,
        "use": RESEARCH,
        "path": str(tmp_path),
        "numbers": [1.0, None],
    }
    write_json(tmp_path / "d.json", made)
    assert read_document(tmp_path / "d.json", "smug-test-1") == made


@pytest.mark.parametrize("content", ["", "{", "[]", '"text"', '{"schema": "other"}', "[" * 100_000])
def test_other_files_are_no_documents(tmp_path, content):
    path = tmp_path / "d.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=r"d\.json: expected JSON of schema smug-test-1"):
        read_document(path, "smug-test-1")
