"""Rows summed up: per file and over files, always beside total variation at its best."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from benchmarks.measured.rows import BEST, Row
from smug.system.table import Cell, Column, Group, Table
from smug.system.words import counted

REFERENCE = f"{BEST}tv"
"""What all are compared with."""

ROLES = {
    "brain_t1_4ch": "validation",
    "brain_16ch_96": "validation",
    "brain_mprage_4ch": "test",
    "brain_t1_sag_1ch": "test",
}
"""On which files choices may be made, and on which none are."""

Key = tuple[str, float, str, int]


@dataclass(frozen=True)
class Summary:
    """One model on some cases: PSNR, SSIM and ghosts inside the head; "over" is minus best TV on the same case, in dB.

    On one file, means are over its cases. Over files, means are those of the files' means, medians and worst those of
    all cases.
    """

    model: str
    cases: int
    psnr: float
    psnr_median: float
    psnr_worst: float
    over: float
    over_median: float
    over_worst: float
    ssim: float
    ssim_over: float
    psnr_rss: float
    ghost: float
    ghost_over: float
    seconds: float


def summaries(rows: Sequence[Row]) -> dict[str, list[Summary]]:
    """Return the summaries of every model by file, and those over files under ``""``; raises ValueError without TV."""
    files = list(dict.fromkeys(row.file for row in rows))
    models = list(dict.fromkeys(row.model for row in rows))
    reference = {row.case: row for row in rows if row.model == REFERENCE}
    if missing := [row.case for row in rows if row.case not in reference]:
        raise ValueError(f"expected {REFERENCE} on every case, got none on {missing[0]}")

    def of(model: str, names: Sequence[str]) -> Summary:
        parts = [[row for row in rows if (row.file, row.model) == (name, model)] for name in names]
        return _summary(model, parts, reference)

    by_file = {name: [of(model, [name]) for model in models] for name in files}
    return by_file | ({"": [of(model, files) for model in models]} if len(files) > 1 else {})


def _summary(model: str, parts: Sequence[Sequence[Row]], reference: Mapping[Key, Row]) -> Summary:
    rows = [row for part in parts for row in part]

    def mean(values: Mapping[Key, float]) -> float:
        return fmean(fmean(values[row.case] for row in part) for part in parts)

    def each(name: str) -> dict[Key, float]:
        return {row.case: getattr(row.scores, name) for row in rows}

    def over(name: str) -> dict[Key, float]:
        return {row.case: getattr(row.scores, name) - getattr(reference[row.case].scores, name) for row in rows}

    psnr, above = each("psnr"), over("psnr")
    return Summary(
        model=model,
        cases=len(rows),
        psnr=mean(psnr),
        psnr_median=median(psnr.values()),
        psnr_worst=min(psnr.values()),
        over=mean(above),
        over_median=median(above.values()),
        over_worst=min(above.values()),
        ssim=mean(each("ssim")),
        ssim_over=mean(over("ssim")),
        psnr_rss=mean(each("psnr_rss")),
        ghost=mean(each("ghost")),
        ghost_over=mean(over("ghost")),
        seconds=mean(each("seconds")),
    )


COLUMNS = (
    Column("model", align="left"),
    Column("PSNR", "dB"),
    Column("median"),
    Column("worst"),
    Column("over\nbest TV", "dB"),
    Column("median"),
    Column("worst"),
    Column("SSIM"),
    Column("PSNR\nof RSS", "dB"),
    Column("ghosts"),
    Column("s per\nslice"),
)


def table(rows: Sequence[Row], notes: Iterable[str] = ()) -> Table:
    """Return the table of all files."""
    groups = []
    for name, parts in summaries(rows).items():
        many = counted(parts[0].cases, "case")
        best = max(part.psnr for part in parts)
        heading = ", ".join(filter(None, (name, ROLES.get(name, ""), many))) if name else f"all files, {many}"
        groups.append(Group(heading, [_cells(part, strong=part.psnr == best) for part in parts]))
    return Table(COLUMNS, groups, "Measured scans, inside the head", (*_notes(rows), *notes), grouping="file")


def by_condition(rows: Sequence[Row]) -> Table:
    """Return a table of what models are over best TV, for every acceleration and kind of lines: means of file means."""
    conditions = sorted({(row.acceleration, row.kind) for row in rows}, key=lambda each: (each[0], each[1] != "random"))
    parts = {each: summaries([row for row in rows if (row.acceleration, row.kind) == each]) for each in conditions}
    heads = [Column(f"{rate:g}x {kind}\nPSNR, ghosts") for rate, kind in conditions]
    models = list(dict.fromkeys(row.model for row in rows))
    texts = []
    for model in models:
        cells = []
        for part in parts.values():
            (found,) = (each for each in list(part.values())[-1] if each.model == model)
            cells.append(f"{found.over:+.2f}, {found.ghost_over:+.3f}")
        texts.append([model, *cells])
    return Table((COLUMNS[0], *heads), (Group("", texts),), "Over best TV, mean of the means of files")


def _cells(part: Summary, *, strong: bool) -> list[str | Cell]:
    decibels = [f"{value:.2f}" for value in (part.psnr, part.psnr_median, part.psnr_worst)]
    over = [f"{value:+.2f}" for value in (part.over, part.over_median, part.over_worst)]
    rest = [f"{part.ssim:.3f}", f"{part.psnr_rss:.2f}", f"{part.ghost:.3f}", f"{part.seconds:.3g}"]
    return [part.model, Cell(decibels[0], strong), *decibels[1:], *over, *rest]


def _notes(rows: Sequence[Row]) -> list[str]:
    """What the columns mean, and how sure the oracles are."""
    chosen = [row.best for row in rows if row.best is not None]
    changes = [abs(best.change) for row in rows if row.model == REFERENCE and (best := row.best) is not None]
    limit = sum(best.at_limit for best in chosen)
    return [
        "A case is a file, acceleration, kind of lines and seed. Of a file: mean, median and worst of its cases. "
        "Over all files: the mean of the means of files; median and worst of all cases.",
        f"{BEST}tv and {BEST}cg-sense have the lam that is best for the very case, chosen by its reference. "
        f"Twice as many iterations of TV change its PSNR by at most {max(changes, default=0):.3f} dB. "
        f"{limit} of {len(chosen)} best lam lie at the limit of the solver.",
        "PSNR and SSIM are against the full scan combined by maps from all its lines, PSNR of RSS against its root of "
        "the sum of squares. ghosts: correlation of the error with the outlines of the alias, 1 is a ghost and nothing "
        "else. Seconds are without maps.",
    ]
