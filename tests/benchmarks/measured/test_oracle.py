import math

import pytest
import torch

from benchmarks.measured.cases import Case, full_scan, head_psnr, reconstructed
from benchmarks.measured.oracle import CONVERGED, FAMILIES, RATIO, Best, Family, best_lam, best_of
from smug.models.classical import CGSense, TotalVariation

CPU = torch.device("cpu")


def hill(top, seen=None):
    """A quality with one top, not symmetric about it."""

    def quality(lam):
        if seen is not None:
            seen.append(lam)
        distance = math.log(lam / top)
        return 30 - distance**2 - 0.1 * distance**3 * (abs(distance) < 1)

    return quality


@pytest.mark.parametrize("top", [3e-5, 0.0011, 0.002, 0.0027, 0.9])
def test_the_top_is_found_wherever_it_lies(top):
    seen = []
    best = best_lam(hill(top, seen), start=0.002, limits=(1e-6, 10))
    assert math.isclose(best.lam, top, rel_tol=0.1) and not best.at_limit
    assert best.psnr == max(map(hill(top), seen))
    assert min(seen) <= best.lam / RATIO**0.5 and max(seen) >= best.lam * RATIO**0.5  # not at the end of the grid
    assert len(seen) == len(set(seen)) <= 5 + abs(math.log2(top / 0.002))


@pytest.mark.parametrize(("sign", "limit"), [(1, 8 * 0.01), (-1, 0.01 / 8)])
def test_without_a_top_the_limit_is_reached_and_told(sign, limit):
    best = best_lam(lambda lam: sign * lam, start=0.01, limits=(0.01 / 8, 0.01 * 8))
    assert (best.lam, best.at_limit) == (pytest.approx(limit), True)


def test_a_flat_quality_ends():
    assert best_lam(lambda lam: 20.0, start=0.01, limits=(1e-6, 10)) == Best(0.01, 20.0)


def test_what_is_not_finite_is_refused():
    with pytest.raises(ValueError, match=r"expected a finite PSNR at 0\.01, got nan"):
        best_lam(lambda lam: math.nan, start=0.01, limits=(1e-6, 10))


@pytest.mark.parametrize("name", FAMILIES)
def test_no_other_lam_is_better(name, write, tmp_path):
    case = Case("head", 3, "random", 0, full_scan(write(tmp_path / "head.h5", size=48, noise=0.03)))
    family = FAMILIES[name]

    def quality(model):
        return head_psnr(reconstructed(case, model, CPU)[0], case.full)

    best = best_of(family, quality)
    others = [quality(family.make(best.lam * factor, best.more)) for factor in (0.25, 0.5, 0.8, 1.25, 2, 4)]
    assert best.psnr >= max(others) - CONVERGED and max(others) - min(others) > 0.3
    assert best.psnr == pytest.approx(quality(family.make(best.lam, best.more)), abs=1e-9)


def test_iterations_are_doubled_until_that_changes_nothing():
    class Slow:
        def __init__(self, lam, more):
            self.lam, self.more = lam, more

    best = best_of(
        Family(Slow, start=0.01, limits=(1e-6, 10), iterative=True),
        lambda model: hill(0.01)(model.lam) - 0.3 / model.more,
    )
    assert best.more == 8 and best.change == pytest.approx(0.3 / 16) and best.change <= CONVERGED
    assert best.psnr == pytest.approx(30 - 0.3 / 8)


def test_weak_regularisation_gets_more_iterations():
    make = FAMILIES["tv"].make
    assert make(0.001, 1) == TotalVariation(0.001, 500) and make(0.001, 2) == TotalVariation(0.001, 1000)
    assert make(0.1, 1).iterations == 200 and make(1e-9, 1).iterations == 20_000
    assert FAMILIES["cg-sense"].make(0.1, 2) == CGSense(0.1)
