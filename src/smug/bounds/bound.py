"""What a number about robustness is worth: proved, estimated, or reached by an example.

>>> proved = Certified(2.5, "||F(y + d) - F(y)|| for every ||d|| <= 1", ("exact arithmetic",))
>>> print(proved)
certified <= 2.5: ||F(y + d) - F(y)|| for every ||d|| <= 1
>>> print(Estimate(2.5, "||F(y + d) - F(y)|| for every ||d|| <= 1"))
estimate 2.5 (not proved): ||F(y + d) - F(y)|| for every ||d|| <= 1
"""

import math
from dataclasses import KW_ONLY, dataclass
from typing import TypeAlias

from smug.system.arguments import check_arguments

FROZEN = ("scale, mask and coil maps are frozen", "the same noise on both sides", "exact arithmetic and solves")
"""What every deterministic bound assumes of ``F(y)`` and ``F(y + d)``."""


@dataclass(frozen=True)
class Certified:
    """A quantity is proved to be at most ``value``, under ``assumptions``.

    ``statement`` names the quantity in words, without the value. It holds with probability at least ``1 - alpha``
    over the draws that made the certificate; 0 is a proof without chance. ``vacuous``: it says no more than what is
    known for free; a value that is not finite always is. ``name`` is short, for tables. Raises ValueError for an alpha
    outside [0, 1).
    """

    value: float
    statement: str
    assumptions: tuple[str, ...]
    alpha: float = 0.0
    _: KW_ONLY
    name: str = ""
    vacuous: bool = False

    def __post_init__(self) -> None:
        """Check the confidence."""
        if not 0 <= self.alpha < 1:
            raise ValueError(f"alpha: expected a probability in [0, 1), got {self.alpha}")
        _vacuous_unless_finite(self)

    def __str__(self) -> str:
        """Say what is proved."""
        chance = f" with confidence {100 * (1 - self.alpha):g} %" if self.alpha else ""
        return f"certified{chance} <= {self.value:.4g}{_remark(self)}: {self.statement}"


@dataclass(frozen=True)
class Estimate:
    """A quantity is about ``value``: a bound with a step that is not proved, which ``assumptions`` name.

    Raises ValueError for a statement that speaks of certificates.
    """

    value: float
    statement: str
    assumptions: tuple[str, ...] = ()
    _: KW_ONLY
    name: str = ""
    vacuous: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError for a statement that claims a proof."""
        _refuse_certificate(self)
        _vacuous_unless_finite(self)

    def __str__(self) -> str:
        """Say that it is not proved."""
        return f"estimate {self.value:.4g} (not proved){_remark(self)}: {self.statement}"


@dataclass(frozen=True)
class LowerBound:
    """A quantity is at least ``value``, because an example reaches it.

    Raises ValueError for a statement that speaks of certificates.
    """

    value: float
    statement: str
    assumptions: tuple[str, ...] = ()
    _: KW_ONLY
    name: str = ""
    vacuous: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError for a statement that claims a proof."""
        _refuse_certificate(self)

    def __str__(self) -> str:
        """Say what is reached."""
        return f"at least {self.value:.4g}{_remark(self)}: {self.statement}"


Bound: TypeAlias = Certified | Estimate | LowerBound
"""A number about robustness."""


@check_arguments
def certificate(bound: Bound) -> str:
    """Return a certificate in words, with its assumptions; raises TypeError for an Estimate or a LowerBound."""
    if not isinstance(bound, Certified):
        raise TypeError(f"certificate: expected something proved, got an {type(bound).__name__}: {bound}")
    return "; assuming ".join((str(bound), ", ".join(bound.assumptions))) if bound.assumptions else str(bound)


def _remark(bound: Bound) -> str:
    return " (vacuous)" if bound.vacuous else ""


def _refuse_certificate(bound: Estimate | LowerBound) -> None:
    if "certif" in bound.statement.lower():
        raise ValueError(f"statement: {type(bound).__name__} is no certificate, got {bound.statement!r}")


def _vacuous_unless_finite(bound: Certified | Estimate) -> None:
    if not math.isfinite(bound.value):
        object.__setattr__(bound, "vacuous", True)
