"""Damaged files against every reader: each gives a result or one clear error, and nothing else happens.

    python tests/hostile/fuzz.py --count 10000

Every case is a function of its number: a good file of some format, damaged at random. It is read in a worker process
with bounded memory; a worker that crashes, hangs or asks for more is a finding, as is any exception that the command
line does not turn into one line. Exits with 1 if there are findings.
"""

import argparse
import faulthandler
import json
import multiprocessing
import os
import pickle
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from readers import READERS, make_corpus

CANARY = "executed"
"""What a pickle would leave in the working folder if it were loaded."""

REFUSED = (ValueError, FileNotFoundError, OSError)
"""What the command line tells in one line, with exit status 2."""

MEMORY = 1.5 * 2**30
"""Address space that a worker may take beyond what it has at first, in bytes."""

SECONDS = 60
"""Time that one file may take."""

BLOCK = 2000
"""Cases per worker process."""


class Payload:
    """What a hostile pickle holds."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return open, (CANARY, "w")


def damage(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a damaged copy of a file."""
    data = np.frombuffer(content, dtype=np.uint8).copy()
    n = max(1, len(data))
    match rng.integers(9):
        case 0:
            return content[: rng.integers(n)]
        case 1:  # bits anywhere
            rows = rng.integers(n, size=2 ** rng.integers(8))
            np.bitwise_xor.at(data, rows, (1 << rng.integers(8, size=rows.size)).astype(np.uint8))
        case 2:  # bits at the start, where headers are
            rows = rng.integers(min(n, 2048), size=2 ** rng.integers(5))
            np.bitwise_xor.at(data, rows, (1 << rng.integers(8, size=rows.size)).astype(np.uint8))
        case 3:  # a block of one value
            start = rng.integers(n)
            data[start : start + 2 ** rng.integers(12)] = rng.choice([0, 255])
        case 4:  # a block of noise
            start, size = rng.integers(n), 2 ** rng.integers(10)
            data[start : start + size] = rng.integers(256, size=data[start : start + size].size)
        case 5:  # a number that is large or negative
            start = 4 * rng.integers(max(1, n // 4))
            number = rng.choice([-1, 2**31 - 1, 2**62, 0, -(2**31)]).astype("<i8").tobytes()
            data[start : start + 8] = np.frombuffer(number, np.uint8)[: data[start : start + 8].size]
        case 6:  # something is missing, or twice
            start, size = rng.integers(n), 2 ** rng.integers(10)
            return content[:start] + content[start + (size if rng.integers(2) else -size) :]
        case 7:
            return content + rng.bytes(int(rng.integers(4096)))
        case 8:
            other = [b"", pickle.dumps(Payload()), rng.bytes(512), b"{" * 1000, content[::-1]]
            return other[rng.integers(len(other))]
    return data.tobytes()


def cases(corpus: Path, numbers: range, folder: Path) -> Iterator[tuple[int, str, Path]]:
    """Write the damaged files one after the other; yield number, reader, and path."""
    samples = sorted(path for path in corpus.rglob("*") if path.is_file())
    for number in numbers:
        rng = np.random.default_rng([number, 7])
        source = samples[rng.integers(len(samples))]
        reader = source.relative_to(corpus).parts[0]
        path = folder / source.name
        for sibling in source.parent.iterdir():  # a header beside its data
            (folder / sibling.name).write_bytes(sibling.read_bytes())
        path.write_bytes(damage(source.read_bytes(), rng))
        yield number, reader, path
        for written in folder.iterdir():
            if written.name != CANARY:
                written.unlink()


def work(corpus: Path, numbers: range, folder: Path) -> None:
    """Read the cases of these numbers; tell each one's begin and outcome in a line."""
    os.chdir(folder)
    for reader in sorted({path.name for path in corpus.iterdir()}):  # what is imported is not counted as used
        READERS[reader](next(path for path in sorted((corpus / reader).iterdir())))
    size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (int(size + MEMORY), resource.RLIM_INFINITY))
    for number, reader, path in cases(corpus, numbers, folder):
        print(json.dumps({"number": number, "reader": reader, "outcome": "died"}), flush=True)
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        before = sorted(p.name for p in folder.iterdir())
        try:
            READERS[reader](path)
            outcome, told = "read", ""
        except REFUSED as error:
            outcome, told = "refused", str(error)
            if path.stem not in told:
                outcome = "refused without the file's name"
        except BaseException as error:
            outcome, told = f"raised {type(error).__name__}", str(error)
        faulthandler.cancel_dump_traceback_later()
        if sorted(p.name for p in folder.iterdir()) != before:
            outcome = "wrote or executed something"
        line = {"number": number, "reader": reader, "outcome": outcome, "told": told[:300]}
        print(json.dumps(line), flush=True)


def _worker(corpus: Path, numbers: range, folder: Path) -> tuple[int | None, str, str]:
    """Read the cases in a process of its own, forked from this one; return its status, output and errors."""
    with tempfile.TemporaryDirectory() as place:
        files = [Path(place) / name for name in ("output", "errors")]
        process = multiprocessing.get_context("fork").Process(target=_told, args=(files, corpus, numbers, folder))
        process.start()
        process.join()
        return process.exitcode, *(file.read_text() for file in files)


def _told(files: list[Path], corpus: Path, numbers: range, folder: Path) -> None:
    for number, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
    work(corpus, numbers, folder)


def run(corpus: Path, start: int, count: int) -> list[dict[str, Any]]:
    """Return the outcome of every case; a new worker goes on where one died."""
    outcomes: dict[int, dict[str, Any]] = {}
    next_number = start
    while next_number < start + count:
        stop = min(next_number + BLOCK, start + count)
        with tempfile.TemporaryDirectory() as folder:
            status, output, errors = _worker(corpus, range(next_number, stop), Path(folder))
        lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        if not lines:
            raise RuntimeError(f"worker: {errors[-2000:]}")
        outcomes |= {line["number"]: line for line in lines}
        last = lines[-1]
        if last["outcome"] == "died":
            last["told"] = f"status {status}: {errors[-600:]}"
        next_number = last["number"] + 1
    return [outcomes[number] for number in sorted(outcomes)]


def main() -> int:
    """Run and tell what happened."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--corpus", type=Path, help="folder of good files; by default they are made")
    given = parser.parse_args()
    torch.set_num_threads(1)  # a process that has used several threads cannot be forked
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        corpus = given.corpus or make_corpus(Path(folder))
        outcomes = run(corpus, given.start, given.count)
    table = Counter((line["reader"], line["outcome"]) for line in outcomes)
    for (reader, outcome), number in sorted(table.items()):
        print(f"{reader:12} {outcome:40} {number:6}")
    findings = [line for line in outcomes if line["outcome"] not in ("read", "refused")]
    for line in findings[:40]:
        print(line)
    print(f"{len(outcomes)} files in {time.monotonic() - begin:.0f} s, {len(findings)} findings")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
