import math
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from smug.attacks import Threat, attack
from smug.attacks.pgd import PAPER
from smug.attacks.surrogate import noise_free, with_seed
from smug.bounds.percentile import Release
from smug.data.simulate import Acquisition
from smug.evaluation.datasets import simulated_set
from smug.evaluation.protocols import PROTOCOLS
from smug.evaluation.scoring import score
from smug.foreign.adapted import Adapted, numpy_function, slicewise
from smug.models.classical import CGSense, TotalVariation, ZeroFilled
from smug.models.normalised import normalised
from smug.models.reconstructors import RSE2E, SMUG, MoDL, WeightedSMUG
from smug.models.smoothing import Smoothing
from smug.models.unet import UNet
from smug.models.weight_encoder import WeightEncoder
from smug.reconstructor import Described, described, moved, replaced, taking_generator
from smug.training.config import Config
from smug.training.runs import Model


def adjoint(y, A):
    return A.H(y)


def test_a_function_of_measurements_and_operator_is_attacked_and_scored():
    (scan,) = simulated_set("phantom", "test", 32, Acquisition(coils=2), count=1).scans
    result = attack(adjoint, scan, Threat(0.02), rule=PAPER)
    assert bool((result.objective > result.clean_objective).all())
    assert len(score({"adjoint": adjoint}, PROTOCOLS["clean"].conditions, [scan])) == 1


def test_functions_of_two_arguments_take_a_generator_and_ignore_it():
    def two(y, A):
        return y + A

    one = torch.ones(1)
    assert torch.equal(taking_generator(two)(one, one, generator=3), 2 * one)
    assert torch.equal(taking_generator(lambda y, A, **settings: settings["generator"])(1, 2, generator=one), one)
    assert taking_generator(CGSense()) == CGSense()


def test_what_has_no_networks_is_moved_as_it_is():
    assert moved(adjoint, "cpu") is adjoint
    f = normalised(adjoint)
    assert moved(f, "cpu").reconstructor is adjoint


def test_double_precision_through_a_single_precision_network():
    x = torch.randn(1, 16, 16, dtype=torch.complex128)
    result = UNet(channels=8)(x)
    assert result.dtype == torch.complex128
    torch.testing.assert_close(result, x)


LOOP = {"denoiser", "steps", "lam"}
SMOOTHED = LOOP | {"smoothing", "sigma", "num_samples", "noise", "seed", "chunk", "shared_draws"}
FIRST = {"first"}
WEIGHTED = SMOOTHED | FIRST | {"encoder"}


def shrunk(x):
    return 0.9 * x


RECONSTRUCTORS = {
    "modl": (MoDL(shrunk, steps=3), LOOP | FIRST, 3),
    "smug": (SMUG(shrunk, Smoothing(num_samples=2), steps=3), SMOOTHED | FIRST, 6),
    "weighted": (
        WeightedSMUG(shrunk, WeightEncoder(4), Smoothing(num_samples=2), 3),
        SMOOTHED | FIRST | {"encoder"},
        6,
    ),
    "rs-e2e": (RSE2E(shrunk, Smoothing(num_samples=2), steps=3), SMOOTHED, 6),
    "cg-sense": (CGSense(), {"lam"}, 0),
    "tv": (TotalVariation(iterations=2), {"lam", "iterations"}, 0),
    "zero-filled": (ZeroFilled(), set(), 0),
    "adapted": (Adapted(nn.Identity(), lambda network, y, A: A.H(y)), set(), math.nan),
    "numpy": (numpy_function(lambda y, mask, maps: maps.conj().sum(0)), set(), math.nan),
    "module": (nn.Identity(), set(), math.nan),
    "function": (adjoint, set(), math.nan),
}
WRAPPERS = {
    "bare": lambda f: f,
    "normalised": normalised,
    "model": lambda f: Model("m", f, Config(), {}),
    "seeded": lambda f: with_seed(f, 3),
    "release": lambda f: Release(f, 0.1),
    "slicewise": slicewise,
    "twice": lambda f: with_seed(normalised(f), 3),
}


