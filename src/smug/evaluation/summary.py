"""Rows of an evaluation as summaries and as a JSON document."""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from smug.evaluation.conditions import Condition
from smug.evaluation.row import Row
from smug.evaluation.statistics import FEWEST, Interval, interval, paired
from smug.system.documents import document

SCHEMA = "smug-evaluation-1"

KspaceSource = Literal["measured", "simulated"]
"""Where k-space comes from: a scanner, or the Fourier transform of images."""

Subjects = Mapping[str, str] | Collection[str]
"""Whom the slices show: the subject of every slice by its name, or just the subjects; empty where unknown."""

DATA_CRIME = (
    'K-space is simulated from images, with coil maps that are known exactly (a "data crime"): '
    "it flatters every method, and says little about measured data."
)

METRICS = {
    "psnr": "magnitude-slice PSNR in dB: peak and mean squared error of each slice's magnitude",
    "ssim": "SSIM of magnitudes: 7 x 7 uniform window, data range = peak of the target's slice",
    "psnr_head": "psnr inside the head (a mask from the target: smug.metrics.head_mask), with its peak and its pixels",
    "ssim_head": "ssim inside the head: mean over the windows whose centre lies in it",
    "nmse": "normalised mean squared error of magnitudes, of each slice",
    "psnr_complex": "PSNR in dB of the complex difference, of each slice (the SMUG authors' convention)",
    "hfen": "high-frequency error norm of magnitudes, of each slice",
    "relative_l2": "l2 norm of the perturbation d, relative to that of the sampled measurements y",
    "range_fraction": "||A^H d|| / ||d||: how much of the perturbation reaches the image",
    "gain": "||F(y + d) - F(y)|| / ||d||, at equal noise of the reconstructor",
    "robustness_error": "||F(y + d) - F(y)|| / ||F(y)||",
    "identity_psnr": "PSNR of the same loop with the identity for a denoiser, on the same y + d",
    "identity_gain": "gain of that loop: what the physics alone makes of the perturbation",
    "feature": "contrast that is left of an inserted feature, relative to what was inserted",
    "spurious": "contrast of the strongest false feature, relative to a lesion of a tenth of the image's maximum",
    "denoiser_calls": "calls of the denoiser for one image",
    "psnr_sd": "standard deviation of PSNR in dB over draws of the reconstructor's own noise",
    "attack": "the attack that did most damage to the slice",
    "optimism": "dB by which its objective was higher on the draws that it was selected on than on fresh ones",
    "flags": "warnings that the numbers may flatter the model",
}
"""What the columns of a row mean."""


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (of a sample: n - 1) over slices; that of one slice is NaN."""

    mean: float
    sd: float


@dataclass(frozen=True)
class Summary:
    """One model under one condition, over ``n`` slices, with the metrics of :class:`smug.evaluation.row.Row`.

    ``psnr_interval`` is that of the mean PSNR; ``difference`` that of PSNR minus the ``reference`` model's, paired by
    slice, in dB, and None where the reference was not tested. Numbers without a spread are means over slices, and NaN
    where one is. ``attacks`` counts the slices that each attack won, ``flags`` those that raised each warning.
    """

    model: str
    condition: str
    reference: str
    n: int
    psnr: Spread
    psnr_interval: Interval
    difference: Interval | None
    ssim: Spread
    nmse: Spread
    psnr_complex: Spread
    psnr_head: Spread
    ssim_head: Spread
    relative_l2: float
    hfen: float
    range_fraction: float
    gain: float
    robustness_error: float
    identity_psnr: float
    identity_gain: float
    feature: float
    spurious: float
    denoiser_calls: float
    psnr_sd: float
    optimism: float
    attacks: Mapping[str, int]
    flags: Mapping[str, int]

    @property
    def unreliable(self) -> bool:
        """Whether a warning was raised: then the numbers may flatter the model."""
        return bool(self.flags)


SPREADS = ("psnr", "ssim", "nmse", "psnr_complex", "psnr_head", "ssim_head")

MEANS = (
    "relative_l2",
    "hfen",
    "range_fraction",
    "gain",
    "robustness_error",
    "identity_psnr",
    "identity_gain",
    "feature",
    "spurious",
    "denoiser_calls",
    "psnr_sd",
    "optimism",
)


def summarise(rows: Iterable[Row], reference: str | None = None) -> list[Summary]:
    """Summarise rows by model and condition, both in the order in which they first occur.

    ``reference`` is the model that the others are compared with, by default the first. Raises ValueError where it has
    no rows.
    """
    cells: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        cells.setdefault((row.model, row.condition), []).append(row)
    models, conditions = (tuple(dict.fromkeys(names)) for names in zip(*cells, strict=True)) if cells else ((), ())
    if reference is None and models:
        reference = models[0]
    if reference is not None and reference not in models:
        raise ValueError(f"got reference {reference!r}, expected one of the models {', '.join(models) or '(none)'}")
    return [
        _summary(members, str(reference), cells.get((str(reference), condition), ()))
        for model in models
        for condition in conditions
        if (members := cells.get((model, condition)))
    ]


def _summary(rows: Sequence[Row], reference: str, reference_rows: Sequence[Row]) -> Summary:
    spreads = {name: _spread(getattr(row, name) for row in rows) for name in (*SPREADS, *MEANS)}
    values: dict[str, Any] = {name: spread if name in SPREADS else spread.mean for name, spread in spreads.items()}
    return Summary(
        rows[0].model,
        rows[0].condition,
        reference,
        n=len(rows),
        psnr_interval=interval([row.psnr for row in rows], [row.subject for row in rows]),
        difference=paired(rows, reference_rows),
        attacks=dict(Counter(row.attack for row in rows if row.attack)),
        flags=dict(Counter(flag for row in rows for flag in dict.fromkeys(row.flags))),
        **values,
    )


def to_json(
    rows: Sequence[Row],
    conditions: Iterable[Condition],
    *,
    configuration: Mapping[str, Any],
    seeds: Sequence[int],
    data: Mapping[str, Any],
    subjects: Subjects = (),
    command: str = "",
    reference: str | None = None,
) -> dict[str, Any]:
    """Return the document of an evaluation: plain values only, null for NaN and infinity.

    ``data`` describes the data, with at least their ``source``, their ``sha256`` and ``kspace``: measured or simulated;
    ``configuration`` and ``command`` tell how to repeat it. Raises ValueError where one of the three is missing.
    """
    if missing := [key for key in ("source", "sha256", "kspace") if key not in data]:
        raise ValueError(f"got data described by {', '.join(data) or 'nothing'}, expected {', '.join(missing)} too")
    if data["kspace"] not in get_args(KspaceSource):
        raise ValueError(f"got kspace {data['kspace']!r}, expected one of {', '.join(get_args(KspaceSource))}")
    return document(
        SCHEMA,
        command=command,
        configuration=configuration,
        seeds=seeds,
        data=data,
        kspace=data["kspace"],
        subjects=distinct(subjects),
        metrics=METRICS,
        conditions=[{"name": c.name, "description": c.description} for c in conditions],
        rows=[row.to_json() for row in rows],
        reference=reference or (rows[0].model if rows else None),
        summaries=[asdict(summary) for summary in summarise(rows, reference)],
    )


def error_bar(summary: Summary, *, alone: bool = False) -> tuple[float, float]:
    """Return the bounds that a figure draws around a mean PSNR; NaN where there are none.

    They are those of the difference to the reference, paired by slice. These are closer than those of the mean itself,
    as what is hard is hard for every model. The reference has none. A model ``alone`` has those of its mean.
    """
    mean = summary.psnr.mean
    shown = summary.psnr_interval if alone else None if summary.model == summary.reference else summary.difference
    if shown is None:
        return math.nan, math.nan
    return mean - (shown.mean - shown.low), mean + (shown.high - shown.mean)


def error_bar_label(summaries: Sequence[Summary]) -> str:
    """Return the legend's explanation of the :func:`error_bar` of a figure; "" where there is none."""
    models, _, _ = grid(summaries)
    alone = len(models) == 1
    if not any(math.isfinite(error_bar(summary, alone=alone)[0]) for summary in summaries):
        return ""
    return "95 % interval" if alone else f"95 % interval of the\ndifference to {summaries[0].reference}"


