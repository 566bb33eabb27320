"""Python processes that start at once, because torch and smug are imported already.

A server imports them when the first process is wanted, and is forked for each: without it every command of a test would
first take seconds. Tests of what an import does start an interpreter of their own.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from multiprocessing import forkserver
from pathlib import Path

from smug.data.hdf5_check import walk

IMPORTED = [
    *("smug.cli", "smug.commands.train", "smug.training.trainer", "smug.evaluation.scoring", "smug.reports.report"),
    *("h5py", "tyro", "rich.progress", "matplotlib.figure", "matplotlib.backends.backend_agg"),
    "torch._dynamo",  # which the first optimiser of a process imports
]
CONTEXT = multiprocessing.get_context("forkserver")


class Started:
    """The process ``python *arguments``, of which the first argument is ``-c`` or ``-m``."""

    def __init__(self, *arguments: str | Path, cwd: Path | None = None, **environment: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        files = [str(Path(self._folder.name) / name) for name in ("output", "errors")]
        words = [str(word) for word in arguments]
        self._process = CONTEXT.Process(target=_run, args=(words, files, str(cwd or Path.cwd()), environment))
        _serve()
        self._process.start()
        self._files = [Path(file) for file in files]

    def ended(self) -> bool:
        """Tell whether it has ended."""
        return not self._process.is_alive()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        if not self.ended():
            os.kill(self._process.pid, number)

    def wait(self, seconds: float = 100) -> tuple[int, str, str]:
        """Return its status, output and errors at the end; raises TimeoutError after so many seconds."""
        try:
            self._process.join(seconds)
            if not self.ended():
                raise TimeoutError(f"a process has not ended in {seconds} s")
            output, errors = (file.read_text() if file.exists() else "" for file in self._files)
            return self._process.exitcode, output, errors
        finally:
            self._process.kill()
            self._folder.cleanup()


def run_check(argv: list[str], *, timeout: float, **_: object) -> subprocess.CompletedProcess[bytes]:
    """Read an HDF5 file as the program of :mod:`smug.data.hdf5_check` does, in place of ``subprocess.run``."""
    _serve()
    process = CONTEXT.Process(target=_walk, args=(argv[-1],))
    process.start()
    process.join(timeout)
    if process.is_alive():
        process.kill()
        raise subprocess.TimeoutExpired(argv, timeout)
    return subprocess.CompletedProcess(argv, process.exitcode or 0)


def forking(_: str) -> multiprocessing.context.BaseContext:
    """Return how processes are started here, in place of ``multiprocessing.get_context("spawn")``."""
    _serve()
    return CONTEXT


def leave_empty(path: Path, *_: object) -> None:
    """Write an empty file where a picture belongs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")


def _walk(path: str) -> None:
    try:
        walk(path)
    except Exception:
        sys.exit(1)


def _serve() -> None:
    """Start the server, if none is there, with one thread in each process."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    CONTEXT.set_forkserver_preload(IMPORTED)
    forkserver.ensure_running()
    if before is None:
        del os.environ["OMP_NUM_THREADS"]
    else:
        os.environ["OMP_NUM_THREADS"] = before


def _run(words: list[str], files: list[str], cwd: str, environment: dict[str, str]) -> None:
    """Be the process."""
    for number, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
    os.environ.update(environment)
    os.chdir(cwd)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is started to ignore it
    kind, what, *rest = words
    sys.argv = [what, *rest]
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        exec(what, {"__name__": "__main__"})  # noqa: S102  a text of the test itself
