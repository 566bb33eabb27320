"""Every value of the training range is checked on a scan, and no scan like those of training is outside."""

from dataclasses import fields, replace

import pytest
import torch

from smug.data.acquisition import Acquisition, AcquisitionRange
from smug.models.noise import complex_normal
from smug.physics.masks import equispaced_lines, poisson_disc, random_lines, variable_density_lines
from smug.physics.operator import operator
from smug.range_checks import CHECKS, ScanFacts, norm_warning, outside
from smug.training.config import DataConfig
from smug.training_range import TrainingRange

from .scans import phantom_scan

WEIGHTS = DataConfig(size=128, zooms=(1, 2), acquisition=Acquisition()).range
SPAN = {"accelerations": (2.0, 6.0), "acceleration_spans": ((2.0, 6.0),)}
SCAN = ScanFacts((128, 128), 4, random_lines(128, seed=0))


def test_every_value_has_a_check():
    assert list(CHECKS) and set(CHECKS) == {field.name for field in fields(TrainingRange)}


def test_all_that_an_acquisition_fixes_is_in_the_range():
    names = {
        "coils": "coils",
        "profile_width": "profile_widths",
        "acceleration": "accelerations",
        "center_fraction": "center_fractions",
        "mask": "masks",
        "noise": "noise",
        "phase": "phases",
        "maps": "maps",
        "background": "backgrounds",
    }
    others = {"fixed_mask"}  # which of the masks it is, not of what kind
    assert set(names) == {field.name for field in fields(Acquisition)} - others
    for name, of_range in names.items():
        assert getattr(WEIGHTS, of_range) == (getattr(Acquisition(), name),)


@pytest.mark.parametrize(
    ("field", "trained", "scan", "words"),
    [
        ("sources", {"maps": ("espirit",)}, {"measured": True}, "anatomy: got measured k-space"),
        ("matrices", {}, {"matrix": (64, 64)}, "matrix size: got 64 x 64"),
        ("zoomed", {"zoomed": (128,)}, {"matrix": (256, 256)}, "matrix size: got 256 x 256"),
        ("coils", {}, {"coils": 8}, "number of coils: got 8"),
        ("accelerations", {}, {"mask": random_lines(128, 6, 0.08, seed=0)}, "acceleration: got 6.10"),
        ("masks", {}, {"mask": equispaced_lines(128, seed=0)}, "sampling: got equispaced lines"),
        ("center_fractions", {}, {"mask": random_lines(128, 4, 0.02, seed=0)}, "calibration lines: got 6 of 128"),
        ("center_fractions", {}, {"mask": random_lines(128, 4, 0.2, seed=0)}, "calibration lines: got 26 of 128"),
        ("noise", {}, {"noise": 0.05}, "noise: got 0.05 of the image's maximum"),
        ("phases", {"phases": (0.0,), "maps": ("espirit",)}, {"measured": True}, "phase: got measured k-space"),
        ("phases", {}, {"phase": 3.0}, "phase: got 3 rad"),
        ("profile_widths", {}, {"profile_width": 0.3}, "width of the coil profiles: got 0.3"),
        ("maps", {}, {"maps": "espirit"}, "coil maps: got espirit"),
        ("maps", {"sources": ("openms",)}, {"measured": True}, "coil maps: got measured k-space, whose maps are est"),
        ("backgrounds", {}, {"background": 0.01}, "noise of the image: got 0.01 of its maximum"),
        ("acceleration_spans", SPAN, {"acceleration": 6.7}, "acceleration: got 6.70, outside the training range of"),
        ("acceleration_spans", SPAN, {"acceleration": 1.7}, "acceleration: got 1.70, outside the training range of"),
    ],
)
def test_one_sentence_for_each_value_outside(field, trained, scan, words):
    weights = replace(WEIGHTS, **({"sources": ("openms",)} if field == "phases" else {}) | trained)
    assert outside(weights, SCAN) == []
    other = replace(SCAN, **scan)
    [sentence] = outside(weights, other)
    assert sentence.startswith(words) and "outside the training range of the weights (" in sentence
    assert CHECKS[field](weights, other) == sentence


@pytest.mark.parametrize(
    "known",
    [
        {"noise": 0.015, "phase": 1.0, "profile_width": 1.2},
        {"noise": 0.001, "phase": 0.0, "profile_width": 1.0},
        {"acceleration": 4.3},
        {"maps": "exact", "background": 0.0},
        {"mask": torch.nn.functional.pad(random_lines(112, seed=0), (8, 8)), "encoded_lines": 112},
        {"mask": torch.cat([random_lines(128, seed=seed) for seed in range(9)])},
        {"mask": random_lines(128, seed=0)[:, None].expand(1, 128, 128)},
    ],
)
def test_what_is_inside_or_not_known_is_no_sentence(known):
    assert outside(WEIGHTS, replace(SCAN, **known)) == []


def test_one_slice_of_another_kind_is_enough():
    masks = torch.cat([*(random_lines(128, seed=seed) for seed in range(5)), equispaced_lines(128, seed=0)])
    [sentence] = outside(WEIGHTS, replace(SCAN, mask=masks))
    assert sentence == "sampling: got equispaced lines, outside the training range of the weights (random lines)."


