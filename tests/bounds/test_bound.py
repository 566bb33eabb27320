import math

import pytest

from smug.bounds.bound import Certified, Estimate, LowerBound, certificate

SIZE = "||F(y + d) - F(y)||"


def test_only_what_is_proved_is_printed_as_a_certificate():
    proved = Certified(2.0, SIZE, ("a", "b"))
    assert certificate(proved) == f"certified <= 2: {SIZE}; assuming a, b"
    for other in (Estimate(2.0, SIZE), LowerBound(2.0, SIZE)):
        assert "certif" not in str(other)
        with pytest.raises(TypeError, match=type(other).__name__):
            certificate(other)


@pytest.mark.parametrize("kind", [Estimate, LowerBound])
def test_a_statement_cannot_smuggle_the_word_in(kind):
    with pytest.raises(ValueError, match="no certificate"):
        kind(1.0, "Certified error")


def test_chance_is_said():
    assert "with confidence 95 %" in str(Certified(1.0, SIZE, (), 0.05))
    with pytest.raises(ValueError, match="alpha"):
        Certified(1.0, SIZE, (), 1.0)


def test_infinite_upper_bounds_are_vacuous_and_infinite_lower_bounds_are_not():
    assert Certified(math.inf, SIZE, ()).vacuous
    assert Estimate(math.nan, SIZE).vacuous
    assert not LowerBound(math.inf, SIZE).vacuous
    assert "(vacuous)" in str(Certified(1.0, SIZE, (), vacuous=True))
