"""How fast data consistency is: the solution of (A^H A + lam) x = b, as one would write it and as it is here."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import median

import torch
from torch import Tensor

from benchmarks.operations import time_in_turns
from benchmarks.textbook import joint_conjugate_gradient, textbook_solve
from smug.data.phantom import head_phantom
from smug.data.simulate import Acquisition, simulate
from smug.models.noise import complex_normal
from smug.physics.consistency import solve
from smug.physics.sense import Sense, cartesian

LAM = 1.0
TOLERANCE = 1e-6


@dataclass(frozen=True)
class ConsistencyTiming:
    """One way to solve for so many right-hand sides.

    ``speedup`` is the median time of the textbook over that of this row, for the same work. ``iterations`` and
    ``residual``, recomputed in double precision by the two-dimensional operator, are those of the worst right-hand
    side. ``gflop`` counts the Fourier transforms, ``5 n log2 n`` operations for n points, or the products of a
    factorisation; ``gigabytes`` is what everything between the transforms reads and writes. ``fft_share`` is the part
    of the time that the transforms would take at the rate of transforms along x alone, ``memory_share`` the part that
    these bytes would take at the rate of a copy of the coil images; both None for a factorisation.
    """

    path: str
    right_hand_sides: int
    seconds_min: float
    seconds_median: float
    seconds_max: float
    speedup: float
    iterations: int | None
    residual: float
    gflop: float
    gigabytes: float | None
    fft_share: float | None
    memory_share: float | None


@dataclass(frozen=True)
class _Path:
    """How to solve, and what one application of A^H A takes, of which there are ``extra`` besides the iterations.

    ``flop`` are its operations, ``passes`` its reads and writes of all coil images between the transforms. Where
    nothing iterates, ``flop`` are all operations, and passes are not counted.
    """

    solve: Callable[[], tuple[Tensor, int | None]]
    flop: float
    passes: int | None = None
    extra: int = 0


@torch.no_grad()
def time_consistency(
    coils: int = 12,
    size: int = 320,
    *,
    right_hand_sides: tuple[int, ...] = (1, 10),
    repeats: int = 5,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> list[ConsistencyTiming]:
    """Time one slice with random lines at 4x, to a relative residual of 1e-6; the paths take turns.

    Right-hand sides are ``A^H y + lam z`` with z the phantom and noise. The textbook solves all of them as one system,
    as published code does; another row has it solve them one by one, and another in complex numbers. Threads are those
    of the environment. Raises ValueError for counts below 1 and sizes that cannot be simulated.
    """
    if min(coils, size, *right_hand_sides) < 1:
        raise ValueError("consistency: expected coils, size and right-hand sides >= 1")
    device = torch.device(device)
    scan = simulate(head_phantom(seed, size)[None], Acquisition(coils=coils), [seed], ["phantom"]).to(device)
    A = cartesian(scan.A, "consistency")
    rates = _rates(A, repeats)
    rows = []
    for count in right_hand_sides:
        noise = complex_normal(torch.arange(count)[:, None] + seed, (size, size), device=device)
        b = scan.A.H(scan.y) + LAM * (scan.truth + 0.01 * noise)
        rows += _timed(_paths(A, b), A, b, rates, repeats)
    return rows


def _timed(
    paths: Mapping[str, _Path], A: Sense, b: Tensor, rates: tuple[float, float], repeats: int
) -> list[ConsistencyTiming]:
    count, results = b.shape[0], {}

    def call(name: str) -> None:
        results[name] = paths[name].solve()

    seconds = time_in_turns({name: partial(call, name) for name in paths}, repeats, b.device)
    rows = []
    for name, path in paths.items():
        (x, iterations), times = results[name], seconds[name]
        middle = median(times)
        applied = 1 if iterations is None else count * (iterations + path.extra)
        flop, moved = applied * path.flop, applied * (path.passes or 0) * A.maps.nbytes
        rows.append(
            ConsistencyTiming(
                name,
                count,
                min(times),
                middle,
                max(times),
                median(seconds["textbook"]) / middle,
                iterations,
                _residual(A, x, b),
                flop / 1e9,
                moved / 1e9 if path.passes else None,
                flop / rates[0] / middle if path.passes else None,
                moved / rates[1] / middle if path.passes else None,
            )
        )
    return rows


def _paths(A: Sense, b: Tensor) -> dict[str, _Path]:
    """Return the paths by name; the passes are counted in the code that each runs."""
    coils, height, width = A.maps.shape[1:]
    plane, lines = 2 * coils * _transform(height * width), 2 * coils * height * _transform(width)
    solving = height * 8 * width**2 * b.shape[0]
    factoring = height * (8 * coils * width**2 + 4 / 3 * width**3)
    factored = A.factor(LAM)
    paths = {"textbook": _Path(lambda: textbook_solve(b, A.maps, A.mask, LAM, tolerance=TOLERANCE), plane, 34)}
    if b.shape[0] > 1:
        paths["textbook, one by one"] = _Path(lambda: _one_by_one(A, b), plane, 34)
    return paths | {
        "textbook, complex numbers": _Path(lambda: _complex(A, b), plane, 20),
        "smug.solve": _Path(lambda: _solve(A, b), lines, 10, extra=1),
        "A.factor and solve": _Path(lambda: (A.factor(LAM).solve(b), None), factoring + solving),
        "factored before": _Path(lambda: (factored.solve(b), None), solving),
    }


def _one_by_one(A: Sense, b: Tensor) -> tuple[Tensor, int]:
    solutions = [textbook_solve(one, A.maps, A.mask, LAM, tolerance=TOLERANCE) for one in b]
    return torch.stack([x for x, _ in solutions]), max(iterations for _, iterations in solutions)


def _complex(A: Sense, b: Tensor) -> tuple[Tensor, int]:
    """The textbook's solver around the two-dimensional operator on complex numbers."""

    def apply(p: Tensor) -> Tensor:
        return torch.view_as_real(A.H(A(torch.view_as_complex(p)))) + LAM * p

    x, iterations = joint_conjugate_gradient(apply, torch.view_as_real(b), TOLERANCE, 100)
    return torch.view_as_complex(x), iterations


def _solve(A: Sense, b: Tensor) -> tuple[Tensor, int]:
    solution = solve(A, b, LAM, tolerance=TOLERANCE)
    return solution.value, int(solution.iterations.max())


def _residual(A: Sense, x: Tensor, b: Tensor) -> float:
    x, b = x.to(torch.complex128), b.to(torch.complex128)
    A = Sense(A.mask, A.maps.to(torch.complex128))
    errors = torch.linalg.vector_norm(b - A.H(A(x)) - LAM * x, dim=(-2, -1))
    return float((errors / torch.linalg.vector_norm(b, dim=(-2, -1))).max())


def _rates(A: Sense, repeats: int) -> tuple[float, float]:
    """Return operations per second of transforms along x, and bytes per second of a copy of the coil images."""
    images, other = A.maps.clone(), torch.empty_like(A.maps)
    calls: Mapping[str, Callable[[], object]] = {
        "transform": lambda: torch.fft.fft(images),
        "copy": lambda: other.copy_(images),
    }
    seconds = {name: min(times) for name, times in time_in_turns(calls, 3 * repeats, A.mask.device).items()}
    flop = images[..., 0].numel() * _transform(images.shape[-1])
    return flop / seconds["transform"], 2 * images.nbytes / seconds["copy"]


def _transform(points: int) -> float:
    return 5 * points * math.log2(points)
