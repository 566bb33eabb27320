import re

import pytest

from smug.commands import progress
from smug.commands.progress import progress as shown_progress
from smug.commands.progress import training_progress
from smug.training.log import LogEntry


def entry(update, psnr=None, stability=0.001, waiting=0.25):
    terms = {"stability": stability, "reconstruction": 0.02}
    return LogEntry(update, terms, 1e-3, 1.0, 40.0, 1e6 + update, waiting, psnr)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still but for what a test adds."""
    now = [1000.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")


def seen(capsys):
    """What is on the error stream, without colours and movements; nothing is on the other."""
    out, err = capsys.readouterr()
    assert out == ""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", err)


def test_off_a_terminal_a_line_per_validation(clock, capsys):
    with training_progress("Training smug", total=400, done=0) as report:
        for update in range(1, 201):
            clock[0] += 3
            report(entry(update, psnr={100: 31.0, 200: 30.5}.get(update)))
    first, second = seen(capsys).splitlines()
    assert first == (
        "Training smug: update 100/400, stability 1.00e-03, reconstruction 2.00e-02, "
        "validation PSNR 31.00 dB (best 31.00), 40 samples/s, waiting for data 25 %, 0:05:00 elapsed, 0:15:00 left"
    )
    assert "validation PSNR 30.50 dB (best 31.00)" in second
    assert "0:10:00 elapsed, 0:10:00 left" in second


def test_after_a_resume_the_time_left_is_told_by_this_session(clock, capsys):
    with training_progress("Training modl", 1000, 900, earlier=[entry(800), entry(900, psnr=33.0)]) as report:
        clock[0] += 2
        report(entry(901))
        clock[0] += 18
        report(entry(910, psnr=32.0))
    line = seen(capsys)
    assert "validation PSNR 32.00 dB (best 33.00)" in line
    assert "0:00:20 elapsed, 0:03:00 left" in line


def test_losses_and_waiting_are_means_of_the_last_hundred_updates(clock, capsys):
    with training_progress("Training smug", 201, 0) as report:
        for update in range(1, 101):
            report(entry(update, stability=7.0, waiting=1.0))
        for update in range(101, 201):
            report(entry(update, stability=0.001 * (update % 2), waiting=0.0))
        report(entry(201, psnr=30.0, waiting=0.0, stability=0.001))
    line = seen(capsys)
    assert "stability 5.00e-04" in line
    assert "waiting for data 0 %" in line


def test_on_a_terminal_a_bar_with_the_losses(clock, terminal, capsys):
    with training_progress("Training smug", 40, 10) as report:
        clock[0] += 10
        report(entry(11))
        report(entry(20, psnr=31.25))
    text = seen(capsys)
    last = text[text.rindex("Training smug") :]
    assert re.search(r"Training smug [━╸╺]+ 20/40 \S+ 0:00:20 left", last)
    assert "stability 1.00e-03, reconstruction 2.00e-02, validation PSNR 31.25 dB (best 31.25)" in last
    assert "waiting for data 25 %" in last.replace("\n", " ")


def test_the_bar_begins_where_the_run_does(terminal, capsys):
    with training_progress("Training smug", 40, 10):
        pass
    assert re.search(r"10/40 \S+ -:--:-- left", seen(capsys))


def test_what_goes_wrong_is_not_swallowed(terminal, capsys):
    with pytest.raises(ValueError, match="broken"), training_progress("Training smug", 40, 10):
        raise ValueError("broken")
    assert capsys.readouterr().err.endswith("\x1b[?25h")  # the cursor is there again


@pytest.mark.parametrize("place", ["terminal", "clock"])
def test_quiet(place, request, capsys):
    request.getfixturevalue(place)
    with training_progress("Training smug", 2, 0, quiet=True) as report:
        report(entry(1, psnr=30.0))
    assert seen(capsys) == ""


def test_off_a_terminal_long_work_says_now_and_then_how_far_it_is(clock, capsys):
    with shown_progress("Evaluating [x]", 240) as advance:
        for _ in range(60):
            clock[0] += 1
            advance(1)
    assert seen(capsys).splitlines() == [
        "Evaluating [x]: 10 of 240, 0:00:10 elapsed, 0:03:50 left",
        "Evaluating [x]: 40 of 240, 0:00:40 elapsed, 0:03:20 left",
    ]


def test_off_a_terminal_quick_work_says_nothing(clock, capsys):
    with shown_progress("Evaluating", 2) as advance:
        advance(2)
    with shown_progress("Evaluating", 1, quiet=True) as advance:
        clock[0] += 100
        advance(1)
    assert seen(capsys) == ""
