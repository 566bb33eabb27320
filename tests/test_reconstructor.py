import torch

from smug.attacks import Threat, attack
from smug.attacks.pgd import PAPER
from smug.data.simulate import Acquisition
from smug.evaluation.datasets import simulated_set
from smug.evaluation.evaluate import evaluate
from smug.evaluation.protocols import PROTOCOLS
from smug.models.classical import CGSense
from smug.models.normalised import normalised
from smug.models.unet import UNet
from smug.reconstructor import moved, taking_generator


def adjoint(y, A):
    return A.H(y)


def test_a_function_of_measurements_and_operator_is_attacked_and_scored():
    (scan,) = simulated_set("phantom", "test", 32, Acquisition(coils=2), count=1).scans
    result = attack(adjoint, scan.y, scan.A, scan.truth, Threat(0.02), rule=PAPER)
    assert bool((result.objective > result.clean_objective).all())
    assert len(evaluate({"adjoint": adjoint}, PROTOCOLS["clean"].conditions, [scan])) == 1


def test_functions_that_take_a_generator_are_left_alone():
    def one(y, A, generator=None):
        return y

    def other(y, A, **settings):
        return y

    assert taking_generator(one) is one
    assert taking_generator(other) is other
    assert taking_generator(CGSense()) == CGSense()
    assert taking_generator(lambda y, A: y + A)(1, 2, generator=3) == 3


def test_what_has_no_networks_is_moved_as_it_is():
    assert moved(adjoint, "cpu") is adjoint
    f = normalised(adjoint)
    assert moved(f, "cpu").reconstructor is adjoint


def test_double_precision_through_a_single_precision_network():
    x = torch.randn(1, 16, 16, dtype=torch.complex128)
    result = UNet(channels=8)(x)
    assert result.dtype == torch.complex128
    torch.testing.assert_close(result, x)
