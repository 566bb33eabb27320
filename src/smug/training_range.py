"""The training range: the kinds of scans that a network was trained on, and so what its weights are for.

Every field has its check at use in :data:`smug.range_checks.CHECKS`.
"""

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import Self


@dataclass(frozen=True)
class TrainingRange:
    """What weights were trained on: every value that occurred.

    ``matrices`` ``(y, x)`` and ``coils`` are those of k-space. ``zoomed`` are the sides of the square images from which
    the matrices were cropped: pixels were as fine as theirs. ``accelerations``, ``center_fractions`` (of line masks)
    and ``masks``, as in :class:`smug.data.acquisition.Acquisition`, are those that were asked for;
    ``acceleration_spans`` are pairs (lowest, highest) of which all between were asked for. ``noise``, ``phases``,
    ``profile_widths`` and ``backgrounds`` are those that were simulated; measured k-space has its own noise and
    profiles, which add none, and any phase, which adds pi. ``maps`` are "exact" where simulated ones were handed out,
    or how they were estimated. A field without values is not known, and nothing is outside it.
    """

    sources: tuple[str, ...]
    matrices: tuple[tuple[int, int], ...]
    coils: tuple[int, ...]
    accelerations: tuple[float, ...]
    masks: tuple[str, ...]
    noise: tuple[float, ...] = ()
    zoomed: tuple[int, ...] = ()
    center_fractions: tuple[float, ...] = ()
    phases: tuple[float, ...] = ()
    profile_widths: tuple[float, ...] = ()
    acceleration_spans: tuple[tuple[float, float], ...] = ()
    maps: tuple[str, ...] = ()
    backgrounds: tuple[float, ...] = ()

    def __or__(self, other: Self) -> Self:
        """Return the union of two ranges."""
        values = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        return type(self)(**{name: tuple(sorted(set(found))) for name, found in values.items()})

    def has_matrix(self, height: int, width: int) -> bool:
        """Tell whether a matrix occurred in training or has sides within the range that zooming covered."""
        between = bool(self.zoomed) and min(self.zoomed) <= min(height, width) <= max(height, width) <= max(self.zoomed)
        return between or (height, width) in self.matrices

    def completed(self, asked: Self) -> Self:
        """Return the range with the values that files of earlier versions do not hold.

        ``asked`` is the range of their configuration. All of these values are its own where everything else is: then
        all data were images. Of other data only the calibration lines are those that the configuration asked for.
        """
        if any(getattr(self, name) for name in LATER):
            return self
        values = {name: getattr(asked, name) for name in LATER}
        of_images = replace(self, **values)
        return of_images if of_images == asked else replace(self, center_fractions=asked.center_fractions)

    def to_json(self) -> str:
        """Return it as the text of a JSON object."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what :meth:`to_json` wrote, of this or an older version; raises ValueError for anything else.

        >>> found = TrainingRange(("knees",), ((320, 320),), (15,), (4.0,), ("random",), center_fractions=(0.08,))
        >>> TrainingRange.from_json(found.to_json()) == found
        True
        """
        try:
            values = json.loads(text)
            numbers = {name: tuple(map(float, values.get(name, ()))) for name in LATER if name != "maps"}
            return cls(
                sources=tuple(map(str, values["sources"])),
                matrices=tuple((int(height), int(width)) for height, width in values["matrices"]),
                coils=tuple(map(int, values["coils"])),
                accelerations=tuple(map(float, values["accelerations"])),
                masks=tuple(map(str, values["masks"])),
                noise=tuple(map(float, values["noise"])),
                zoomed=tuple(map(int, values["zoomed"])),
                maps=tuple(map(str, values.get("maps", ()))),
                acceleration_spans=tuple((float(a), float(b)) for a, b in values.get("acceleration_spans", ())),
                **numbers,
            )
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ValueError(f"expected the JSON of a training range, got {text[:60]!r}: {error}") from None


LATER = ("center_fractions", "phases", "profile_widths", "maps", "backgrounds")
"""Fields that files from before version 0.2 do not have."""
