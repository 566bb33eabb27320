"""Break the source on purpose, one small fault at a time, and see whether the tests notice.

    python tests/mutations/run.py results.json                  # this checkout
    python tests/mutations/run.py results.json --tree ../other  # another one

Faults stand in mutations.toml. A copy of the tree is changed, never the tree itself. First all the tests that are named
must pass in the copy as it is. Results are written after every fault, and a run that was stopped goes on where it was.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA = "smug-mutations-1"
LIST = Path(__file__).with_name("mutations.toml")
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "shared", "docs")
SECONDS = 600
"""Most that the tests of one fault may take: a mutation may make a loop endless, which a test then has noticed."""


@dataclass(frozen=True)
class Mutation:
    """A fault: of the texts ``find`` exactly one stands in the source, once; ``tests`` are patterns of files."""

    name: str
    breaks: str
    find: tuple[str, ...]
    replace: str
    tests: tuple[str, ...]


def read_list(path: Path = LIST) -> list[Mutation]:
    """Read the list of faults; raises ValueError for two of one name."""
    records = tomllib.loads(path.read_text(encoding="utf-8"))["mutation"]
    found = [
        Mutation(
            name=record["name"],
            breaks=record["breaks"],
            find=(record["find"],) if isinstance(record["find"], str) else tuple(record["find"]),
            replace=record["replace"],
            tests=tuple(record["tests"]),
        )
        for record in records
    ]
    if len({mutation.name for mutation in found}) < len(found):
        raise ValueError(f"{path}: expected different names, got two that are equal")
    return found


def place(mutation: Mutation, tree: Path) -> tuple[Path, str]:
    """Return the file and the text that a fault changes; raises ValueError unless there is exactly one."""
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(tree.glob("src/**/*.py"))}
    places = [(path, text) for path, source in sources.items() for text in mutation.find for _ in _all(text, source)]
    if len(places) != 1:
        where = ", ".join(str(path.relative_to(tree)) for path, _ in places) or "nowhere"
        raise ValueError(f"{mutation.name}: expected to find its text once in src, got {len(places)}: {where}")
    return places[0]


def named_tests(mutations: Iterable[Mutation], tree: Path) -> list[str]:
    """Return the test files that the patterns match; raises ValueError for a fault that none would notice."""
    found: set[Path] = set()
    for mutation in mutations:
        own = {path for pattern in mutation.tests for path in tree.glob(pattern)}
        if not own:
            raise ValueError(f"{mutation.name}: expected a test file among {', '.join(mutation.tests)}, got none")
        found |= own
    return sorted(str(path.relative_to(tree)) for path in found)


@contextmanager
def mutated(mutation: Mutation, tree: Path) -> Iterator[None]:
    """Break the tree for the length of the block."""
    path, text = place(mutation, tree)
    source = path.read_text(encoding="utf-8")
    path.write_text(source.replace(text, mutation.replace), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(source, encoding="utf-8")


def tests_pass(tree: Path, files: Sequence[str], seconds: float | None = SECONDS) -> tuple[bool, str]:
    """Run test files in one process; return whether they pass, and the first that does not.

    Raises RuntimeError where pytest could not run them at all.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-n", "0", "-p", "no:cacheprovider", *files]
    try:
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return False, f"not done in {seconds} s"
    if done.returncode not in (0, 1, 2):
        raise RuntimeError(f"pytest {' '.join(files)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return done.returncode == 0, failed[0] if failed else ""


def main() -> int:
    """Run the faults that have no result yet, and return how many survive."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("json", type=Path, help="where the results are, and go")
    parser.add_argument("--tree", type=Path, default=Path(__file__).parents[2], help="the checkout to break")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only the faults of these names")
    options = parser.parse_args()
    mutations = [each for each in read_list() if options.only is None or each.name in options.only]
    results = _read(options.json)
    missing = [each for each in mutations if each.name not in results]
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(options.tree, tree, ignore=LEFT_OUT)
        files = named_tests(missing, tree)
        for mutation in missing:
            place(mutation, tree)
        if missing:
            passed, failed = tests_pass(tree, files, seconds=None)
            if not passed:
                print(f"the tests fail without any fault: {failed}", file=sys.stderr)
                return 2
        for mutation in missing:
            began = time.monotonic()
            with mutated(mutation, tree):
                survived, failed = tests_pass(tree, named_tests([mutation], tree))
            found = {"killed": not survived, "by": failed, "seconds": round(time.monotonic() - began, 1)}
            results[mutation.name] = found
            _write(options.json, results)
            print(f"{mutation.name}: {'survived' if survived else 'killed'} in {found['seconds']} s", flush=True)
    survivors = [each.name for each in mutations if not results[each.name]["killed"]]
    print(f"{len(mutations) - len(survivors)} of {len(mutations)} killed; survived: {', '.join(survivors) or 'none'}")
    return int(bool(survivors))


def _all(text: str, source: str) -> range:
    return range(source.count(text))


def _read(path: Path) -> dict[str, Any]:
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["results"] if path.exists() else {}
    return results


def _write(path: Path, results: dict[str, Any]) -> None:
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps({"schema": SCHEMA, "results": results}, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


if __name__ == "__main__":
    sys.exit(main())
