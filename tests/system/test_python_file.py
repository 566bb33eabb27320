"""Functions in somebody's own file: whatever Python can execute there is executed as Python would."""

import pickle
import sys

import pytest
import torch

from smug.reconstructor import taking_generator
from smug.system.python_file import is_function, load_function, load_network, load_object

F = "def f(y, A=None, generator=None):\n    return y\n"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture(autouse=True)
def untouched():
    before = list(sys.path)
    yield
    assert sys.path == before


GOOD = {
    "dataclass": "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    "@dataclass\nclass O:\n    lam: float = 1.0\n" + F,
    "pickle": "import pickle\nclass O: pass\npickle.loads(pickle.dumps(O()))\n" + F,
    "forward reference": "import typing\nclass O:\n    x: 'O'\ntyping.get_type_hints(O)\n" + F,
    "main guard": F + "if __name__ == '__main__':\n    raise SystemExit(3)\n",
    "prints": "print('hello')\n" + F,
    "partial": "from functools import partial\ndef g(a, y, A=None, generator=None): return a * y\nf = partial(g, 1)\n",
    "object": "class C:\n    def __call__(self, y, A=None, generator=None): return y\nf = C()\n",
    "network": "import torch\nf = torch.nn.Identity()\n",
    "changes settings": "import torch\ntorch.set_grad_enabled(False)\ntorch.set_default_dtype(torch.float64)\n" + F,
    "sibling": "from beside_it import f\n",
}


@pytest.mark.parametrize("kind", GOOD)
def test_what_python_can_execute_is_executed(kind, tmp_path):
    write(tmp_path / "beside_it.py", F)
    path = write(tmp_path / f"user_{kind.replace(' ', '_')}.py", GOOD[kind])
    try:
        assert load_function(f"{path}:f", "model")(3) == 3
        assert torch.is_grad_enabled()
        assert torch.get_default_dtype() == torch.float32
    finally:
        sys.modules.pop("beside_it", None)


@pytest.mark.parametrize("name", ["torch", "random", "my.model.v2", "a-b", "1st", "été", "class", "smug", "with space"])
def test_a_file_may_have_any_name(name, tmp_path):
    write(tmp_path / "helper_of_names.py", "HELP = 5\n")
    path = write(tmp_path / f"{name}.py", "import random, torch, helper_of_names\nrandom.random\ntorch.nn\n" + F)
    before = sys.modules.get(name)
    assert load_function(f"{path}:f", "model")(3) == 3
    assert sys.modules.get(name) is before or before is None
    assert sys.modules["torch"] is torch


def test_a_sibling_does_not_take_the_place_of_the_standard_library(tmp_path):
    write(tmp_path / "random.py", "raise RuntimeError\n")
    write(tmp_path / "colorsys.py", "raise RuntimeError\n")
    write(tmp_path / "helper_beside_random.py", "import colorsys\n" + F)
    path = write(tmp_path / "beside_random.py", "import random\nfrom helper_beside_random import f\n")
    assert load_function(f"{path}:f", "model")(3) == 3


@pytest.mark.parametrize("lazy", [False, True])
def test_two_folders_with_the_same_names_do_not_mix(lazy, tmp_path):
    for folder in ("one", "two"):
        write(tmp_path / folder / "same_helper.py", f"from same_deeper import VALUE\nNAME = {folder!r} + VALUE\n")
        write(tmp_path / folder / "same_deeper.py", f"VALUE = {folder!r}\n")
        text = "import same_helper\ndef f(y, A=None, generator=None): return same_helper.NAME\n"
        if lazy:
            text = "def f(y, A=None, generator=None):\n    import same_helper\n    return same_helper.NAME\n"
        write(tmp_path / folder / "same_model.py", text)
    one, two = (load_function(f"{tmp_path / folder / 'same_model.py'}:f", "model") for folder in ("one", "two"))
    for _ in range(2):
        assert _named(one) == "oneone"
        assert _named(two) == "twotwo"


def _named(f):
    with pytest.raises(ValueError, match="expected it to return a torch tensor, got str"):
        taking_generator(f)(torch.zeros(1), None)
    from smug.system.user_code import users_code

    with users_code(f):
        return f(None)


@pytest.mark.parametrize("root", ["user_package", "email"])
def test_relative_imports_in_a_package(root, tmp_path):
    write(tmp_path / root / "__init__.py", "from .layers import two\n")
    write(tmp_path / root / "layers.py", "def two(): return 2\n")
    write(tmp_path / root / "nets" / "__init__.py", "")
    write(
        tmp_path / root / "nets" / "net.py",
        "from ..layers import two\ndef f(y, A=None, generator=None): return two()\n",
    )
    assert load_function(f"{tmp_path / root / 'nets' / 'net.py'}:f", "model")(3) == 2


