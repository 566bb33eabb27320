"""How much a denoiser can change a difference: the ball that ``D(x') - D(x)`` lies in."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Sector:
    """A proved property of a map D: ``||D(x') - D(x) - centre e|| <= radius ||e||`` for all x and x', ``e = x' - x``.

    ``centre = (low + high) / 2`` and ``radius = (high - low) / 2``.
    A linear symmetric D has its eigenvalues in ``[low, high]``. ``Sector(-L, L)`` is Lipschitz with constant L,
    ``Sector(1 - rho, 1 + rho)`` is ``Lip(D - I) <= rho``, ``Sector(0, 1)`` is firmly nonexpansive and
    ``Sector(1 - 2 alpha, 1)`` alpha-averaged. Convex combinations, shifts of the input, and so smoothing with the same
    noise on both sides keep the sector. Raises ValueError unless ``|low| <= high``.

    >>> step = Sector(0, 1)  # x minus the gradient of a convex function with a Lipschitz constant of 1
    >>> twice = step.then(step)
    >>> round(twice.low, 3), twice.high
    (-0.333, 1)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        """Check the order."""
        if not abs(self.low) <= self.high < math.inf:
            raise ValueError(f"sector: expected finite |low| <= high, got low {self.low} and high {self.high}")

    @property
    def centre(self) -> float:
        """The multiple of the identity that the map is nearest to."""
        return (self.low + self.high) / 2

    @property
    def radius(self) -> float:
        """The Lipschitz constant of the map minus ``centre`` times the identity."""
        return (self.high - self.low) / 2

    @property
    def lipschitz(self) -> float:
        """The Lipschitz constant of the map."""
        return self.high

    @property
    def residual(self) -> float:
        """The Lipschitz constant of the map minus the identity."""
        return max(1 - self.low, self.high - 1)

    def then(self, after: "Sector") -> "Sector":
        """Return the sector of ``after`` applied to what this map returns.

        ``D / high`` is alpha-averaged with ``x = alpha / (1 - alpha) = (high - low) / (high + low)``, which means
        ``||w||^2 <= ||e||^2 - ||e - w||^2 / x`` for the difference ``w`` that it makes of ``e``. For two such maps the
        inequalities add up, and ``||a||^2 / x_1 + ||b||^2 / x_2 >= ||a + b||^2 / (x_1 + x_2)``: their composition has
        ``x = x_1 + x_2`` (Combettes and Yamada 2015).
        """
        high = self.high * after.high
        if high == 0 or self.low == -self.high or after.low == -after.high:
            return Sector(-high, high)
        x = sum((part.high - part.low) / (part.high + part.low) for part in (self, after))
        return Sector(high * (1 - x) / (1 + x), high)
