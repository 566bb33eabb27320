"""``import smug`` is light and leaves no trace."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import smug

ROOT = Path(__file__).parents[1]
LAZY = [
    "torch",
    "numpy",
    "scipy",
    "safetensors",
    "matplotlib",
    "h5py",
    "nibabel",
    "PIL",
    "rich",
    "tyro",
    "jinja2",
    "sigpy",
    "deepinv",
    "fastmri",
]


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


def test_every_name_of_the_stub_is_listed_and_there():
    stub = ast.parse((ROOT / "src/smug/__init__.pyi").read_text(encoding="utf-8"))
    stubbed = {alias.asname for node in stub.body for alias in node.names}
    code = "import smug; print(*dir(smug)); print(*(n for n in smug.__all__ if getattr(smug, n) is None))"
    listed, *missing = run(code).splitlines()
    assert set(listed.split()) == stubbed
    assert not missing


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="smug attribute reconstuct"):
        _ = smug.reconstuct


def test_loading_weights_imports_no_attack_no_shift_and_no_loss():
    code = "import sys, smug; smug.load('smug'); print(*(name for name in sys.modules if name.startswith('smug.')))"
    packages = {name.split(".")[1] for name in run(code).split()}
    assert {"training", "models"} <= packages
    assert not packages & {"attacks", "shifts", "losses", "bounds", "evaluation", "reports"}


def test_import_takes_a_moment():
    code = "import time; t = time.process_time(); import smug; print(time.process_time() - t)"
    assert float(run(code)) < 0.2


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
