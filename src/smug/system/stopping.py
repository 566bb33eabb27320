"""Signals that ask a run to stop: they take effect between two updates, never inside one."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

SIGNALS = (signal.SIGTERM, signal.SIGINT)

ECHO = 1.0
"""Seconds within which a second signal counts as the first: torchrun repeats signals that the terminal sent to all."""


class Stopped(KeyboardInterrupt):
    """A run was asked to stop, by SIGTERM or the keyboard, and has saved where it stands.

    ``signal`` is the number of the signal.
    """

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.signal = signum


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], int]]:
    """Hold back SIGTERM and SIGINT; yield a function that returns the one that came, or 0. A second one interrupts.

    Outside the main thread, which alone may say what signals do, it always returns 0.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: 0
        return
    came: list[tuple[int, float]] = []

    def note(signum: int, frame: object) -> None:
        came.append((signum, monotonic()))
        if len(came) > 1 and monotonic() - came[0][1] >= ECHO:
            raise KeyboardInterrupt

    before = {signum: signal.signal(signum, note) for signum in SIGNALS}
    try:
        yield lambda: came[0][0] if came else 0
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