@pytest.fixture(params=WRAPPERS)
def wrap(request):
    return WRAPPERS[request.param]


@pytest.fixture(params=RECONSTRUCTORS)
def known(request):
    return RECONSTRUCTORS[request.param]


def test_every_reconstructor_tells_its_settings_and_its_cost(known, wrap):
    f, names, calls = known
    asked = described(wrap(f))
    assert set(asked.settings()) == names
    assert asked.core() is f
    assert asked.denoiser_calls == calls or (math.isnan(asked.denoiser_calls) and math.isnan(calls))


def test_without_the_scale_the_other_wrappers_stay():
    f = MoDL(shrunk)
    for wrapped in (f, normalised(f), Model("m", f, Config(), {}), normalised(normalised(f))):
        assert described(wrapped).unscaled() is f
        seeded = described(with_seed(wrapped, 3)).unscaled()
        assert (seeded.seed, seeded.reconstructor) == (3, f)
    assert described(adjoint).unscaled() is adjoint
    released = Release(normalised(f), 0.1)  # its noise has the unit of the measurements
    assert described(released).unscaled() is released


def test_settings_are_replaced_inside_and_others_refused(known, wrap):
    f, names, _ = known
    wrapped = wrap(f)
    for name, value in described(wrapped).settings().items():
        changed = replaced(wrapped, **{name: value})
        assert type(changed) is type(wrapped)
        assert described(changed).settings() == described(wrapped).settings()
    for name, value in {"lam": 0.5, "steps": 2, "num_samples": 7}.items():
        if name in names:
            assert described(replaced(wrapped, **{name: value})).settings()[name] == value
        else:
            with pytest.raises(ValueError, match=rf"replace: expected settings among .*, got \['{name}'\]"):
                replaced(wrapped, **{name: value})
    assert replaced(wrapped) is wrapped


def test_the_training_range_is_that_of_the_weights(known):
    f = known[0]
    assert all(described(WRAPPERS[name](f)).training_range() is None for name in WRAPPERS if name != "model")
    model = WRAPPERS["model"](f)
    expected = Config().data.range
    assert model.training_range() == normalised(model).training_range() == expected
    assert with_seed(model, 1).training_range() == Release(model, 0.1).training_range() == expected


def test_noise_is_left_out_where_there_is_some(known, wrap):
    f, names, _ = known
    quiet = noise_free(wrap(f))
    if "num_samples" in names:
        assert described(quiet).settings()["num_samples"] == 0
    else:
        assert quiet is wrap(f) or described(quiet).settings() == described(f).settings()


@pytest.mark.parametrize("name", WRAPPERS)
def test_networks_go_to_a_device_through_every_wrapper(name):
    class Network(nn.Module):
        places = ()

        def to(self, device):
            Network.places += (device,)
            return self

        def forward(self, y, A):
            return A.H(y)

    assert type(moved(WRAPPERS[name](Network()), "meta")) is type(WRAPPERS[name](Network()))
    assert Network.places == ("meta",)
    denoiser = UNet(4, 1)
    f = moved(WRAPPERS[name](MoDL(denoiser)), "meta")
    assert next(described(f).core().denoiser.parameters()).device.type == "meta"


def test_a_class_of_somebody_tells_what_it_knows_and_the_rest_is_default():
    @dataclass(frozen=True)
    class Mine(Described):
        strength: float = 1.0

        def __call__(self, y, A, generator=None):
            return self.strength * A.H(y)

        def settings(self):
            return {"strength": self.strength}

        def replace(self, **changes):
            return Mine(**changes)

    f = normalised(Mine())
    assert described(f).settings() == {"strength": 1.0}
    assert replaced(f, strength=2.0).reconstructor == Mine(2.0)
    assert math.isnan(f.denoiser_calls) and f.training_range() is None and moved(f, "cpu").core() == Mine()


def test_a_plain_function_is_called_with_and_without_a_generator():
    for f in (lambda y, A: y + A, lambda y, A, generator=None: y + A):
        one = torch.ones(1)
        assert described(f)(one, one) == described(f)(one, one, generator=3) == 2
        assert described(f).to("meta").core() is f
