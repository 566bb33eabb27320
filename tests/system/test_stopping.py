import signal

import pytest

from smug.system import stopping
from smug.system.stopping import asked_to_stop


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted_and_nothing_is_interrupted(signum):
    before = signal.getsignal(signum)
    with asked_to_stop() as asked:
        assert asked() == 0
        signal.raise_signal(signum)
        assert asked() == signum
    assert signal.getsignal(signum) is before


def test_a_second_signal_interrupts_but_not_the_echo_of_the_first(monkeypatch):
    with asked_to_stop() as asked:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert asked() == signal.SIGINT
    monkeypatch.setattr(stopping, "ECHO", 0.0)
    with pytest.raises(KeyboardInterrupt), asked_to_stop():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
