"""The commands of the README are the ones that are tested, its Python runs, and it is one screen long."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
USE = "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt -e . && .venv/bin/smug demo"
DEVELOP = "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt -e '.[dev]' && .venv/bin/pytest"


@pytest.mark.parametrize("command", [USE, DEVELOP])
def test_readme_has_the_command_on_its_own_line(command):
    assert command in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("step", DEVELOP.split(" && "))
def test_continuous_integration_runs_each_step_of_it(step):
    assert step.replace(".venv", '"$venv"') in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_it_is_one_screen_long():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 80


def test_its_python_runs_as_it_stands_on_a_smaller_image(capsys):
    (code,) = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    exec(compile(code.replace("size=128", "size=64"), "README.md", "exec"), {})  # noqa: S102
    clean, fooled, *table = capsys.readouterr().out.splitlines()
    assert float(clean.removesuffix(" dB")) > float(fooled.removesuffix(" dB")) + 2
    assert any("adversarial" in line for line in table)
