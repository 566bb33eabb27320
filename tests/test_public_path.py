"""README, documentation and recipes use what users may: ``import smug``, and the public names below it.

The syntax trees of all Python cells are read; nothing is run.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import smug

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(
    path for folder in ("", "experiment", "tomography") for path in (ROOT / "recipes" / folder).glob("*.py")
)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *SCRIPTS]
CELL = re.compile(
    r"^(`{3,}|:{3,})\s*(?:\{code-cell\}[^\n]*|python|py|ipython3?)\s*\n(.*?)^\1\s*$", re.DOTALL | re.MULTILINE
)
OPTION = re.compile(r"\A(?:---\n.*?^---\n|(?::[\w-]+:[^\n]*\n)*)", re.DOTALL | re.MULTILINE)
"""What a cell may begin with: options of the cell, not code."""


def cells(page: Path) -> Iterator[str]:
    """The Python code of a page, without options of cells and what only notebooks understand."""
    text = page.read_text(encoding="utf-8")
    for code in [text] if page.suffix == ".py" else [match[2] for match in CELL.finditer(text)]:
        yield re.sub(r"^\s*[%!].*$", "", OPTION.sub("", code), flags=re.MULTILINE)


def chain(node: ast.AST) -> list[str]:
    """The names of ``a.b.c``; none for what is no such chain."""
    if isinstance(node, ast.Name):
        return [node.id]
    before = chain(node.value) if isinstance(node, ast.Attribute) else []
    return [*before, node.attr] if before else []


def is_public(names: list[str]) -> bool:
    """Whether ``smug.a.b`` is public: every name is listed by the module that it is asked of."""
    value = smug
    for name in names:
        if name.startswith("_") and name != "__version__":
            return False
        if isinstance(value, ModuleType) and name not in getattr(value, "__all__", dir(value)):
            return False
        value = getattr(value, name, None)
    return True


def faults(code: str) -> Iterator[str]:
    """What the code uses beyond ``smug`` and its public names."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Import(names):
                yield from (f"import {name.name}" for name in names if name.name.startswith("smug."))
                yield from (f"import smug as {n.asname}" for n in names if n.name == "smug" and n.asname)
            case ast.ImportFrom(str(module)) if module.partition(".")[0] == "smug":
                yield f"from {module} import {', '.join(name.name for name in node.names)}"
            case ast.Attribute() if chain(node)[:1] == ["smug"] and not is_public(chain(node)[1:]):
                yield ".".join(chain(node))
            case ast.Constant(str(text)) if re.fullmatch(r"smug(\.\w+)+", text):
                yield repr(text)  # an import by name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_cells_use_public_names_only(page):
    assert not [fault for code in cells(page) for fault in faults(code)]


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("import smug\nsmug.attacks.pgd\nsmug.Scan.normalised\nsmug.__version__", None),
        ("import numpy as np, smug", None),
        ("import smug.attacks", "import smug.attacks"),
        ("import smug as s", "import smug as s"),
        ("def f():\n    from smug import load", "from smug import load"),
        ("from smug.data.scan import Scan", "from smug.data.scan import Scan"),
        ("smug.evaluation.store", "smug.evaluation.store"),
        ("smug.attacks.driver.attack(f)", "smug.attacks.driver"),
        ("smug._private", "smug._private"),
        ("smug.nobody(1).x", "smug.nobody"),
        ("importlib.import_module('smug.zoo')", "'smug.zoo'"),
    ],
)
def test_what_counts_as_public(code, fault):
    assert (fault in list(faults(code))) if fault else not list(faults(code))


def test_cells_are_found_with_and_without_options(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nimport a\n```\n```sh\nimport b\n```\n```{code-cell} ipython3\n:tags: [hide]\n"
        "\nimport c\n%magic\n```\n"
        "````{code-cell}\n---\ntags: [x]\n---\nimport d\n````\n"
    )
    assert [code.split() for code in cells(page)] == [["import", name] for name in "acd"]
