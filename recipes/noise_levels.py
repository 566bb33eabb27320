"""How well the noise of simulated scans is told from their measurements: a table of estimate / truth.

python recipes/noise_levels.py [SCANS] [DATA]

Every scan has a random matrix, number of coils, mask, acceleration, phase and noise, 0.001 to 0.05 of the peak. DATA is
the folder of image sets; without it all images are phantoms.
"""

import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import smug

SIZES = (64, 96, 128, 160, 192, 256, 320)
COILS = (1, 2, 4, 8, 16, 32)
RATES = (2.0, 3.0, 4.0, 6.0, 8.0)
MASKS = ("full", "random", "equispaced", "variable-density", "poisson")
CENTRE = 24
"""Side of the fully sampled centre of Poisson disc masks; where the rate leaves no room for it, the rate is 2."""


@dataclass(frozen=True)
class Told:
    """What a simulated scan is, and its estimated noise over the true one; None where it is unknown."""

    mask: str
    coils: int
    noise: float
    images: str
    ratio: float | None
    source: str


def told(seed: int, root: Path | None = None) -> Told:
    """Simulate the scan of a seed and estimate its noise."""
    rng = np.random.default_rng([7, seed])
    size, coils, rate = int(rng.choice(SIZES)), int(rng.choice(COILS)), float(rng.choice(RATES))
    mask, images = str(rng.choice(MASKS)), "phantom" if root is None else str(rng.choice(["openms", "phantom"]))
    noise = math.exp(rng.uniform(math.log(0.001), math.log(0.05)))
    number, width = int(rng.integers(12)), float(rng.choice([0.6, 1.2, 2.0]))
    if mask == "poisson" and size**2 / rate < 1.3 * CENTRE**2:
        rate = 2.0
    if images == "phantom":
        image = smug.head_phantom(seed, size)
    else:
        image = smug.load_images(images, "val", size, count=12, root=root).images[number]
    acquisition = smug.Acquisition(
        coils=coils,
        profile_width=width,
        acceleration=1.0 if mask == "full" else rate,
        center_fraction=0.08 if rate <= 5 else 0.04,
        mask="random" if mask == "full" else mask,  # type: ignore[arg-type]
        noise=noise,
    )
    level = smug.noise_level(smug.simulate(image[None], acquisition, [seed]))
    return Told(mask, coils, noise, images, None if level.sigma is None else level.sigma / noise, level.source)


def row(name: str, scans: Sequence[Told]) -> str:
    """Return a row of the table: how many scans, how many unknown, quantiles of the others, how many within 10 %."""
    ratios = np.array([scan.ratio for scan in scans if scan.ratio is not None])
    unknown = f"{1 - len(ratios) / len(scans):.0%}" if scans else "-"
    if not len(ratios):
        return f"| {name} | {len(scans)} | {unknown} | - | - | - |"
    low, middle, high = np.quantile(ratios, (0.05, 0.5, 0.95))
    within = np.mean(np.abs(ratios - 1) <= 0.1)
    spread = f"{low:.3f} {middle:.3f} {high:.3f} | {ratios.min():.3f} {ratios.max():.3f}"
    return f"| {name} | {len(scans)} | {unknown} | {spread} | {within:.1%} |"


def table(scans: Sequence[Told]) -> Iterable[str]:
    """Yield the lines of the table."""
    yield "| scans | n | unknown | estimate / truth: 5 % 50 % 95 % | extremes | within 10 % |"
    yield "| --- | ---: | ---: | --- | --- | ---: |"
    loud = [scan for scan in scans if scan.noise >= 0.003]
    groups: dict[str, Callable[[Told], bool]] = {
        **{f"{mask}": lambda scan, mask=mask: scan.mask == mask for mask in MASKS},
        **{f"coils {coils}": lambda scan, coils=coils: scan.coils == coils for coils in COILS},
        **{images: lambda scan, images=images: scan.images == images for images in ("openms", "phantom")},
    }
    yield row("noise below 0.003 of the peak", [scan for scan in scans if scan.noise < 0.003])
    yield row("noise from 0.003 of the peak", loud)
    for name, chosen in groups.items():
        if any(map(chosen, loud)):
            yield row(f"of these, {name}", [scan for scan in loud if chosen(scan)])


def main(count: str = "200", data: str | None = None) -> None:
    """Print the table."""
    root = None if data is None else Path(data)
    print("\n".join(table([told(seed, root) for seed in range(int(count))])))


if __name__ == "__main__":
    main(*sys.argv[1:])
