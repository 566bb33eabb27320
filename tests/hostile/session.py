"""Good and damaged files, in random order, through the command line in one process that goes on.

    python tests/hostile/session.py --count 500

Each command ends with status 0 and a result, or with status 2, one line, and no file. The memory at the end is within
5 % of that after the first ten. Exits with 1 otherwise.
"""

import argparse
import contextlib
import gc
import io
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from fuzz import damage
from readers import make_corpus

from smug.cli import main

KSPACE = ("fastmri", "ismrmrd", "bart")
SUFFIXES = (".h5", ".nii.gz", ".png")
WARM_UP, GROWTH = 10, 1.05


def resident() -> int:
    """Memory of this process in bytes."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def command(number: int, corpus: Path, folder: Path) -> tuple[str, bool]:
    """Run the command of this number; return its outcome and whether it was as it must be."""
    rng = np.random.default_rng([number, 11])
    kind = KSPACE[number % 3]
    source = sorted((corpus / kind).iterdir())[rng.integers(len(list((corpus / kind).iterdir())))]
    for sibling in source.parent.iterdir():
        shutil.copy(sibling, folder)
    good = bool(rng.integers(2))
    model, weights = "zero-filled", folder / "model.safetensors"
    if rng.integers(4) == 0:
        content = (corpus / "weights" / weights.name).read_bytes()
        weights.write_bytes(content if good else damage(content, rng))
        model = str(weights)
    elif not good:
        (folder / source.name).write_bytes(damage(source.read_bytes(), rng))
    out = folder / f"out{SUFFIXES[rng.integers(3)]}"
    before = {path.name for path in folder.iterdir()}
    told, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(errors):
        status = main(["reconstruct", str(folder / source.name), "--model", model, "--out", str(out), "--threads", "1"])
    written = {path.name for path in folder.iterdir()} - before
    lines = [line for line in errors.getvalue().splitlines() if line.startswith("smug: ")]
    for path in folder.iterdir():
        path.unlink()
    if status == 0:
        return "good" if good else "damaged, but read", written == {out.name}
    return "refused", status == 2 and not good and not written and len(lines) == 1


def run(count: int) -> int:
    """Run the commands; return the exit status."""
    with tempfile.TemporaryDirectory() as place:
        corpus, folder = Path(place) / "corpus", Path(place) / "folder"
        corpus.mkdir()
        folder.mkdir()
        make_corpus(corpus)
        outcomes: Counter[str] = Counter()
        wrong = []
        start = 0
        for number in range(count):
            outcome, right = command(number, corpus, folder)
            outcomes[outcome] += 1
            if not right:
                wrong.append((number, outcome))
            if number + 1 == WARM_UP:
                start = resident()
        growth = resident() / start
    print(dict(outcomes), f"memory x {growth:.3f} from {start / 2**20:.0f} MiB", f"wrong: {wrong}")
    return int(bool(wrong) or growth > GROWTH)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    sys.exit(run(parser.parse_args().count))
