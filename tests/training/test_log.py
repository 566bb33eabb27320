import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smug.training.log import LONGEST, LogEntry, RunLog, mean_terms, read_log

from ..properties import assert_refused

TERMS = ("reconstruction", "stability")
ENTRY = LogEntry(
    update=1,
    terms={"reconstruction": 0.1, "stability": 0.2},
    learning_rate=1e-3,
    gradient_norm=3.5,
    samples_per_second=12.0,
    seconds=0.25,
    waiting=0.05,
)

numbers = st.floats(allow_nan=False)
entries = st.builds(
    LogEntry,
    update=st.integers(0, 10**9),
    terms=st.fixed_dictionaries(dict.fromkeys(TERMS, numbers)),
    learning_rate=numbers,
    gradient_norm=numbers,
    samples_per_second=numbers,
    seconds=numbers,
    waiting=numbers,
    validation_psnr=st.none() | numbers,
)


def log_of(path, rows, terms=TERMS):
    """Write a log of these rows and return them."""
    with RunLog.open(path, terms) as log:
        for row in rows:
            log.write(row)
    return rows


def three(path):
    rows = [replace(ENTRY, update=u, seconds=0.1 * u, validation_psnr=30 + u / 7 if u % 2 else None) for u in (1, 2, 3)]
    return log_of(path, rows)