def test_relative_imports_in_a_folder_without_init(tmp_path):
    for name, value in (("one", 1), ("other", 2)):
        write(tmp_path / name / "layers.py", f"def value(): return {value}\n")
        path = write(
            tmp_path / name / "net.py",
            "from .layers import value\ndef f(y, A=None, generator=None): return value()\n",
        )
        assert load_function(f"{path}:f", "model")(3) == value
    path = write(tmp_path / "one" / "wrong.py", "from .nothing import value\n")
    with pytest.raises(ValueError, match=r"line 1: ModuleNotFoundError"):
        load_function(f"{path}:f", "model")


def test_absolute_imports_of_its_own_package(tmp_path):
    write(tmp_path / "absolute_package" / "__init__.py", "")
    write(tmp_path / "absolute_package" / "layers.py", F)
    path = write(tmp_path / "absolute_package" / "net.py", "from absolute_package.layers import f\n")
    assert load_function(f"{path}:f", "model")(3) == 3


def test_dots_lead_to_attributes(tmp_path):
    path = write(tmp_path / "dotted.py", "class C:\n    def f(self, y, A=None): return y\nc = C()\n")
    assert load_function(f"{path}:c.f", "model")(3) == 3
    assert load_object(f"{path}:C", "model").__name__ == "C"


def test_a_file_is_executed_once_until_it_changes(tmp_path):
    path = write(
        tmp_path / "counted_once.py",
        "import sys\nsys.counted = getattr(sys, 'counted', 0) + 1\ndef f(y): return 1\ng = f\n",
    )
    try:
        assert load_function(f"{path}:f", "model") is load_function(f"{path}:g", "model")
        assert sys.counted == 1
        write(path, "def f(y): return 22\n")
        assert load_function(f"{path}:f", "model")(0) == 22
    finally:
        del sys.counted


def test_what_a_file_defines_goes_to_other_processes(tmp_path):
    path = write(tmp_path / "sent_elsewhere.py", "class C:\n    def __call__(self, y): return 2 * y\nc = C()\n")
    c = load_function(f"{path}:c", "model")
    assert pickle.loads(pickle.dumps(c))(2) == 4  # noqa: S301
    text = (
        "from concurrent.futures import ProcessPoolExecutor\nimport multiprocessing\ndef double(y): return 2 * y\n"
        "def f(y):\n    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('spawn')) as pool:\n"
        "        return pool.submit(double, y).result()\n"
    )
    f = load_function(f"{write(tmp_path / 'spawns_itself.py', text)}:f", "model")
    from smug.system.user_code import users_code

    with users_code(f):
        assert f(2) == 4


BAD = {
    "def f(:\n": r"line 1: SyntaxError",
    "import sys\nsys.exit(3)\n": r"line 2: SystemExit: 3",
    "x = 1\n\n1 / 0\n": r"line 3: ZeroDivisionError: division by zero",
    "import no_such_module_at_all\n": r"line 1: ModuleNotFoundError: No module named 'no_such_module_at_all'",
    "from . import x\n": r"line 1: ImportError",
    "class f: pass\n": r"f in .* is a class, expected a function .*:net",
    "f = 3\n": r"f in .* is no function, got int",
    "def ff(y): pass\n": r"has no function 'f'; did you mean ff\?",
    "def other(y): pass\nimport os\n": r"has no function 'f'; it has other",
    "": r"has no function 'f'; it has none",
}


@pytest.mark.parametrize("text", BAD)
def test_what_cannot_be_executed_is_told_in_one_line(text, tmp_path):
    path = write(tmp_path / f"bad_{abs(hash(text))}.py", text)
    with pytest.raises(ValueError, match=BAD[text]) as error:
        load_function(f"{path}:f", "model")
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("model: ")


def test_the_error_of_a_sibling_has_its_own_line(tmp_path):
    write(tmp_path / "failing_sibling.py", "\n\nraise OSError('gone')\n")
    path = write(tmp_path / "imports_failing.py", "import failing_sibling\n")
    with pytest.raises(ValueError, match=r"failing_sibling.py, line 3: OSError: gone"):
        load_function(f"{path}:f", "model")


def test_missing_files_and_others(tmp_path):
    with pytest.raises(FileNotFoundError, match="--denoiser: no such file"):
        load_function(f"{tmp_path}/none.py:f", "--denoiser")
    with pytest.raises(ValueError, match=r"expected .*whole.py:function, got .*whole.py; it has f"):
        load_function(str(write(tmp_path / "whole.py", F)), "model")
    assert is_function("a.py:f")
    assert is_function("a.py")
    assert not is_function("model.safetensors")


def test_networks_are_made_without_arguments(tmp_path):
    text = (
        "import torch\nclass Net(torch.nn.Identity): pass\ndef make(): return Net()\nnet = Net()\n"
        "def bad(n): return 3\ndef no(): return 3\n"
    )
    path = write(tmp_path / "made_networks.py", text)
    for name in ("Net", "make", "net"):
        assert type(load_network(f"{path}:{name}", "--denoiser")).__name__ == "Net"
    with pytest.raises(ValueError, match=r"--denoiser: .*bad could not be called without arguments"):
        load_network(f"{path}:bad", "--denoiser")
    with pytest.raises(ValueError, match=r"--denoiser: expected .*no to return a torch module, got int"):
        load_network(f"{path}:no", "--denoiser")
