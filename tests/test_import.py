"""``import smug`` is light and leaves no trace."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LAZY = ["matplotlib", "h5py", "nibabel", "PIL", "rich", "tyro", "jinja2", "sigpy", "deepinv", "fastmri"]


def run(code: str) -> str:
    """Standard output of a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    return set(run("import sys, smug; print(*sys.modules)").split())


@pytest.mark.parametrize("package", LAZY)
def test_import_leaves_it_unloaded(package, loaded):
    assert "smug" in loaded
    assert package not in loaded


def test_version_is_the_projects():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert run("import smug; print(smug.__version__)") == project["version"]


def test_import_keeps_the_global_random_state():
    code = """
import random, numpy, torch
def state():
    return random.getstate(), numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
before = state()
import smug
print(state() == before)
"""
    assert run(code) == "True"
