"""One product: models x conditions x slices."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from smug.attacks import relative_l2
from smug.data.scan import Scan
from smug.data.simulate import named_seed
from smug.evaluation.conditions import Condition
from smug.evaluation.metrics import nmse, psnr, ssim
from smug.reconstructor import Reconstructor, taking_generator


@dataclass(frozen=True)
class Row:
    """One slice under one condition.

    Magnitude-slice PSNR (dB), SSIM and NMSE, the authors' complex PSNR, and the l2 norm of the perturbation relative
    to that of the measurements.
    """

    model: str
    condition: str
    slice: str
    psnr: float
    ssim: float
    nmse: float
    psnr_complex: float
    relative_l2: float


@dataclass(frozen=True, eq=False)
class Outcome:
    """A row, and the reconstruction ``(y, x)`` and target that it was computed from."""

    row: Row
    image: Tensor
    target: Tensor


def evaluate(
    models: Mapping[str, Reconstructor],
    conditions: Iterable[Condition],
    scans: Iterable[Scan],
    *,
    seed: int = 0,
    keep: Callable[[Outcome], None] | None = None,
    advance: Callable[[int], None] | None = None,
) -> list[Row]:
    """Score every model under every condition on every scan; return one row per slice.

    Noise and attacks are seeded by the slice's name and ``seed``, so they do not depend on order or on what else is
    scored; the smoothing noise that scores an attack was not seen by it. ``keep`` receives images too, ``advance(1)``
    is called after each cell.
    """
    conditions = tuple(conditions)
    if len({condition.name for condition in conditions}) < len(conditions):
        raise ValueError(f"conditions: expected different names, got {', '.join(c.name for c in conditions)}")
    rows = []
    for scan in scans:
        for name, f in models.items():
            for condition in conditions:
                for outcome in _cell(name, f, condition, scan, seed):
                    rows.append(outcome.row)
                    if keep is not None:
                        keep(outcome)
                if advance is not None:
                    advance(1)
    return rows


def _cell(name: str, f: Reconstructor, condition: Condition, scan: Scan, seed: int) -> list[Outcome]:
    f = taking_generator(f)
    made, scored = (_seeds(scan, f"{purpose}:{seed}") for purpose in ("made", "scored"))
    y = condition.perturb(f, scan, made)
    with torch.no_grad():
        image = f(y, scan.A, generator=scored)
    t = scan.truth
    columns = (
        psnr(image, t),
        ssim(image, t),
        nmse(image, t),
        psnr(image, t, "complex"),
        relative_l2(y - scan.y, scan.y, scan.A),
    )
    values = zip(*(column.tolist() for column in columns), strict=True)
    return [
        Outcome(Row(name, condition.name, scan.id[i], *numbers), image[i], t[i]) for i, numbers in enumerate(values)
    ]


def _seeds(scan: Scan, purpose: str) -> Tensor:
    return torch.tensor([named_seed(f"{purpose}:{name}") for name in scan.id], dtype=torch.int64)
