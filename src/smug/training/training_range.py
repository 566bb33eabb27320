"""The training range: what a network has seen, and so what its weights are for."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

from smug.training.config import DataConfig


@dataclass(frozen=True)
class TrainingRange:
    """What weights were trained on: every value that occurred.

    ``matrices`` ``(y, x)`` and ``coils`` are those of k-space; ``accelerations`` and ``masks``, as in
    :class:`smug.data.simulate.Acquisition`, those that were asked for; ``noise`` the levels that were simulated, where
    measured k-space, which has its own, adds none. ``zoomed`` are the sides of the square images from which the
    matrices were cropped: pixels were as fine as theirs.
    """

    sources: tuple[str, ...]
    matrices: tuple[tuple[int, int], ...]
    coils: tuple[int, ...]
    accelerations: tuple[float, ...]
    masks: tuple[str, ...]
    noise: tuple[float, ...] = ()
    zoomed: tuple[int, ...] = ()

    @classmethod
    def of(cls, data: DataConfig) -> Self:
        """Return the range of a configuration whose sources all are images."""
        acquisition = data.acquisition
        return cls(
            sources=tuple(dict.fromkeys(Path(source).name for source in data.sources)),
            matrices=((data.size, data.size),),
            coils=(acquisition.coils,),
            accelerations=(acquisition.acceleration,),
            masks=(acquisition.mask,),
            noise=(acquisition.noise,),
            zoomed=tuple(sorted({zoom * data.size for zoom in data.zooms})),
        )

    def __or__(self, other: Self) -> Self:
        """Return the range of what occurred in either."""
        values = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        return type(self)(**{name: tuple(sorted(set(found))) for name, found in values.items()})

    def has_matrix(self, height: int, width: int) -> bool:
        """Tell whether a matrix occurred, or its pixels: its sides are between those of the zoomed images."""
        between = bool(self.zoomed) and min(self.zoomed) <= min(height, width) <= max(height, width) <= max(self.zoomed)
        return between or (height, width) in self.matrices

    def to_json(self) -> str:
        """Return it as the text of a JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what :meth:`to_json` wrote; raises ValueError for anything else.

        >>> TrainingRange.from_json(TrainingRange.of(DataConfig()).to_json()) == TrainingRange.of(DataConfig())
        True
        """
        try:
            values = json.loads(text)
            return cls(
                sources=tuple(map(str, values["sources"])),
                matrices=tuple((int(height), int(width)) for height, width in values["matrices"]),
                coils=tuple(map(int, values["coils"])),
                accelerations=tuple(map(float, values["accelerations"])),
                masks=tuple(map(str, values["masks"])),
                noise=tuple(map(float, values["noise"])),
                zoomed=tuple(map(int, values["zoomed"])),
            )
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"expected the JSON of a training range, got {text[:60]!r}: {error}") from None
