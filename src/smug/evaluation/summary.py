"""Rows of an evaluation as summaries, and summaries as tables and as a JSON document."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal, get_args

from smug.evaluation.conditions import Condition
from smug.evaluation.row import Row

if TYPE_CHECKING:
    from rich.table import Table

SCHEMA = "smug-evaluation-1"

RESEARCH = "For research use only: not for diagnosis, treatment or any other clinical decision."

Kspace = Literal["measured", "simulated"]
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
    "nmse": "normalised mean squared error of magnitudes, of each slice",
    "psnr_complex": "PSNR in dB of the complex difference, of each slice (the SMUG authors' convention)",
    "relative_l2": "l2 norm of the perturbation, relative to that of the sampled measurements",
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

    ``relative_l2`` is a mean; ``psnr_difference`` is mean PSNR minus that of the reference model, in dB, or NaN where
    the reference was not tested.
    """

    model: str
    condition: str
    n: int
    psnr: Spread
    ssim: Spread
    nmse: Spread
    psnr_complex: Spread
    relative_l2: float
    psnr_difference: float


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
    psnr = {cell: _spread(row.psnr for row in members).mean for cell, members in cells.items()}
    return [
        Summary(
            model,
            condition,
            n=len(members),
            psnr=_spread(row.psnr for row in members),
            ssim=_spread(row.ssim for row in members),
            nmse=_spread(row.nmse for row in members),
            psnr_complex=_spread(row.psnr_complex for row in members),
            relative_l2=_spread(row.relative_l2 for row in members).mean,
            psnr_difference=psnr[model, condition] - psnr.get((str(reference), condition), math.nan),
        )
        for model in models
        for condition in conditions
        if (members := cells.get((model, condition)))
    ]


def caption(summaries: Sequence[Summary], *, kspace: Kspace, subjects: Subjects = ()) -> str:
    """Return what every table says: the metrics' conventions, how much data, and whether k-space is simulated."""
    counts = sorted({summary.n for summary in summaries}) or [0]
    slices = _plural(counts[0], "slice") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} slices"
    text = f"Magnitude-slice PSNR in dB, mean ± SD over {slices}{whom(subjects)}; SSIM of magnitudes, mean."
    return f"{text} {DATA_CRIME}" if kspace == "simulated" else text


def whom(subjects: Subjects) -> str:
    """Return how many subjects the slices are of, to follow "slices"; nothing where that is unknown."""
    count = len(_distinct(subjects))
    return {0: "", 1: ", within one subject"}.get(count, f" of {count} subjects")