@given(st.lists(entries, max_size=4))
@settings(max_examples=50)
def test_every_number_is_read_as_it_was_written(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "round.csv"
    path.unlink(missing_ok=True)
    log_of(path, rows)
    assert read_log(path) == rows


def test_columns(tmp_path):
    log_of(tmp_path / "log.csv", [ENTRY, replace(ENTRY, update=2, validation_psnr=31.5)])
    assert (tmp_path / "log.csv").read_text() == (
        "update,loss,reconstruction,stability,"
        "learning_rate,gradient_norm,samples_per_second,seconds,waiting,validation_psnr_db\n"
        "1,0.30000000000000004,0.1,0.2,0.001,3.5,12.0,0.25,0.05,\n"
        "2,0.30000000000000004,0.1,0.2,0.001,3.5,12.0,0.25,0.05,31.5\n"
    )


def test_a_row_can_be_read_while_the_log_is_open(tmp_path):
    with RunLog.open(tmp_path / "log.csv", TERMS) as log:
        assert read_log(log.path) == []
        log.write(ENTRY)
        assert read_log(log.path) == [ENTRY]


def test_a_log_cut_at_any_byte_goes_on_from_its_whole_rows(tmp_path):
    after = 2
    rows = three(tmp_path / "log.csv")
    content = (tmp_path / "log.csv").read_bytes()
    ends = [n for n, byte in enumerate(content, 1) if byte == ord("\n")][1:]  # of the rows
    path, more = tmp_path / "cut.csv", replace(ENTRY, update=after + 1)
    for cut in range(len(content) + 1):
        path.write_bytes(content[:cut])
        whole = [row for row, end in zip(rows, ends, strict=True) if end <= cut]
        assert read_log(path) == whole
        with RunLog.open(path, TERMS, after) as log:
            kept = [row for row in whole if row.update <= after]
            assert read_log(path) == kept
            log.write(more)
        assert read_log(path) == [*kept, more]


@given(rows=st.lists(entries, min_size=1, max_size=5, unique_by=lambda row: row.update), data=st.data())
@settings(max_examples=100)
def test_any_log_cut_anywhere_keeps_exactly_the_rows_that_were_whole(tmp_path_factory, rows, data):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.unlink(missing_ok=True)
    log_of(path, rows)
    content = path.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    after = data.draw(st.sampled_from([0, *(row.update for row in rows)]))
    path.write_bytes(content[:cut])
    whole = rows[: max(0, content[:cut].count(b"\n") - 1)]
    RunLog.open(path, TERMS, after).close()
    assert read_log(path) == [row for row in whole if row.update <= after]


def test_dropping_rows_leaves_nothing_beside_the_log(tmp_path):
    three(tmp_path / "log.csv")
    RunLog.open(tmp_path / "log.csv", TERMS, after=1).close()
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


HEADER = b"update,loss,reconstruction,stability,learning_rate,gradient_norm,samples_per_second,seconds,waiting,"
HEADER += b"validation_psnr_db\n"
ROW = b"1,0.3,0.1,0.2,0.001,3.5,12.0,0.25,0.05,\n"
DAMAGED = {
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "another table": b"step,loss\n1,0.5\n",
    "text without an end": b"hello",
    "an older log": b"update,loss,validation_psnr_db,seconds\n20,0.1,30.000,1.0\n",
    "no more columns": b"update,loss\n",
    "NUL bytes": HEADER + bytes(50) + b"\n" + ROW,
    "a NUL byte in a number": HEADER + ROW.replace(b"0.2", b"0\x002"),
    "words": HEADER + ROW.replace(b"0.2", b"none"),
    "letters of other scripts": HEADER + ROW.replace(b"0.2", "½".encode()),
    "too few columns": HEADER + b"1,0.3,0.1\n" + ROW,
    "too many columns": HEADER + ROW.replace(b"0.2", b"0.2,0.2"),
    "no number of the update": HEADER + ROW.replace(b"1,", b"1.5,", 1),
    "an empty line": HEADER + b"\n" + ROW,
    "a first line without an end": HEADER[:11] + bytes(LONGEST),
    "a row without an end": HEADER + ROW + b"1" * LONGEST,
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_files_are_refused_and_kept(tmp_path, content):
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    for read in (read_log, lambda path: RunLog.open(path, TERMS, after=100)):
        with pytest.raises(ValueError, match=r"log\.csv: not the log of this run, or a damaged one: its line \d is '"):
            read(path)
    assert path.read_bytes() == content
    assert len(list(tmp_path.iterdir())) == 1


@given(st.binary(max_size=100), st.integers(0, len(HEADER + ROW)), st.integers(0, 20))
def test_any_bytes_are_a_log_or_refused(tmp_path_factory, noise, place, removed):
    path = tmp_path_factory.getbasetemp() / "noise.csv"
    path.write_bytes((HEADER + ROW)[:place] + noise + (HEADER + ROW)[place + removed :])
    try:
        found = read_log(path)
    except ValueError as error:
        assert str(error).startswith(str(path))
    else:
        assert all(isinstance(entry, LogEntry) for entry in found)


def test_a_huge_file_is_refused_at_once(tmp_path):
    path = tmp_path / "log.csv"
    for start in (b"", HEADER + ROW):
        path.write_bytes(start)
        with path.open("ab") as file:
            file.truncate(2**40)  # a terabyte of nothing
        assert_refused(lambda: read_log(path), "damaged")
        assert_refused(lambda: RunLog.open(path, TERMS), "damaged")


def test_other_terms(tmp_path):
    log_of(tmp_path / "log.csv", [ENTRY])
    with pytest.raises(ValueError, match=r"log\.csv: not the log of this run"):
        RunLog.open(tmp_path / "log.csv", ("reconstruction",), after=1)
    with RunLog.open(tmp_path / "log.csv", TERMS, after=1) as log, pytest.raises(ValueError, match="loss terms"):
        log.write(replace(ENTRY, terms={"reconstruction": 1.0}))
    assert read_log(tmp_path / "log.csv") == [ENTRY]


@pytest.mark.parametrize("name", ["", "a,b", "a\nb", "loss", "seconds", "größe"])
def test_names_that_would_break_the_table(tmp_path, name):
    assert_refused(lambda: RunLog.open(tmp_path / "log.csv", [name]), "log: expected loss terms named by words")
    assert not list(tmp_path.iterdir())


def test_no_terms_and_no_file(tmp_path):
    assert_refused(lambda: read_log(tmp_path / "log.csv"), "log.csv", error=FileNotFoundError)
    log_of(tmp_path / "log.csv", [replace(ENTRY, terms={})], terms=())
    assert read_log(tmp_path / "log.csv")[0].loss == 0


def test_a_full_disk_leaves_the_rows_before(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "log.csv"
    with RunLog.open(path, TERMS) as log:
        log.write(ENTRY)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, hard))  # part of a row fits
        try:
            with pytest.raises(OSError, match=r"could not write .*log\.csv: File too large"):
                log.write(replace(ENTRY, update=2))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert path.read_bytes().endswith(b"\n")
        assert read_log(path) == [ENTRY]
        log.write(replace(ENTRY, update=2))
    assert [entry.update for entry in read_log(path)] == [1, 2]


def test_paths_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match=r"could not write .*file/log\.csv"):
        RunLog.open(tmp_path / "file" / "log.csv", TERMS)
    with pytest.raises(OSError, match=f"could not write {tmp_path}"):
        RunLog.open(tmp_path, TERMS)


def test_infinity_is_kept(tmp_path):
    odd = replace(ENTRY, gradient_norm=math.inf, validation_psnr=-math.inf)
    log_of(tmp_path / "log.csv", [odd, replace(ENTRY, waiting=math.nan)])
    first, second = read_log(tmp_path / "log.csv")
    assert first == odd
    assert math.isnan(second.waiting)


def test_mean_terms():
    other = replace(ENTRY, terms={"reconstruction": 0.3, "stability": 0.0})
    assert mean_terms([ENTRY, other]) == pytest.approx({"reconstruction": 0.2, "stability": 0.1})
