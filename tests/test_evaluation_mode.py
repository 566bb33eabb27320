"""A network in training mode is refused wherever a reconstructor is used, and its statistics stay as they are."""

from functools import partial

import pytest
import torch
from torch import nn

import smug
from smug.attacks.driver import ascend
from smug.data.kspace.volume import Volume
from smug.evaluation_mode import check_mode
from smug.models.classical import CGSense

from .properties import assert_refused
from .scans import phantom_scan

SCAN = phantom_scan(16, coils=2)
THREAT = smug.Threat(0.01, norm="l2", unit="kspace-l2")
TOLD = "network: expected it in evaluation mode, got BatchNorm2d in training; call .eval()"


class Whole(nn.Module):
    """A reconstructor that is a network itself."""

    def __init__(self, network):
        super().__init__()
        self.denoise = smug.as_complex(network)

    def forward(self, y, A):
        return self.denoise(A.H(y))


class Holder:
    """An object that keeps a network."""

    def __init__(self, network):
        self.network = Whole(network)

    def __call__(self, y, A, generator=None):
        return self.network(y, A)

    def reconstruct(self, y, A):
        return self.network(y, A)


def of_network(network, y, A):
    return smug.as_complex(network)(A.H(y))


def around(f):
    return lambda y, A: f(y, A)


GLOBAL = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2))


def of_a_global(y, A):
    return smug.as_complex(GLOBAL)(A.H(y))


class Nested:
    """An object that keeps one that keeps a network."""

    def __init__(self, network):
        self.inner = Holder(network)

    def __call__(self, y, A, generator=None):
        return self.inner(y, A)


def through_a_function(network):
    def inner(y, A):
        return of_network(network, y, A)

    return lambda y, A: inner(y, A)


def through_a_mapping(network):
    several = {"first": [network]}
    return lambda y, A: of_network(several["first"][0], y, A)


KINDS = {
    "alone": Whole,
    "MoDL": lambda net: smug.MoDL(smug.as_complex(net), steps=1),
    "SMUG": lambda net: smug.SMUG(smug.as_complex(net), smug.Smoothing(num_samples=1), steps=1),
    "RS-E2E": lambda net: smug.RSE2E(smug.as_complex(net), smug.Smoothing(num_samples=1), steps=1),
    "normalised": lambda net: smug.normalised(smug.MoDL(smug.as_complex(net), steps=1)),
    "normalised function": lambda net: smug.normalised(lambda y, A: of_network(net, y, A)),
    "closure": lambda net: lambda y, A: of_network(net, y, A),
    "closure of a reconstructor": lambda net: around(smug.MoDL(smug.as_complex(net), steps=1)),
    "partial": lambda net: partial(of_network, net),
    "object": Holder,
    "method": lambda net: Holder(net).reconstruct,
    "object in an object": Nested,
    "function of a function": through_a_function,
    "list in a mapping": through_a_mapping,
}


def network():
    return nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2))


def attacked(f):
    return smug.attacks.attack(f, SCAN, THREAT, rule=smug.attacks.PGD(steps=1))


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_holds_a_network_in_training_is_refused_and_in_evaluation_used(kind):
    net = network()
    f = KINDS[kind](net)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert_refused(lambda: attacked(f), TOLD)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    net.eval()
    assert attacked(f).delta.any()


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
def test_a_frozen_network_of_torchscript_has_no_mode():
    net = nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)).eval()
    frozen = torch.jit.freeze(torch.jit.trace(net, torch.zeros(1, 2, 8, 8)))
    f = smug.normalised(lambda y, A: of_network(frozen, y, A))
    assert attacked(f).delta.any()
    assert attacked(smug.foreign.image_network(frozen)).delta.any()


def test_a_function_of_a_global_network():
    assert_refused(lambda: check_mode(of_a_global), TOLD)


USES = {
    "reconstruct": lambda f: smug.reconstruct(f, volume()),
    "evaluate": lambda f: smug.evaluate(f, SCAN, "clean"),
    "certify": lambda f: smug.certify(f, SCAN),
    "diagnose": lambda f: smug.diagnosis.diagnose(f, SCAN, THREAT),
    "noise map": lambda f: smug.noise_map(f, SCAN.y, SCAN.A, 0.01, 2),
    "gain": lambda f: smug.bounds.local_gain(f, SCAN.y, SCAN.A),
    "percentile": lambda f: smug.bounds.percentile_curve(f, SCAN.y, SCAN.A, SCAN.truth, 0.01, [1.0]),
    "worst of a family": lambda f: smug.attacks.worst_of(f, SCAN, smug.shifts.FAMILIES["spikes"], 0.1),
    "tuned": lambda f: smug.tuned(lambda lam: f, [SCAN], [1.0]),
}


def volume():
    return Volume("v", tuple(SCAN.y), SCAN.A.mask, SCAN.y.shape[-1], False, tuple(SCAN.y.shape[-2:]))


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kind", ["alone", "MoDL"])
def test_it_is_refused_wherever_a_reconstructor_is_used(use, kind):
    assert_refused(lambda: USES[use](KINDS[kind](network())), TOLD)


def test_the_model_is_named_among_several():
    models = {"cg": CGSense(), "mine": KINDS["MoDL"](network())}
    assert_refused(lambda: smug.evaluate(models, SCAN, "clean"), f"model mine: {TOLD}")


def test_adversarial_training_goes_on():
    f = KINDS["MoDL"](network())
    assert ascend(f, SCAN, THREAT, rule=smug.attacks.PGD(steps=1, keep="last")).any()


def test_functions_that_name_each_other():
    """The search for networks ends, and still finds one behind the circle."""
    network = nn.BatchNorm2d(1)

    def reconstruct(y, A):
        return network(again(y, A))

    again = partial(reconstruct)
    reconstruct.again = again
    with pytest.raises(ValueError, match="got BatchNorm2d in training"):
        check_mode(partial(again, A=partial(again)))


def test_a_class_that_a_function_names_is_no_reconstructor():
    check_mode(lambda y, A: CGSense()(y, A).abs())
