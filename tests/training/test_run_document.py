import json
import math

import pytest

from smug.system.files import write_json
from smug.training.log import LogEntry
from smug.training.run_document import run_document


def entry(update, loss, psnr=None, speed=10.0):
    return LogEntry(update, {"supervised": loss}, 1e-3, 1.0, speed, 2.0 * update, 0.1, psnr)


def test_tells_how_to_repeat_the_run_and_what_came_of_it(tmp_path):
    entries = [entry(1, 4.0), entry(2, 2.0, 30.0), entry(3, 1.0, speed=100.0), entry(4, 0.5), entry(5, 0.3, 32.0)]
    made = run_document(
        {"method": "modl", "lam": 1.0}, entries, seeds=[7], data={"source": "phantom", "sha256": "ab"}, command="smug"
    )
    write_json(tmp_path / "run.json", made)
    assert json.loads((tmp_path / "run.json").read_text()) == made
    assert made["schema"] == "smug-run-2"
    assert made["configuration"] == {"method": "modl", "lam": 1.0}
    assert (made["seeds"], made["data"]["sha256"], made["command"], made["updates"]) == ([7], "ab", "smug", 5)
    first, second = made["validations"]
    assert first == {"update": 2, "psnr_db": 30.0, "loss": 3.0, "terms": {"supervised": 3.0}, "seconds": 4.0}
    assert second["loss"] == pytest.approx(0.6)
    assert made["timing"] == pytest.approx({"seconds": 10.0, "samples_per_second": 10.0, "waiting": 0.1})


def test_plain_values_even_where_numbers_are_not(tmp_path):
    made = run_document({"odd": math.inf}, [entry(1, math.nan, math.inf)], seeds=(0,))
    write_json(tmp_path / "run.json", made)
    assert made["validations"][0]["psnr_db"] is None
    assert made["data"] is None


def test_a_run_without_updates():
    made = run_document({}, [], seeds=[0])
    assert (made["updates"], made["validations"], made["timing"]) == (0, [], None)
