"""The parts of a procedural head: layers of tissue on a pixel grid.

A part is a sequence of layers `(tissue, coverage)`, painted one over the other; `coverage` in [0, 1] is the
share of each pixel that the tissue fills. Shapes are distances, positive inside, in units of half the field
of view. Nothing drawn at random knows the grid, so a seed is the same head at every resolution.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from math import cos, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

Array = NDArray[Any]  # float32
Layer = tuple[str, Array]

_PERIOD = 4.0  # of the random fields: twice the field of view


@dataclass(frozen=True)
class Grid:
    """Pixel centres: `rows`, `columns` in the frame of the scanner, `y`, `x` in that of the head."""

    rows: Array
    columns: Array
    y: Array
    x: Array
    pixel: float

    def field(self, rng: np.random.Generator, low: float, high: float, *, symmetric: bool = False) -> Array:
        """Gaussian random field of unit variance, frequencies `low` to `high` in cycles per unit length."""
        columns = np.abs(self.columns) if symmetric else self.columns
        return random_field(rng, self.rows, columns, low, high)

    def cover(self, distance: Array, soft: float = 0.0) -> Array:
        """Part of each pixel that lies inside, for an edge blurred over `soft`."""
        return np.clip(distance / (self.pixel + soft) + 0.5, 0, 1)

    def moved(self, y: float, x: float) -> "Grid":
        """The same pixels, with the origin of the head moved by `(y, x)`."""
        return replace(self, y=self.y - np.float32(y), x=self.x - np.float32(x))

    def ellipse(
        self,
        centre: tuple[float, float],
        radii: tuple[float, float],
        angle: float = 0.0,
        *,
        mirrored: bool = False,
    ) -> Array:
        """Distance to an ellipse; centre and radii are (y, x); `mirrored` adds its image in the midline."""
        y, x = self.y - centre[0], (np.abs(self.x) if mirrored else self.x) - centre[1]
        c, s = cos(angle), sin(angle)
        u, v = (c * y - s * x) / radii[0], (s * y + c * x) / radii[1]
        q = np.sqrt(u * u + v * v) + 1e-6
        return (1 - q) * q / (np.sqrt((u / radii[0]) ** 2 + (v / radii[1]) ** 2) + 1e-6)


def random_field(rng: np.random.Generator, y: Array, x: Array, low: float, high: float) -> Array:
    """Band-limited Gaussian field on the grid `y` times `x` (vectors), as a random Fourier series."""
    count = int(np.ceil(high * _PERIOD)) + 1
    frequency = np.arange(count) / _PERIOD
    radius = np.hypot(frequency[:, None], frequency[None, :])
    band = ((radius >= low) & (radius <= high)).repeat(2, 0).repeat(2, 1)
    coefficients = rng.standard_normal(band.shape) * band * (2 / np.sqrt(max(band.sum(), 1)))

    def basis(t: Array) -> Array:
        angle = 2 * np.pi * t[:, None] * frequency
        return np.stack([np.cos(angle), np.sin(angle)], axis=-1).reshape(len(t), -1).astype(np.float32)

    field: Array = basis(y) @ coefficients.astype(np.float32) @ basis(x).T
    return field


def warped_field(rng: np.random.Generator, y: Array, x: Array, low: float, high: float) -> Array:
    """Like `random_field`, at arbitrary points `(y, x)`."""
    lattice = np.arange(400, dtype=np.float32) * (_PERIOD / 400)
    values = random_field(rng, lattice, lattice, low, high)
    points = np.stack([y, x]) * np.float32(400 / _PERIOD)
    warped: Array = map_coordinates(values, points, np.float32, order=1, mode="grid-wrap", prefilter=False)
    return warped


def union(*distances: Array) -> Array:
    """Inside of at least one shape."""
    return reduce(np.maximum, distances)


def segment(across: Array, beyond: Array) -> Array:
    """Distance to a line with an end, from the distances `across` the line and `beyond` its end."""
    distance: Array = np.sqrt(across**2 + np.maximum(beyond, 0) ** 2)
    return distance


def wobbly(grid: Grid, rng: np.random.Generator, distance: Array, amount: float, high: float = 2.0) -> Array:
    """The same shape with an irregular outline."""
    return distance + amount * grid.field(rng, 0.3, high)


def grain(grid: Grid, rng: np.random.Generator, low: float, depth: float) -> Array:
    """Coverage of a tissue that is not solid, with gaps of relative `depth`."""
    return (1 - depth + depth * grid.field(rng, low, 3 * low)).clip(0, 1)


def scalp_and_skull(grid: Grid, rng: np.random.Generator, head: Array) -> Iterator[Layer]:
    """Skin, fat, galea, and the two tables of the skull with marrow (diploe) between them."""
    variation = grid.field(rng, 0.3, 1.5)
    fat = rng.uniform(0.025, 0.07) * np.exp(0.35 * variation)
    table = rng.uniform(0.012, 0.025)
    diploe = rng.uniform(0.0, 0.035) * np.exp(0.5 * grid.field(rng, 0.3, 2))
    yield "skin", grid.cover(head)
    yield "fat", grid.cover(head - rng.uniform(0.006, 0.015)) * grain(grid, rng, 4, 0.08)
    yield "muscle", grid.cover(head - fat)
    skull = head - fat - rng.uniform(0.0, 0.02)
    yield "bone", grid.cover(skull)
    yield "marrow", grid.cover(skull - table) * grain(grid, rng, 4, 0.2)
    yield "bone", grid.cover(skull - table - diploe)


def soft_tissue(grid: Grid, rng: np.random.Generator, region: Array) -> Iterator[Layer]:
    """What lies under the brain: muscles in fat, bone with marrow, vessels."""
    inside = grid.cover(region)
    mixture = grid.field(rng, 0.8, 3.5, symmetric=True) + 0.5 * grid.field(rng, 1, 6)
    slope = 0.06  # distance per unit of the field
    yield "muscle", inside * grain(grid, rng, 4, 0.12)
    streaks = 0.02 * grid.field(rng, 0.5, 2)
    yield "fat", inside * grid.cover(streaks - slope * np.abs(mixture - 0.1), 0.01) * rng.uniform(0.4, 0.9)
    yield "fat", inside * grid.cover(slope * (mixture - 1.4)) * grain(grid, rng, 4, 0.15)
    structure = grid.field(rng, 1, 4, symmetric=True) + 0.4 * grid.field(rng, 2, 8)
    yield "bone", inside * grid.cover(slope * (structure - 0.9))
    yield "marrow", inside * grid.cover(slope * (structure - 1.3)) * grain(grid, rng, 5, 0.3)
    septa = grid.field(rng, 2.5, 7)
    yield "bone", inside * grid.cover(0.006 - 0.025 * np.abs(septa)) * rng.uniform(0.1, 0.7)
    vessels = slope * 0.5 * (grid.field(rng, 2, 6) - 2.3)
    yield "vessel", inside * grid.cover(vessels)


def cavities(grid: Grid, rng: np.random.Generator, region: Array, body: Array) -> Iterator[Layer]:
    """Nose and sinuses in `region` of `body`: air behind a lining of mucosa, with turbinates."""
    folds = grid.field(rng, 1, 5, symmetric=True) + rng.uniform(-0.2, 0.8)
    region = np.minimum(wobbly(grid, rng, region, 0.04, 4), body - 0.05)
    air = np.minimum(region, 0.07 * folds)
    yield "bone", grid.cover(air + 0.025)
    yield "mucosa", grid.cover(air + 0.015)
    yield "air", grid.cover(air)


def sulci(grid: Grid, rng: np.random.Generator, hull: Array, depth: float) -> Array:
    """Distance from the folded surface of the cortex inside `hull`.

    The sulci are zero lines of a narrow-band random field g that is stretched along the way inward, down to a
    random depth; the distance to a zero line is |g| / |grad g|.
    """
    radius = np.sqrt(grid.x**2 + grid.y**2) + 1e-3
    stretched = np.minimum((0.75 - rng.uniform(0.55, 0.95) * hull) / radius, 1.6)
    bend = rng.uniform(0.03, 0.08)
    y = grid.y * stretched + bend * grid.field(rng, 0.5, 2.5)
    x = grid.x * stretched + bend * grid.field(rng, 0.5, 2.5)
    distance = hull
    for low, high, relative_depth in ((2.2, 4.6, 1.0), (3.6, 6.0, 0.5)):
        g = warped_field(rng, y, x, low, high)
        slope_y, slope_x = np.gradient(g, grid.pixel)
        line = np.abs(g) / (np.sqrt(slope_y**2 + slope_x**2) + 2)
        floor = depth * relative_depth * np.exp(0.5 * grid.field(rng, 0.6, 2.5))
        distance = np.minimum(distance, segment(line, hull - floor))
    return distance


def cortex(grid: Grid, rng: np.random.Generator, hull: Array, fissures: Array, depth: float) -> Iterator[Layer]:
    """Cerebrospinal fluid, the grey ribbon and white matter; `fissures` is the distance from extra clefts."""
    surface = np.minimum(sulci(grid, rng, hull, depth), fissures)
    fluid = rng.uniform(0.002, 0.01) * np.exp(0.9 * grid.field(rng, 0.5, 4))
    ribbon = rng.uniform(0.032, 0.045) * (1 + 0.15 * grid.field(rng, 1, 5))
    soft = rng.uniform(0.005, 0.03)  # a thick slice cuts the ribbon obliquely
    yield "fluid", grid.cover(hull + rng.uniform(0.005, 0.025))
    yield "grey", grid.cover(np.minimum(surface - fluid, hull))
    yield "white", grid.cover(surface - fluid - ribbon, soft)


def fissure(grid: Grid, rng: np.random.Generator, end: float) -> Array:
    """Distance from the midline cleft, which is open where |y| > `end`."""
    line = np.abs(grid.x + 0.008 * grid.field(rng, 0.5, 3))
    return segment(line, end - np.abs(grid.y + 0.05))


def sylvian(grid: Grid, rng: np.random.Generator) -> Array:
    """Distance from the lateral clefts over the insula."""
    y0, x0 = rng.uniform(-0.15, 0.05), rng.uniform(0.33, 0.4)
    length = rng.uniform(0.15, 0.3)
    line = np.abs(grid.x) - x0 - 0.6 * (grid.y - y0) ** 2 + 0.02 * grid.field(rng, 1, 5)
    return segment(line, np.abs(grid.y - y0) - length)


def deep_nuclei(grid: Grid, rng: np.random.Generator, y: float) -> Iterator[Layer]:
    """Thalamus, putamen, pallidum and the head of the caudate around the height `y`."""
    soft = rng.uniform(0.01, 0.03)
    size = rng.uniform(0.85, 1.15)
    thalamus = grid.ellipse((y + 0.1, 0.09), (0.12 * size, 0.075 * size), -0.5, mirrored=True)
    putamen = grid.ellipse((y - 0.06, 0.23), (0.15 * size, 0.04 * size), 0.3, mirrored=True)
    pallidum = grid.ellipse((y - 0.02, 0.175), (0.09 * size, 0.03 * size), 0.4, mirrored=True)
    caudate = grid.ellipse((y - 0.19, 0.11), (0.08 * size, 0.04 * size), -0.2, mirrored=True)
    for name, shape in (("deep", thalamus), ("deep", putamen), ("pallidum", pallidum), ("deep", caudate)):
        yield name, grid.cover(wobbly(grid, rng, shape, 0.008, 4), soft)


def ventricles(grid: Grid, rng: np.random.Generator, y: float, size: float) -> Iterator[Layer]:
    """The butterfly of the lateral ventricles, with choroid plexus, and the slit of the third."""
    for side in (-1, 1):
        length = rng.uniform(0.2, 0.36)
        t = (grid.y - y - rng.uniform(-0.02, 0.02)) / length
        width = size * rng.uniform(0.025, 0.05) * (1 - t**2) * (0.5 + 1.2 * t**2)
        centre = 0.02 + size * 0.03 + rng.uniform(0.05, 0.16) * t**2 + rng.uniform(0, 0.04) * t
        lumen = width - np.abs(side * grid.x - centre)
        lumen = np.minimum(lumen, length * (1 - np.abs(t))) + 0.007 * grid.field(rng, 1, 6)
        yield "fluid", grid.cover(lumen)
        yield (
            "vessel",
            0.5 * grid.cover(np.minimum(lumen - 0.01, 0.03 * grid.field(rng, 3, 8) - 0.03)) * (t > 0),
        )
    slit = np.minimum(rng.uniform(0.004, 0.015) * size - np.abs(grid.x), 0.1 - np.abs(grid.y - y - 0.05))
    yield "fluid", grid.cover(slit)


def cerebellum(grid: Grid, rng: np.random.Generator, shape: Array, centre: float) -> Iterator[Layer]:
    """Grey matter with fine folia in parallel sheets, a white core, fluid around."""
    warp = 0.04 * grid.field(rng, 0.5, 3)
    sheets = grid.y + rng.uniform(0.3, 1.0) * (grid.x - centre) ** 2 + warp
    phase = 2 * np.pi * sheets / rng.uniform(0.05, 0.08) + 0.7 * grid.field(rng, 1, 5)
    folia = (0.5 + 0.5 * np.cos(phase)) ** 3
    yield "fluid", grid.cover(shape + 0.02)
    yield "grey", grid.cover(wobbly(grid, rng, shape, 0.006, 6))
    yield "fluid", grid.cover(shape) * folia * rng.uniform(0.1, 0.45)
    core = shape - rng.uniform(0.08, 0.14) + 0.04 * grid.field(rng, 2, 6)
    yield "white", grid.cover(core, 0.03) * 0.9


def eyes(grid: Grid, rng: np.random.Generator, y: float, x: float) -> Iterator[Layer]:
    """Globes with lens in orbital fat, with optic nerves."""
    radius = rng.uniform(0.11, 0.14)
    yield "fat", grid.cover(grid.ellipse((y + 0.08, x), (0.22, radius + 0.03), 0.2, mirrored=True))
    nerve = np.minimum(0.02 - np.abs(np.abs(grid.x) - x + 0.4 * (grid.y - y)), 0.15 - np.abs(grid.y - y - 0.15))
    yield "muscle", grid.cover(nerve)
    globe = grid.ellipse((y, x), (radius, radius), mirrored=True)
    yield "muscle", grid.cover(globe + 0.012)
    yield "vitreous", grid.cover(globe)
    yield "muscle", grid.cover(grid.ellipse((y - 0.7 * radius, x), (0.025, 0.045), mirrored=True))


def lesions(grid: Grid, rng: np.random.Generator, region: Array) -> Iterator[Layer]:
    """A few blobs in the white matter, in some heads."""
    if rng.random() > 0.35:
        return
    for _ in range(rng.integers(1, 9)):
        centre = rng.uniform(-0.45, 0.45), rng.uniform(-0.35, 0.35)
        radii = 0.012 + rng.exponential(0.012), 0.012 + rng.exponential(0.012)
        blob = wobbly(grid, rng, grid.ellipse(centre, radii, rng.uniform(0, np.pi)), 0.005, 8)
        blob = np.minimum(blob, region - 0.1)
        yield "lesion", grid.cover(blob, 0.01) * rng.uniform(0.5, 1)


def vessels(grid: Grid, rng: np.random.Generator, region: Array) -> Iterator[Layer]:
    """Small round cross sections near the surface of the brain."""
    for _ in range(rng.integers(0, 6)):
        angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.7, 1.0)
        centre = 0.76 * depth * cos(angle), 0.6 * depth * sin(angle)
        radius = rng.uniform(0.004, 0.012)
        yield "vessel", grid.cover(np.minimum(grid.ellipse(centre, (radius, radius)), region + 0.02))


def outline(grid: Grid, rng: np.random.Generator, radii: tuple[float, float]) -> Array:
    """A skull seen from any side: an ellipse, flattened, egg-shaped and slightly irregular."""
    v = grid.y / radii[0]
    u = grid.x / (radii[1] * (1 + rng.uniform(0.0, 0.16) * v.clip(-1.2, 1.2)))
    power = rng.uniform(2.0, 2.4)
    q = (np.abs(v) ** power + np.abs(u) ** power + 1e-9) ** (1 / power)
    radius: Array = np.sqrt(grid.x**2 + grid.y**2)
    return wobbly(grid, rng, radius * (1 / q - 1), 0.006, 1.5)


def column(grid: Grid, rng: np.random.Generator, centre: float, width: float) -> Array:
    """Face and neck: a column from the skull to the lower edge."""
    half_width = width * (1 + 0.1 * grid.field(rng, 0.3, 1)) - np.abs(grid.x - centre)
    return np.minimum(half_width, grid.y + 0.2)


def beyond_coil(grid: Grid) -> Iterator[Layer]:
    """The signal of the neck fades towards the lower edge."""
    yield "air", ((grid.rows[:, None] - 0.8) / 0.2).clip(0, 0.9)