def few(summaries: Iterable[Summary]) -> str:
    """Return why means have no interval, such as "n = 2: no interval"; "" where there are enough subjects."""
    units = [s.psnr_interval.units for s in summaries if s.psnr_interval.units < FEWEST]
    return f"n = {min(units)}: no interval" if units else ""


def grid(
    summaries: Iterable[Summary],
) -> tuple[tuple[str, ...], tuple[str, ...], dict[tuple[str, str], Summary]]:
    """Return the models, the conditions, and the summary of each pair that was tested."""
    cells = {(summary.model, summary.condition): summary for summary in summaries}
    return tuple(dict.fromkeys(m for m, _ in cells)), tuple(dict.fromkeys(c for _, c in cells)), cells


def per_cent(sizes: Iterable[float]) -> str:
    """Return relative sizes in per cent: one number, or a range where they differ; a dash where there is none."""
    texts = [_per_cent(size) for size in sorted(size for size in sizes if math.isfinite(size))]
    if not texts:
        return "—"
    return f"{texts[0]} %" if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]} %"


def _per_cent(size: float) -> str:
    return f"{100 * size:.2g}" if size < 0.00999 else f"{100 * size:.1f}"


def _spread(values: Iterable[float]) -> Spread:
    # Plain arithmetic: infinities become NaN in silence, which numpy would warn of.
    numbers = tuple(values)
    n = len(numbers)
    mean = sum(numbers) / n
    return Spread(mean, math.sqrt(sum((v - mean) ** 2 for v in numbers) / (n - 1)) if n > 1 else math.nan)


def distinct(subjects: Subjects) -> list[str]:
    """Return whom the slices show, each once."""
    return sorted(set(subjects.values() if isinstance(subjects, Mapping) else subjects))