@pytest.mark.parametrize("kind", ["random", "equispaced", "variable-density"])
def test_no_draw_of_what_was_trained_is_outside(kind):
    for width, rate, fraction in (
        (64, 4.0, 0.08),
        (128, 2.0, 0.08),
        (128, 4.0, 0.08),
        (128, 8.0, 0.04),
        (320, 4.0, 0.08),
    ):
        acquisition = Acquisition(acceleration=rate, center_fraction=fraction, mask=kind)
        trained = DataConfig(size=width, acquisition=acquisition).range
        for seed in range(150):
            mask = acquisition.sample(width, width, seed)
            assert outside(trained, ScanFacts((width, width), 4, mask, acceleration=rate)) == [], seed


RANGE = AcquisitionRange(
    coils=(1, 6),
    profile_width=(0.3, 1.6),
    acceleration=(2.0, 6.0),
    center_fraction=(0.04, 0.1),
    mask=("random", "equispaced", "variable-density"),
    noise=(0.001, 0.05),
    phase=(0.0, 1.0),
    maps=("exact", "espirit"),
    background=(0.0, 0.01),
)


def test_no_draw_of_a_range_is_outside_and_what_no_draw_has_is():
    trained = DataConfig(size=128, acquisition=RANGE).range
    for seed in range(200):
        a = RANGE.draw(seed)
        own = {
            name: getattr(a, name) for name in ("acceleration", "noise", "phase", "profile_width", "maps", "background")
        }
        scan = ScanFacts((128, 128), a.coils, a.sample(128, 128, seed), **own)
        assert outside(trained, scan) == [], a
    assert outside(trained, replace(scan, coils=7)) == [
        "number of coils: got 7, outside the training range of the weights (1 to 6)."
    ]
    assert outside(trained, replace(scan, acceleration=8.0)) == [
        "acceleration: got 8.00, outside the training range of the weights (2.00 to 6.00)."
    ]
    [sentence] = outside(trained, replace(scan, noise=0.11))
    assert sentence.startswith("noise: got 0.11 of the image's maximum, outside")


def test_measured_scans_are_no_warning_for_weights_that_saw_estimated_maps():
    trained = replace(DataConfig(size=128, acquisition=RANGE).range, sources=("openms",))
    scan = ScanFacts((128, 128), 4, random_lines(128, 3.0, seed=0), measured=True)
    assert outside(trained, scan) == []
    [sentence] = outside(replace(trained, maps=("exact",)), scan)
    assert sentence.startswith("coil maps: got measured k-space, whose maps are estimated")
    assert outside(replace(trained, maps=("exact",)), replace(scan, coils=1)) == []


def test_points_have_a_calibration_square():
    trained = DataConfig(size=96, acquisition=Acquisition(mask="poisson")).range
    scan = ScanFacts((96, 96), 4, poisson_disc(96, 96, 4, seed=0))
    assert trained.center_fractions == () and outside(trained, scan) == []
    [sentence] = outside(trained, replace(scan, mask=poisson_disc(96, 96, 4, 12, seed=0)))
    assert sentence.startswith("calibration square: got 12 points wide")
    [sentence] = outside(trained, replace(scan, mask=random_lines(96, 4, seed=0)))
    assert sentence.startswith("sampling: got") and sentence.endswith("(points (a 2-D mask)).")


def test_variable_density_is_told_where_there_are_enough_lines():
    trained = DataConfig(size=400, acquisition=Acquisition(acceleration=2)).range
    scan = ScanFacts((400, 400), 4, variable_density_lines(400, 2, seed=0))
    assert outside(trained, scan)[0].startswith("sampling: got lines of variable density")


@pytest.mark.parametrize("maps", ["exact", "espirit"])
@pytest.mark.parametrize("mask", ["equispaced", "random", "variable-density"])
@pytest.mark.parametrize(("coils", "acceleration"), [(1, 8), (8, 2), (8, 8)])
def test_no_operator_with_normalised_maps_has_a_norm_far_from_1(maps, mask, coils, acceleration, device):
    scan = phantom_scan(64, mask=mask, coils=coils, acceleration=acceleration, maps=maps, noise=0.02).to(device)
    assert norm_warning(scan.y, scan.A) is None
    assert (
        norm_warning(scan.A.sampled * complex_normal(torch.arange(1), scan.y.shape[1:], device=device), scan.A) is None
    )
    assert norm_warning(0 * scan.y, scan.A) is None


@pytest.mark.parametrize(("factor", "told"), [(300.0, "about 300"), (2.0, "about 2"), (0.5, "about 0.5")])
def test_a_norm_far_from_1_is_told_for_any_image_of_a_batch(factor, told):
    scan = phantom_scan(32, 2)
    A = operator(lambda x: factor * scan.A(x), lambda y: factor * scan.A.H(y))
    sentence = norm_warning(torch.tensor([0.0, 1.0])[:, None, None, None] * scan.y, A)
    assert sentence is not None and f"got {told}, outside the training range" in sentence
    assert norm_warning(factor * scan.y, operator(lambda x: A(x) / factor, lambda y: A.H(y) / factor)) is None
