"""A procedural head phantom: random MR and CT slices that need no data."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray

from smug.data.anatomy import (
    Array,
    Grid,
    Layer,
    beyond_coil,
    cavities,
    cerebellum,
    column,
    cortex,
    deep_nuclei,
    eyes,
    fissure,
    lesions,
    outline,
    scalp_and_skull,
    segment,
    soft_tissue,
    sylvian,
    union,
    ventricles,
    vessels,
    wobbly,
)
from smug.system.arguments import check_arguments, check_integer

_FINER = 2  # the anatomy is drawn on a grid this much finer, then k-space is cropped

# Signal of each tissue by weighting: T1, T2, FLAIR, proton density.
_TISSUES: Mapping[str, tuple[float, float, float, float]] = {
    "air": (0.00, 0.00, 0.00, 0.00),
    "skin": (0.45, 0.35, 0.35, 0.50),
    "fat": (1.30, 0.85, 0.45, 0.95),
    "muscle": (0.38, 0.22, 0.30, 0.50),
    "bone": (0.04, 0.04, 0.05, 0.06),
    "marrow": (0.70, 0.35, 0.25, 0.45),
    "mucosa": (0.45, 0.80, 0.70, 0.75),
    "fluid": (0.14, 1.00, 0.10, 0.70),
    "grey": (0.42, 0.52, 0.80, 0.85),
    "white": (0.58, 0.33, 0.62, 0.65),
    "deep": (0.49, 0.42, 0.70, 0.75),
    "pallidum": (0.55, 0.27, 0.55, 0.60),
    "vessel": (0.20, 0.08, 0.15, 0.20),
    "vitreous": (0.16, 1.10, 0.12, 0.75),
    "lesion": (0.32, 0.80, 1.10, 0.95),
}

# Attenuation of each tissue in parts of that of water, and by how much it differs between heads.
_ATTENUATION: Mapping[str, tuple[float, float]] = {
    "air": (0.000, 0.00),
    "skin": (1.060, 0.01),
    "fat": (0.910, 0.01),
    "muscle": (1.050, 0.01),
    "bone": (1.900, 0.15),
    "marrow": (1.250, 0.08),
    "mucosa": (1.030, 0.01),
    "fluid": (1.005, 0.003),
    "grey": (1.037, 0.003),
    "white": (1.029, 0.003),
    "deep": (1.036, 0.003),
    "pallidum": (1.040, 0.005),
    "vessel": (1.150, 0.06),  # with contrast agent, more or less of it
    "vitreous": (1.010, 0.003),
    "lesion": (1.040, 0.03),  # of less blood, or of more
}


@check_arguments
def head_phantom(seed: int, size: int | tuple[int, int] = 128, *, noise: float = 0.0) -> torch.Tensor:
    """Random MR head slice, complex64 `(y, x)`, largest magnitude 1 (before noise).

    Each seed is another head: plane and level of the slice, pose, anatomy (scalp, skull, folded cortex,
    ventricles, deep nuclei, cerebellum, face, lesions), contrast (T1-, T2-, FLAIR- or PD-like), texture,
    receive field and smooth phase. The same seed at another `size` is the same head at another resolution.
    Pixels are square; the shorter side of `size`, `(y, x)` or one number for both, spans the field of view.
    `noise` is the standard deviation, per real and imaginary part, of white Gaussian noise added at the end.

    The head is drawn on a grid twice as fine and its k-space cropped, so that partial volume and ringing are
    those of a scan. It is a training and test image, not a model of anatomy, relaxation or a sequence.
    K-space computed from it is simulated, a "data crime": results on it alone say nothing of measured data.

    Raises `ValueError` if a side of `size` is below 16 or `noise` is negative.

    >>> head_phantom(0, 64).shape
    torch.Size([64, 64])
    """
    height, width = size if isinstance(size, tuple) else (size, size)
    _check_sides(height, width)
    if not noise >= 0:
        raise ValueError(f"got noise {noise}, expected a standard deviation >= 0")
    check_integer("seed", seed, 0)
    rng = np.random.default_rng([seed, 0])
    grid = _posed_grid(rng, height * _FINER, width * _FINER)
    magnitude = _textured(_painted(grid, rng, _contrast(rng)), grid, rng) * _receive_field(grid, rng)
    image = _crop_kspace(magnitude * np.exp(1j * _phase(grid, rng)), height, width)
    image /= np.abs(image).max()
    if noise:
        white = np.random.default_rng([seed, 1]).standard_normal((2, height, width))
        image = image + noise * (white[0] + 1j * white[1])
    return torch.from_numpy(image.astype(np.complex64))


@check_arguments
def ct_phantom(seed: int, size: int | tuple[int, int] = 128) -> torch.Tensor:
    """Random CT head slice, real float32 `(y, x)`: attenuation in parts of that of water.

    The anatomy is that of :func:`head_phantom`, each seed another head, in the tissues' attenuation: about 1.9 in bone,
    1.03 in the brain, 0 in air. Tissues are almost uniform, so that the image is nearly piecewise constant. The head is
    drawn on a grid twice as fine, and four pixels averaged.

    Raises `ValueError` if a side of `size` is below 16.

    >>> ct_phantom(0, 64).shape
    torch.Size([64, 64])
    """
    height, width = size if isinstance(size, tuple) else (size, size)
    _check_sides(height, width)
    check_integer("seed", seed, 0)
    rng = np.random.default_rng([seed, 0])
    grid = _posed_grid(rng, height * _FINER, width * _FINER)
    attenuation = {name: max(0.0, rng.normal(mean, spread)) for name, (mean, spread) in _ATTENUATION.items()}
    image = _painted(grid, rng, attenuation)
    return torch.from_numpy(image.reshape(height, _FINER, width, _FINER).mean((1, 3)).astype(np.float32))


def _check_sides(height: int, width: int) -> None:
    if min(height, width) < 16:
        raise ValueError(f"got size {(height, width)}, expected at least 16 pixels a side")


def _posed_grid(rng: np.random.Generator, height: int, width: int) -> Grid:
    """Scanner coordinates, and those of a head that is shifted, turned and scaled at random."""
    pixel = 2 / min(height, width)
    rows = ((np.arange(height) - height // 2) * pixel).astype(np.float32)
    columns = ((np.arange(width) - width // 2) * pixel).astype(np.float32)
    scale = np.minimum(rng.uniform(0.78, 1.03) * np.exp(rng.normal(0, 0.03, 2)), 1)
    room = 1.03 - scale  # a head that fills the field of view stays inside it
    shift = room * rng.uniform(-0.35, 0.35, 2)
    angle = rng.normal(0, 0.07)
    y, x = rows[:, None] - np.float32(shift[0]), columns[None, :] - np.float32(shift[1])
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    head_y, head_x = (c * y - s * x) / np.float32(scale[0]), (s * y + c * x) / np.float32(scale[1])
    return Grid(rows, columns, head_y, head_x, pixel / float(np.sqrt(scale.prod())))


def _contrast(rng: np.random.Generator) -> dict[str, float]:
    """Signal of each tissue: one weighting, or a mixture of two, with jitter."""
    weights = np.zeros(4)
    first, second = rng.choice(4, 2, p=[0.28, 0.36, 0.24, 0.12])
    share = rng.uniform(0, 0.2)
    weights[first] += 1 - share
    weights[second] += share
    fat_suppression = rng.uniform(0.2, 1) if rng.random() < 0.3 else 1.0
    jitter = np.exp(rng.normal(0, 0.1, len(_TISSUES)))
    signal = {name: float(weights @ values * j) for (name, values), j in zip(_TISSUES.items(), jitter, strict=True)}
    return signal | {"fat": signal["fat"] * fat_suppression}


def _painted(grid: Grid, rng: np.random.Generator, signal: Mapping[str, float]) -> Array:
    """The layers of a random view, painted one over the other."""
    views, probabilities = zip(*_VIEWS, strict=True)
    view = views[rng.choice(len(views), p=probabilities)]
    image = np.zeros(grid.y.shape, np.float32)
    for tissue, coverage in view(grid, rng):
        image += coverage * (np.float32(signal[tissue]) - image)
    return image


def _textured(image: Array, grid: Grid, rng: np.random.Generator) -> Array:
    """The image with tissues that are not uniform."""
    coarse, fine = rng.uniform(0.02, 0.06), rng.uniform(0.01, 0.04)
    image *= 1 + coarse * grid.field(rng, 1, 6) + fine * grid.field(rng, 6, 20)
    return image.clip(0, None)


def _receive_field(grid: Grid, rng: np.random.Generator) -> Array:
    """Smooth shading: brighter towards the coils around the head, uneven."""
    rim = rng.uniform(0, 0.35) * (grid.x**2 + grid.y**2)
    gain: Array = np.exp(rim + rng.uniform(0.02, 0.2) * grid.field(rng, 0.2, 0.6))
    return gain


def _phase(grid: Grid, rng: np.random.Generator) -> Array:
    """Smooth phase in radians: a random plane plus low frequencies, mild for most seeds."""
    strength = rng.exponential(0.4)
    plane = rng.uniform(-np.pi, np.pi) + strength * (rng.normal() * grid.y + rng.normal() * grid.x)
    return (plane + strength * grid.field(rng, 0.2, 1.0)).astype(np.float32)


def _crop_kspace(image: NDArray[np.complexfloating], height: int, width: int) -> NDArray[np.complex64]:
    """The image at lower resolution, as a scan of `height` x `width` phase encodings sees it."""
    kspace = scipy.fft.fftshift(scipy.fft.fft2(scipy.fft.ifftshift(image)))
    top, left = image.shape[0] // 2 - height // 2, image.shape[1] // 2 - width // 2
    kspace = kspace[top : top + height, left : left + width]
    return scipy.fft.fftshift(scipy.fft.ifft2(scipy.fft.ifftshift(kspace)))


# Planes and levels. Order matters: a layer hides those before it.


def _axial_high(grid: Grid, rng: np.random.Generator) -> Iterator[Layer]:
    """Near the vertex: folds down to the midline, no ventricles."""
    shrink = rng.uniform(0.7, 1)
    head = outline(grid, rng, (0.92 * shrink, 0.76 * shrink))
    yield from scalp_and_skull(grid, rng, head)
    hull = head - rng.uniform(0.1, 0.15)
    yield from cortex(grid, rng, hull, fissure(grid, rng, rng.uniform(0, 0.1)), rng.uniform(0.15, 0.32))
    yield from lesions(grid, rng, hull)
    yield from vessels(grid, rng, hull)


def _axial_middle(grid: Grid, rng: np.random.Generator) -> Iterator[Layer]:
    """Through the lateral ventricles and the basal ganglia."""
    head = outline(grid, rng, (0.92, 0.76))
    yield from scalp_and_skull(grid, rng, head)
    hull = head - rng.uniform(0.09, 0.15)
    y, nuclei = rng.uniform(-0.1, 0.05), rng.random() < 0.65
    clefts = fissure(grid, rng, rng.uniform(0.28, 0.42))
    if nuclei:
        clefts = np.minimum(clefts, sylvian(grid, rng))
    yield from cortex(grid, rng, hull, clefts, rng.uniform(0.1, 0.22))
    if nuclei:
        yield from deep_nuclei(grid, rng, y)
    yield from ventricles(grid, rng, y, rng.uniform(0.5, 1.8))
    yield from lesions(grid, rng, hull)
    yield from vessels(grid, rng, hull)


def _axial_low(grid: Grid, rng: np.random.Generator) -> Iterator[Layer]:
    """Through the skull base: cerebellum and brainstem, temporal lobes, eyes and nose."""
    head = outline(grid, rng, (0.92, 0.74))
    yield from scalp_and_skull(grid, rng, head)
    yield from soft_tissue(grid, rng, head - rng.uniform(0.04, 0.12))
    yield from cavities(grid, rng, grid.ellipse((-0.45, 0), (0.4, rng.uniform(0.12, 0.22))), head)
    brain = rng.random() < 0.8
    if brain:
        lobe = grid.ellipse((rng.uniform(-0.2, -0.1), 0.38), (0.26, 0.2), 0.4, mirrored=True)
        lobe = np.minimum(wobbly(grid, rng, lobe, 0.02), head - 0.12)
        yield "bone", grid.cover(lobe + 0.045)
        yield from cortex(grid, rng, lobe, lobe + 1, 0.1)
    if rng.random() < 0.6:
        yield from eyes(grid, rng, rng.uniform(-0.68, -0.6), rng.uniform(0.27, 0.33))
    size = rng.uniform(0.7, 1.1) if brain else rng.uniform(0.3, 0.6)
    back = grid.ellipse((0.4, 0.18 * size), (0.26 * size, 0.32 * size), -0.3, mirrored=True)
    back = np.minimum(wobbly(grid, rng, back, 0.015), head - 0.13)
    yield "bone", grid.cover(back + 0.06)
    yield from cerebellum(grid, rng, back, 0.0)
    stem = wobbly(grid, rng, grid.ellipse((0.12, 0), (0.12, 0.13)), 0.01)
    yield "fluid", grid.cover(stem + rng.uniform(0.02, 0.08))
    yield "white", grid.cover(stem) * 0.8
    yield "fluid", grid.cover(grid.ellipse((0.27, 0), (rng.uniform(0.02, 0.06), rng.uniform(0.03, 0.09))))
    yield from vessels(grid, rng, head - 0.1)


def _coronal(grid: Grid, rng: np.random.Generator) -> Iterator[Layer]:
    """Seen from the front, with face or neck below."""
    grid = grid.moved(rng.uniform(-0.2, -0.1), 0.0)
    head = outline(grid, rng, (0.74, 0.74))
    neck = column(grid, rng, 0.0, rng.uniform(0.45, 0.65))
    body = union(head, neck)
    yield from scalp_and_skull(grid, rng, body)
    yield from soft_tissue(grid, rng, np.minimum(neck, body - 0.08))
    hull = np.minimum(head - rng.uniform(0.12, 0.16), 0.36 - grid.y + 0.05 * grid.field(rng, 0.5, 1.5))
    yield "bone", grid.cover(hull + 0.05)
    top = segment(grid.x + 0.008 * grid.field(rng, 0.5, 3), grid.y + rng.uniform(0.15, 0.3))
    posterior = rng.random() < 0.4
    clefts = top if posterior else np.minimum(top, sylvian(grid, rng))
    yield from cortex(grid, rng, hull, clefts, rng.uniform(0.12, 0.28))
    if posterior:
        back = wobbly(grid, rng, grid.ellipse((0.38, 0.2), (0.17, 0.28), mirrored=True), 0.015)
        yield from cerebellum(grid, rng, back, 0.0)
    else:
        yield from deep_nuclei(grid, rng, 0.05)
        yield from ventricles(grid, rng, rng.uniform(-0.2, -0.1), rng.uniform(0.4, 1.4))
        yield from cavities(grid, rng, grid.ellipse((0.75, 0), (0.3, rng.uniform(0.1, 0.3))), body)
    if rng.random() < 0.3:
        yield from eyes(grid, rng, 0.45, 0.35)
    yield from lesions(grid, rng, hull)
    yield from vessels(grid, rng, hull)
    yield from beyond_coil(grid)


def _sagittal(grid: Grid, rng: np.random.Generator) -> Iterator[Layer]:
    """Seen from the side, facing left; near the midline with corpus callosum, cerebellum and brainstem."""
    grid = grid.moved(rng.uniform(-0.25, -0.15), 0.0)
    head = outline(grid, rng, (0.68, 0.86))
    neck = column(grid, rng, rng.uniform(-0.2, 0.1), rng.uniform(0.5, 0.65))
    body = union(head, neck)
    yield from scalp_and_skull(grid, rng, body)
    yield from soft_tissue(grid, rng, np.minimum(neck, body - 0.08))
    yield from cavities(grid, rng, grid.ellipse((0.6, -0.45), (0.25, rng.uniform(0.15, 0.3))), body)
    slope = rng.uniform(0.1, 0.4)
    hull = np.minimum(head - rng.uniform(0.12, 0.16), 0.3 + slope * grid.x - grid.y + 0.05 * grid.field(rng, 0.5, 2))
    yield "bone", grid.cover(hull + 0.05)
    yield from cortex(grid, rng, hull, hull + 1, rng.uniform(0.18, 0.35))
    back = wobbly(grid, rng, grid.ellipse((0.38, 0.38), (0.18, 0.24), 0.3), 0.015)
    yield from cerebellum(grid, rng, back, 0.3)
    arc = np.abs(grid.ellipse((0.1, -0.02), (0.27, 0.34)))
    if rng.random() < 0.5:
        upper = np.minimum(0.03 - arc, 0.1 - grid.y)
        yield "fluid", grid.cover(np.minimum(grid.ellipse((0.08, -0.02), (0.2, 0.3)), 0.02 - grid.y))
        yield "white", grid.cover(upper)
        yield "deep", grid.cover(wobbly(grid, rng, grid.ellipse((0.1, 0.02), (0.12, 0.17)), 0.01))
        pons = 0.06 * np.exp(-(((grid.y - 0.33) / 0.12) ** 2))
        axis = 0.1 - pons + rng.uniform(0.1, 0.4) * np.maximum(grid.y - 0.2, 0) + 0.02 * grid.field(rng, 0.3, 1.5)
        stem = np.minimum(0.05 + pons - np.abs(grid.x - axis), grid.y - 0.12)
        yield "fluid", grid.cover(stem + 0.035)
        yield "white", grid.cover(stem) * 0.8
    yield from lesions(grid, rng, hull)
    yield from vessels(grid, rng, hull)
    yield from beyond_coil(grid)


_VIEWS: tuple[tuple[Callable[[Grid, np.random.Generator], Iterator[Layer]], float], ...] = (
    (_axial_middle, 0.34),
    (_axial_high, 0.2),
    (_axial_low, 0.16),
    (_coronal, 0.15),
    (_sagittal, 0.15),
)
