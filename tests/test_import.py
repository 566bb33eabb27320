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
    assert set(dir(smug)) == set(smug.__all__) == stubbed
    assert not [name for name in smug.__all__ if getattr(smug, name) is None]


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="smug attribute reconstuct"):
        _ = smug.reconstuct


LOADING = """
import random, sys, numpy, torch
def state():
    return random.getstate(), numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
before = state()
import smug
print(state() == before)
smug.load("smug")
print(*(name for name in sys.modules if name.startswith("smug.")))
"""


@pytest.fixture(scope="module")
def weights_loaded() -> list[str]:
    """Whether the import kept the random state, and the modules that loading weights has imported."""
    return run(LOADING).splitlines()


def test_loading_weights_imports_no_attack_no_shift_and_no_loss(weights_loaded):
    packages = {name.split(".")[1] for name in weights_loaded[1].split()}
    assert {"training", "models"} <= packages
    assert not packages & {"attacks", "shifts", "losses", "bounds", "evaluation", "reports"}


def test_import_takes_a_moment():
    code = "import time; t = time.process_time(); import smug; print(time.process_time() - t)"
    assert float(run(code)) < 0.2


def test_version_is_the_projects():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert run("import smug; print(smug.__version__)") == project["version"]


def test_import_keeps_the_global_random_state(weights_loaded):
    assert weights_loaded[0] == "True"
