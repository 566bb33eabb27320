"""The first images of batches that come again, which need not be made again."""

from torch import Tensor

from smug.data.scan import Scan
from smug.models.noise import Seeds
from smug.models.reconstructors import FirstImage
from smug.physics.operator import Operator


class FirstImages:
    """What a reconstructor that does not learn makes of every batch, kept in the memory of the processor.

    A first image that is reconstructed takes most of the time of an update; with ``data.cycle`` it is made once. Those
    of other measurements, such as attacks make, are made anew.
    """

    def __init__(self, first: FirstImage, cycle: int) -> None:
        self._first, self._cycle = first, cycle
        self._kept: dict[tuple[int, int], Tensor] = {}

    def of(self, number: int, part: int, scan: Scan) -> FirstImage:
        """Return what makes the first image of a part of the batch of an update, which is ``scan``."""
        place = (number % self._cycle, part)

        def first(y: Tensor, A: Operator, generator: Seeds) -> Tensor:
            if y is not scan.y:
                return self._first(y, A, generator)
            if place not in self._kept:
                self._kept[place] = self._first(y, A, generator).detach().cpu()
            return self._kept[place].to(y.device)

        return first
