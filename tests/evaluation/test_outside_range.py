"""Scans outside the training range are told by every public function that runs a model, with what to use instead."""

from dataclasses import replace

import pytest
import torch

import smug
from smug.evaluation.certificates import Certification

TRAINED = smug.Acquisition(coils=4, acceleration=4.0, mask="random", noise=0.01)


def adjoint(y, A, generator=None):
    return A.H(y)


class Trained(smug.Described):
    """The adjoint, which says what it was trained on."""

    def __call__(self, y, A, generator=None):
        return A.H(y)

    def training_range(self):
        from smug.training_range import TrainingRange

        return TrainingRange(
            sources=("heads",),
            matrices=((64, 64),),
            coils=(4,),
            accelerations=(4.0,),
            masks=("random",),
            noise=(0.01,),
            center_fractions=(0.08,),
            phases=(1.0,),
            profile_widths=(1.2,),
            maps=("exact",),
        )


def scan(acquisition: smug.Acquisition = TRAINED, size: int = 64) -> smug.Scan:
    return smug.simulate(smug.head_phantom(1, size)[None], acquisition)


OTHERS = {
    "sampling": scan(replace(TRAINED, mask="equispaced")),
    "acceleration": scan(replace(TRAINED, acceleration=8.0)),
    "number of coils": scan(replace(TRAINED, coils=2)),
    "matrix size": scan(size=40),
    "calibration lines": scan(replace(TRAINED, center_fraction=0.2)),
}


@pytest.mark.parametrize("what", OTHERS)
def test_scans_are_told_by_evaluate(what):
    told: list[str] = []
    smug.evaluate({"net": Trained(), "plain": adjoint}, OTHERS[what], "clean", warn=told.append)
    assert told[0].startswith("net: ") and any(f"net: {what}: got" in sentence for sentence in told)
    assert "ridge" in told[-1] and not any("plain" in sentence for sentence in told)


def test_scans_inside_are_not_told():
    told: list[str] = []
    smug.evaluate({"net": Trained()}, scan(), "clean", warn=told.append)
    assert told == []


def test_simulated_noise_is_told():
    told: list[str] = []
    noisy = replace(TRAINED, noise=0.1)
    smug.evaluate({"net": Trained()}, "phantom", "clean", size=64, acquisition=noisy, max_slices=1, warn=told.append)
    assert told[0].startswith("net: noise: got 0.1") and len(told) == 2


def test_they_are_told_by_certify():
    told: list[str] = []
    asked = Certification(draws=2, attacked=())
    smug.certify({"net": Trained()}, OTHERS["sampling"], asked, warn=told.append)
    assert told[0].startswith("net: sampling: got equispaced lines") and "ridge" in told[1]


def test_they_are_told_by_reconstruct():
    given = scan(replace(TRAINED, coils=3))
    full = smug.Volume("v", [given.y[0]], torch.ones(1, 64, dtype=torch.bool), 64, True, (64, 64))
    told: list[str] = []
    smug.reconstruct(Trained(), full, undersample=4, warn=told.append)
    assert any(sentence.startswith("number of coils: got 3") for sentence in told) and "--model ridge" in told[-1]
    with pytest.warns(UserWarning, match="number of coils: got 3"):
        smug.reconstruct(Trained(), full, undersample=4)
    smug.reconstruct(smug.ZeroFilled(), full, undersample=4, warn=told.clear)