def table(
    summaries: Sequence[Summary],
    *,
    kspace: Kspace,
    subjects: Subjects = (),
    title: str = "",
    notes: str = "",
) -> "Table":
    """Return a table for terminals: a line per model; PSNR, SSIM per condition; the size of the perturbations.

    ``notes`` is added to the caption.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    models, conditions, cells = grid(summaries)
    text = f"{caption(summaries, kspace=kspace, subjects=subjects)} {notes}".strip()
    result = Table(
        title=Text(title) if title else None,
        caption=Text(text),
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        caption_justify="left",
        title_justify="left",
    )
    result.add_column("model", vertical="bottom", overflow="fold")
    for condition in conditions:
        result.add_column(Text(f"{condition}\nPSNR (dB)"), justify="right", vertical="bottom")
        result.add_column("SSIM", justify="right", vertical="bottom")
    for model in models:
        line = [_texts(cells.get((model, condition))) for condition in conditions]
        result.add_row(Text(model), *(text for pair in line for text in pair))
    sizes = [_sizes(summaries, condition) for condition in conditions]
    result.add_section()
    result.add_row(Text("relative l2"), *(text for size in sizes for text in (size, "")), style="dim")
    return result


def markdown(summaries: Sequence[Summary], *, kspace: Kspace, subjects: Subjects = ()) -> str:
    """Return the same table as GitHub-flavoured markdown, PSNR and SSIM in one cell."""
    models, conditions, cells = grid(summaries)
    lines = [["model", *conditions], ["---", *("---:" for _ in conditions)]]
    for model in models:
        pairs = (_texts(cells.get((model, condition))) for condition in conditions)
        lines.append([model, *(" / ".join(pair) for pair in pairs)])
    lines.append(["*relative l2*", *(_sizes(summaries, condition) for condition in conditions)])
    body = "\n".join("| " + " | ".join(map(_escaped, line)) + " |" for line in lines)
    return f"{body}\n\nPSNR (dB) / SSIM. {caption(summaries, kspace=kspace, subjects=subjects)}\n"


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
    import smug

    if missing := [key for key in ("source", "sha256", "kspace") if key not in data]:
        raise ValueError(f"got data described by {', '.join(data) or 'nothing'}, expected {', '.join(missing)} too")
    if data["kspace"] not in get_args(Kspace):
        raise ValueError(f"got kspace {data['kspace']!r}, expected one of {', '.join(get_args(Kspace))}")
    document = {
        "schema": SCHEMA,
        "version": smug.__version__,
        "use": RESEARCH,
        "command": command,
        "configuration": configuration,
        "seeds": seeds,
        "data": data,
        "kspace": data["kspace"],
        "subjects": _distinct(subjects),
        "metrics": METRICS,
        "conditions": [{"name": c.name, "description": c.description} for c in conditions],
        "rows": [row.to_json() for row in rows],
        "reference": reference or (rows[0].model if rows else None),
        "summaries": [asdict(summary) for summary in summarise(rows, reference)],
    }
    plain: dict[str, Any] = plainly(document)
    return plain


def plainly(value: Any) -> Any:
    """Return nested values as JSON has them: lists, string keys, text for paths, None for NaN and infinity."""
    match value:
        case float():
            return float(value) if math.isfinite(value) else None
        case Mapping():
            return {str(key): plainly(item) for key, item in value.items()}
        case list() | tuple():
            return [plainly(item) for item in value]
        case PurePath():
            return str(value)
    return value


def grid(
    summaries: Iterable[Summary],
) -> tuple[tuple[str, ...], tuple[str, ...], dict[tuple[str, str], Summary]]:
    """Return the models, the conditions, and the summary of each pair that was tested."""
    cells = {(summary.model, summary.condition): summary for summary in summaries}
    return tuple(dict.fromkeys(m for m, _ in cells)), tuple(dict.fromkeys(c for _, c in cells)), cells


def per_cent(sizes: Iterable[float]) -> str:
    """Return relative sizes in per cent: one number, or a range where they differ."""
    texts = [_per_cent(size) for size in sorted(sizes)]
    return f"{texts[0]} %" if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]} %"


def _per_cent(size: float) -> str:
    return f"{100 * size:.2g}" if size < 0.01 else f"{100 * size:.1f}"


def _sizes(summaries: Iterable[Summary], condition: str) -> str:
    """Mean size of a condition's perturbations, which may differ between models."""
    return per_cent(summary.relative_l2 for summary in summaries if summary.condition == condition)


def _spread(values: Iterable[float]) -> Spread:
    # Plain arithmetic: infinities become NaN in silence, which numpy would warn of.
    numbers = tuple(values)
    n = len(numbers)
    mean = sum(numbers) / n
    return Spread(mean, math.sqrt(sum((v - mean) ** 2 for v in numbers) / (n - 1)) if n > 1 else math.nan)


def _texts(summary: Summary | None) -> tuple[str, str]:
    """PSNR and SSIM of a cell; a space only where a line may break."""
    if summary is None:
        return "—", "—"
    spread = f" ±{summary.psnr.sd:.2f}" if math.isfinite(summary.psnr.sd) else ""
    return f"{summary.psnr.mean:.2f}{spread}", f"{summary.ssim.mean:.3f}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("\n", " ")


def _distinct(subjects: Subjects) -> list[str]:
    return sorted(set(subjects.values() if isinstance(subjects, Mapping) else subjects))


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
