"""Users' reconstructors are tried once on one slice: what does not keep to the contract is told at once."""

from functools import partial

import pytest
import torch

from smug.data.simulate import Acquisition
from smug.evaluation.datasets import simulated_set
from smug.foreign import image_network, numpy_function
from smug.foreign.contract import check_reconstructors, has_users_code
from smug.models.adapters import as_complex
from smug.models.classical import CGSense
from smug.models.normalised import normalised
from smug.models.reconstructors import MoDL
from smug.models.unet import UNet


class Own(torch.nn.Module):
    def forward(self, x):
        return x[..., :-1]


def breaks(y, A):
    raise KeyError("weights")


def in_place(y, A):
    x = A.H(y).exp()
    z = x * x
    x.data += 1
    x += 1
    return z


BAD = {
    "three arguments": (lambda y, A, more: A.H(y), r"expected f\(y, A, generator=None\).*got .*\(y, A, more\)"),
    "one argument": (lambda y: y, r"expected f\(y, A, generator=None\)"),
    "an image without batch": (lambda y, A: A.H(y)[0], r"expected images of shape \(1, 16, 16\), got \(16, 16\)"),
    "k-space": (lambda y, A: y, r"expected images of shape \(1, 16, 16\), got \(1, 2, 16, 16\)"),
    "half precision": (lambda y, A: A.H(y).abs().half(), "got torch.float16"),
    "integers": (lambda y, A: A.H(y).abs().int(), "got torch.int32"),
    "NaN": (lambda y, A: A.H(y) * torch.nan, "expected a finite image"),
    "numpy": (lambda y, A: A.H(y).detach().numpy(), r"^model f: <lambda>: expected .* torch tensor, got ndarray"),
    "another device": (lambda y, A: torch.zeros(1, 16, 16, device="meta"), "on the device of the measurements"),
    "an error": (breaks, r"model f: breaks: .*test_contract.py, line \d+: KeyError: 'weights'"),
    "no gradient of its own": (in_place, "its gradient with respect to y fails: in_place: .*inplace operation"),
    "a network": (image_network(Own()), "model f: "),
    "a denoiser": (MoDL(as_complex(Own()), steps=1), "expected the network to map"),
    "inside": (normalised(breaks), "KeyError"),
    "arrays": (numpy_function(lambda k, m, c: k), r"expected an image of shape \(16, 16\)"),
}


@pytest.fixture(scope="module")
def scan():
    return simulated_set("phantom", "test", 16, Acquisition(coils=2), count=1).scans[0]


@pytest.mark.parametrize("kind", BAD)
def test_what_breaks_the_contract_is_told(kind, scan):
    f, match = BAD[kind]
    with pytest.raises(ValueError, match=match) as error:
        check_reconstructors({"f": f}, scan.y, scan.A, gradient=True)
    assert str(error.value).startswith("model f: ")
    assert "\n" not in str(error.value)
    assert str(error.value).count("breaks:") <= 1


GOOD = {
    "two arguments": lambda y, A: A.H(y),
    "partial": partial(lambda lam, y, A, generator=None: lam * A.H(y), 0.5),
    "magnitude": lambda y, A: A.H(y).abs(),
    "network": image_network(torch.nn.Conv2d(2, 2, 3, padding=1)),
    "ours": normalised(CGSense()),
    "unet": MoDL(UNet(channels=4), steps=1),
}


@pytest.mark.parametrize("kind", GOOD)
def test_what_keeps_it_passes(kind, scan):
    assert check_reconstructors({"f": GOOD[kind]}, scan.y, scan.A, gradient=True) == {}


def test_ours_are_not_tried():
    assert not has_users_code(normalised(CGSense()))
    assert not has_users_code(MoDL(UNet(channels=4)))
    assert has_users_code(MoDL(as_complex(Own())))
    assert has_users_code(MoDL(lambda x: x))
    assert has_users_code(normalised(breaks))


@pytest.mark.parametrize(
    ("f", "what"),
    [
        (lambda y, A: A.H(y).detach(), "is not differentiable"),
        (lambda y, A: A.H(y) * 0, "has a gradient of zero"),
        (lambda y, A: (0 * A.H(y).abs()).sqrt() + 1, "has a gradient that is NaN"),
    ],
)
def test_gradients_that_attacks_are_blind_to_are_told(f, what, scan):
    assert check_reconstructors({"f": f}, scan.y, scan.A) == {}
    told = check_reconstructors({"f": f}, scan.y, scan.A, gradient=True)
    assert what in told["f"]
