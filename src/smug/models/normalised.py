"""The scale of the measurements: networks see images of magnitude about 1, users keep their units."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from smug.models.noise import Seeds
from smug.physics.operator import Operator, check_measurements
from smug.physics.parts import per_slice
from smug.physics.scale import measurement_scale
from smug.reconstructor import Reconstructor, Wrapper, described, taking_generator
from smug.system.arguments import check_arguments
from smug.system.user_code import copied


@dataclass(frozen=True, eq=False)
class Normalised(Wrapper):
    """A reconstructor of measurements in any unit, made from one of normalised measurements.

    ``f(c y, A) = c f(y, A)`` for real c > 0 at equal noise. ``scale`` gives the unit, from y alone; pass
    ``lambda y, A: s`` to hold one scale for a whole volume.
    """

    reconstructor: Reconstructor
    scale: Callable[[Tensor, Operator], Tensor] = measurement_scale

    def __call__(self, y: Tensor, A: Operator, generator: Seeds = None) -> Tensor:
        """Reconstruct measurements ``(batch, ...)`` in their own units."""
        A = check_measurements(y, A)
        scale = self.scale(y, A) if self.scale is measurement_scale else self.scale(copied(y), copied(A))
        return scale * taking_generator(self.reconstructor)(y / per_slice(scale, y), A, generator=generator)

    def unscaled(self) -> Reconstructor:
        """Return the reconstructor of normalised measurements."""
        return described(self.reconstructor).unscaled()


@check_arguments
def normalised(reconstructor: Reconstructor) -> Normalised:
    """Wrap a reconstructor so that it takes measurements in any unit and answers in the same."""
    return Normalised(reconstructor)
