"""Damaged files through the readers, and good and damaged ones through the command line; by hand, many more."""

from pathlib import Path

import pytest

from ..processes import Started

pytest.importorskip("ismrmrd", reason="writes the raw files that are damaged")


@pytest.mark.long
@pytest.mark.parametrize(("script", "count"), [("session.py", 80), ("fuzz.py", 180)])
def test_many_files(script, count):
    path = str(Path(__file__).with_name(script))
    argv = [path, "--count", str(count)]
    code = f"import runpy, sys; sys.argv = {argv!r}; runpy.run_path({path!r}, run_name='__main__')"
    status, output, errors = Started("-c", code).wait(250)
    assert status == 0, output + errors[-3000:]
