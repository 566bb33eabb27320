import math
import subprocess
import sys

import pytest
import torch

from smug import comparison
from smug.attacks import Threat
from smug.attacks.presets import fast
from smug.data.simulate import Acquisition
from smug.evaluation.conditions import known_noise, worst_case
from smug.evaluation.datasets import simulated_set
from smug.evaluation.protocols import PROTOCOLS, protocol
from smug.evaluation.scoring import score
from smug.models.classical import CGSense
from smug.models.reconstructors import SMUG, MoDL
from smug.models.smoothing import Smoothing

STOCHASTIC = SMUG(lambda x: 0.9 * x + 0.1 * x * x.abs(), Smoothing(sigma=0.05, num_samples=2), steps=2)


@pytest.fixture(scope="module")
def scan():
    return simulated_set("phantom", "test", 32, Acquisition(coils=2), count=1).scans[0]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_conditions_have_different_names_and_recipes(name):
    conditions = PROTOCOLS[name].conditions
    assert conditions[0].name == "clean"
    assert len({c.name for c in conditions}) == len({c.recipe for c in conditions}) == len(conditions)


def test_fast_sets_the_attack_beside_noise_of_its_norm(scan):
    rows = score({"cg": CGSense()}, protocol("fast", (0.02,)).conditions, [scan])
    clean, noise, in_range, attack = rows
    assert (clean.condition, noise.condition) == ("clean", "noise 2%")
    assert (in_range.condition, attack.condition) == ("noise in range 2%", "fast l2 0.02")
    assert [row.relative_l2 for row in rows[1:]] == pytest.approx([0.02] * 3, rel=1e-4)
    assert clean.psnr > noise.psnr > attack.psnr < in_range.psnr
    assert noise.gain < attack.gain > in_range.gain
    assert attack.attack == "noise-free"
    assert noise.range_fraction < in_range.range_fraction


def test_a_stochastic_reconstructor_is_scored_on_fresh_draws(scan):
    fast_one = protocol("fast", (0.02,))
    rows = score({"f": STOCHASTIC}, fast_one.conditions, [scan], draws=fast_one.draws)
    assert all(row.psnr_sd > 0 for row in rows)
    assert math.isfinite(rows[-1].optimism)
    assert rows[-1].attack in ("noise-free", "noisy")


def test_who_knows_the_noise_does_at_least_as_much_damage(scan):
    condition = worst_case(Threat(0.05, "l2", "kspace-l2"), "fast", fast)
    loud = STOCHASTIC.replace(sigma=0.3)
    rows = score({"f": loud, "modl": MoDL(lambda x: x, steps=2)}, [condition, known_noise(condition)], [scan])
    assert [(row.model, row.condition) for row in rows] == [
        ("f", "fast l2 0.05"),
        ("f", "fast l2 0.05, known noise"),
        ("modl", "fast l2 0.05"),
    ]
    assert rows[1].psnr_sd == 0


def test_every_shift_of_the_protocol_can_be_scored(scan):
    rows = score({"f": MoDL(lambda x: 0.9 * x, steps=2), "cg": CGSense()}, PROTOCOLS["shifts"].conditions, [scan])
    names = {model: [row.condition for row in rows if row.model == model] for model in ("f", "cg")}
    assert "steps 16" in names["f"]
    assert not any(name.startswith(("steps", "sigma")) for name in names["cg"])
    assert not any(name.startswith("sigma") for name in names["f"])
    lesions = [row for row in rows if row.condition.startswith("lesion")]
    assert all(math.isfinite(row.feature) for row in lesions)
    assert all(math.isfinite(row.psnr) for row in rows)


@pytest.mark.parametrize(
    ("name", "epsilons", "message"),
    [
        ("quick", (), "protocol: expected one of clean, .*, got 'quick'"),
        ("paper", (0.01,), "epsilon: protocol 'paper' has sizes of its own; fast, standard take others"),
        ("fast", (0.0,), "epsilon: expected positive numbers"),
        ("fast", (math.inf,), "epsilon: expected positive numbers"),
    ],
)
def test_what_makes_no_protocol_is_refused(name, epsilons, message):
    with pytest.raises(ValueError, match=message):
        protocol(name, epsilons)


def test_sizes_are_in_order_and_only_once():
    names = [condition.name for condition in protocol("fast", (0.02, 0.01, 0.02)).conditions]
    assert [name for name in names if name.startswith("fast")] == ["fast l2 0.01", "fast l2 0.02"]


def test_a_diagnosis_marks_the_attacked_rows_of_its_model():
    def rounded(y, A):
        return torch.view_as_complex((torch.view_as_real(A.H(y)) * 1000).round() / 1000)

    test = simulated_set("phantom", "test", 32, Acquisition(coils=2), count=1)
    with pytest.warns(UserWarning, match="rounded has a gradient of zero"):
        result = comparison.evaluate({"cg": CGSense(0.1), "rounded": rounded}, test, "fast", epsilons=(0.05,))
    flags = {(row.model, row.condition): row.flags for row in result.rows if row.flags}
    assert flags == {("rounded", "fast l2 0.05"): ("zero-gradient",)}
    assert result.document["diagnoses"]["cg"]["flags"] == []
    assert result.document["diagnoses"]["rounded"]["flags"] == ["zero-gradient"]


def test_recipes_are_the_same_in_every_process():
    recipes = "[c.recipe for p in PROTOCOLS.values() for c in p.conditions]"
    code = f"from smug.evaluation.protocols import PROTOCOLS; print({recipes})"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    one = f"{[c.recipe for p in PROTOCOLS.values() for c in p.conditions]}\n"
    assert one == other
    assert " at 0x" not in one
    assert "gaussian" in one


def test_fast_sees_smoothing_that_ignores_its_seeds(scan):
    class Loose(type(STOCHASTIC)):
        def __call__(self, y, A, generator=None):
            x = super().__call__(y, A, generator)
            return x if self.smoothing.num_samples == 0 else x + torch.randn_like(x)

    loose = Loose(STOCHASTIC.denoiser, STOCHASTIC.smoothing, steps=2)
    fast_one = protocol("fast", (0.02,))
    with torch.random.fork_rng():
        assert [flag.name for flag in fast_one.diagnose(loose, scan).flags] == ["random-output"]
