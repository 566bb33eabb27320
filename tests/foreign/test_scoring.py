"""Adapted reconstructors through the rest: rows, diagnosis, and the command line."""

import json
import math
from dataclasses import replace

import pytest
import torch

import smug.cli
from smug.data.simulate import Acquisition
from smug.diagnosis import diagnose
from smug.evaluation.conditions import Condition, Perturbed, clean, noisy_relative
from smug.evaluation.datasets import simulated_set
from smug.evaluation.scoring import score
from smug.foreign import fastmri_network, image_network, numpy_function
from smug.physics.fourier import ifft2c
from smug.physics.sense import Sense
from smug.shifts import lesion

FILE = """
import torch
from smug import foreign

torch.manual_seed(0)
reconstruct = foreign.image_network(torch.nn.Conv2d(2, 2, 3, padding=1), foreign.peak)
"""


def root_sum_of_squares(kspace, mask):
    return torch.linalg.vector_norm(ifft2c(torch.view_as_complex(kspace)), dim=1)


@pytest.fixture(scope="module")
def scan():
    return simulated_set("phantom", "test", 32, Acquisition(coils=2, acceleration=2), count=1).scans[0]


def test_magnitudes_have_rows_without_a_complex_psnr(scan):
    models = {"magnitude": fastmri_network(root_sum_of_squares)}
    for row in score(models, [clean(), noisy_relative(0.05)], [scan]):
        assert math.isfinite(row.psnr)
        assert math.isnan(row.psnr_complex)
    assert row.gain > 0


def test_a_magnitude_that_shows_a_lesion_recovers_all_of_it(scan):
    full = Sense(torch.ones_like(scan.A.mask), scan.A.maps)
    scan, seeds = replace(scan, A=full, y=full(scan.truth)), torch.tensor([3])
    added = lesion(scan, 0.3, seeds) * torch.tensor(1j)  # changes the magnitude less than the image
    made = Perturbed(replace(scan, y=full(scan.truth + added), target=scan.truth + added), feature=added)
    condition = Condition("lesion", "a lesion", lambda f, scan, seeds: made, "")
    (row,) = score({"magnitude": fastmri_network(root_sum_of_squares)}, [condition], [scan])
    assert row.feature == pytest.approx(1, abs=1e-4)


def test_the_diagnosis_takes_magnitudes(scan):
    threat = smug.Threat(0.02, "l2", "kspace-l2")
    assert not diagnose(fastmri_network(root_sum_of_squares), scan, threat).unreliable


def test_the_diagnosis_tells_that_there_is_no_gradient(scan):
    f = numpy_function(lambda kspace, mask, maps: kspace.sum(0))
    found = diagnose(f, scan, smug.Threat(0.02, "l2", "kspace-l2"))
    assert [flag.name for flag in found.flags] == ["zero-gradient"]


def test_a_file_with_an_adapter_is_a_model(tmp_path):
    (tmp_path / "theirs.py").write_text(FILE)
    out = tmp_path / "out.json"
    model = f"{tmp_path / 'theirs.py'}:reconstruct"
    arguments = ["--model", model, "--data", "phantom", "--size", "32", "--max-slices", "1", "--protocol", "clean"]
    assert not smug.cli.main(["evaluate", *arguments, "--json", str(out)])
    rows = json.loads(out.read_text())["rows"]
    (scan,) = simulated_set("phantom", "test", 32, Acquisition(), count=1).scans
    torch.manual_seed(0)
    f = image_network(torch.nn.Conv2d(2, 2, 3, padding=1), smug.foreign.peak)
    expected = smug.metrics.psnr(f(scan.y, scan.A), scan.truth).item()
    assert rows[0]["psnr"] == pytest.approx(expected, rel=1e-5)
