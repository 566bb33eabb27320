"""Certificates as people read them: a table, a paragraph, a figure."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from smug.bounds.bound import Bound, Certified
from smug.evaluation.certificates import SHOWN, CertificateRow, Certificates
from smug.evaluation.gains import GainRow
from smug.evaluation.summary import per_cent
from smug.reports.axes import legend_label
from smug.reports.palette import Style, styles
from smug.system.figures import write_figure
from smug.system.files import write_text
from smug.system.table import Column, Group, Table
from smug.system.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = (
    Column("model", align="left"),
    Column("σ_k"),
    Column("ε"),
    Column("ε / ‖y‖"),
    Column("clean\nPSNR", "dB"),
    Column("certified\nPSNR", "dB", align="left"),
    Column("attacked\nPSNR", "dB"),
)


@dataclass(frozen=True)
class Line:
    """Means over slices of a model at one sigma_k and eps; ``vacuous`` where the certificate of any slice is."""

    model: str
    level: float
    sigma: float
    ratio: float
    relative_l2: float
    clean: float
    certified: float
    attacked: float
    vacuous: bool


def lines(rows: Iterable[CertificateRow]) -> list[Line]:
    """Return the means over slices, in the order in which they first occur."""
    cells: dict[tuple[str, float, float], list[CertificateRow]] = {}
    for row in rows:
        cells.setdefault((row.model, row.level, row.ratio), []).append(row)
    return [
        Line(
            model,
            level,
            members[0].sigma,
            ratio,
            relative_l2=fmean(row.relative_l2 for row in members),
            clean=fmean(row.clean_psnr for row in members),
            certified=fmean(row.certified_psnr for row in members),
            attacked=fmean(row.attacked_psnr for row in members),
            vacuous=any(row.vacuous for row in members),
        )
        for (model, level, ratio), members in cells.items()
    ]


def table(certificates: Certificates, title: str = "") -> Table:
    """Return a table with a line per model, sigma_k and attacked eps, and an explanation below."""
    rows: dict[str, list[tuple[str, ...]]] = {}
    for model, *texts in _texts(certificates):
        own = rows.setdefault(model, [])
        own.append(("" if own else model, *texts))
    return Table(COLUMNS, tuple(Group("", lines) for lines in rows.values()), title, (paragraph(certificates),))


def paragraph(certificates: Certificates) -> str:
    """Return what the table means, whether attacks respected it, and the gains of every model."""
    asked, rows = certificates.asked, certificates.rows
    slices = len({row.slice for row in rows})
    chance = f"with confidence {100 * (1 - asked.alpha):g} % ({'all lines at once' if asked.joint else 'every line'})"
    share = "half" if asked.p == 0.5 else f"{100 * asked.p:g} %"
    mean = f", mean over {counted(slices, 'slice')}" if slices > 1 else ""
    text = [
        f"Certified: {chance}, at least {share} of the reconstructions F(y + δ + ζ) have this PSNR or more, for every "
        f"perturbation δ of the measurements with ‖δ‖₂ ≤ ε; ζ is fresh noise of σ_k per part that is added on "
        f"purpose, σ_k given in multiples of the receiver noise {asked.noise:g}{mean}.",
        "Clean: the same without δ. Attacked: what that share keeps under the strongest δ that was found.",
        _respected(rows, asked.p),
        "PSNR is that of the complex difference over the whole slice: it says nothing about a single lesion.",
        *(_amplifies(model, list(gains)) for model, gains in _by_model(certificates.gains)),
    ]
    return " ".join(text)


def figure(certificates: Certificates, title: str = "") -> "Figure":
    """Return PSNR against eps, a panel per sigma_k: certified curves, attacks as crosses, clean releases dotted."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    every = lines(certificates.rows)
    models, levels = (list(dict.fromkeys(getattr(line, name) for line in every)) for name in ("model", "level"))
    looks = styles(models)
    result = Figure(figsize=(1 + 2.6 * len(levels), 3.2), layout="constrained")
    FigureCanvasAgg(result)
    panels = result.subplots(1, len(levels), sharey=True, squeeze=False)[0]
    for panel, level in zip(panels, levels, strict=True):
        for model, look in looks.items():
            _draw(panel, [line for line in every if (line.model, line.level) == (model, level)], look)
        panel.set_title(f"σ_k = {level:g} × receiver noise", fontsize=8)
        panel.set_xlabel("ε / ‖y‖ (%)", fontsize=8)
        panel.tick_params(labelsize=7)
    panels[0].set_ylabel("PSNR (dB): lines certified, × attacked, dotted clean", fontsize=7)
    for text in panels[-1].legend(fontsize=7).get_texts():
        text.set_parse_math(False)
    if title:
        result.suptitle(title, fontsize=9, parse_math=False)
    return result


def _draw(panel: "Axes", own: list[Line], look: Style) -> None:
    """Draw a model at one sigma_k."""
    kept, attacked = [line for line in own if not line.vacuous], [line for line in own if line.attacked > 0]
    panel.axhline(own[0].clean, color=look.colour, linestyle=":", linewidth=0.8)
    x, y = [100 * line.relative_l2 for line in kept], [line.certified for line in kept]
    panel.plot(x, y, color=look.colour, linestyle=look.dashes, label=legend_label(own[0].model))
    panel.plot(
        [100 * line.relative_l2 for line in attacked], [line.attacked for line in attacked], "x", color=look.colour
    )


def write(folder: Path, certificates: Certificates, title: str = "") -> None:
    """Write ``certificates.md`` and ``certificates.png`` to a folder."""
    write_figure(folder / "certificates.png", figure(certificates, title))
    write_text(folder / "certificates.md", table(certificates, title).markdown())


def _texts(certificates: Certificates) -> Iterator[tuple[str, ...]]:
    """Yield the cells of every line of the table."""
    asked, slices = certificates.asked, len({row.slice for row in certificates.rows})
    for line in lines(certificates.rows):
        if line.ratio not in (*SHOWN, *asked.attacked):
            continue
        vacuous = f"vacuous: needs {asked.needed(line.ratio, slices)} draws"
        yield (
            line.model,
            f"{line.level:g} × noise",
            f"{line.ratio:g} σ_k",
            per_cent([line.relative_l2]),
            f"{line.clean:.2f}",
            vacuous if line.vacuous else f"{line.certified:.2f}",
            f"{line.attacked:.2f}" if line.attacked > -math.inf else "—",
        )


def _respected(rows: Iterable[CertificateRow], p: float) -> str:
    tried = [row for row in rows if row.inside >= 0]
    if not tried:
        return "Nothing was attacked, for nothing is certified there."
    broken = sum(row.contradicted(p) for row in tried)
    if len(tried) == 1:
        verb = "contradicts" if broken else "does not contradict"
        return f"The one attack, scored on {counted(tried[0].scores, 'draw')}, {verb} its certificate."
    count, verb = (
        ("None", "contradicts") if broken == 0 else (str(broken), "contradicts" if broken == 1 else "contradict")
    )
    attacks = counted(len(tried), "attack")
    whose = "their" if broken > 1 else "its"
    return f"{count} of {attacks}, scored on {counted(tried[0].scores, 'draw')} each, {verb} {whose} certificate."


def _by_model(gains: Iterable[GainRow]) -> Iterator[tuple[str, list[GainRow]]]:
    rows = list(gains)
    for model in dict.fromkeys(row.model for row in rows):
        yield model, [row for row in rows if row.model == model]


def _amplifies(model: str, gains: list[GainRow]) -> str:
    """Say how much a model amplifies, and what is known of the most; of several slices, the largest of each."""
    average, worst = (max(getattr(row, name) for row in gains) for name in ("average", "worst"))
    known: dict[str, Bound] = {}
    for bound in (bound for row in gains for bound in row.bounds):
        if bound.name not in known or bound.value > known[bound.name].value:
            known[bound.name] = bound
    proved = "; ".join(map(_worth, known.values())) or "no bound is known that holds for every δ"
    found = f"amplifies random noise {average:.2f} times and the worst δ found {worst:.2f} times"
    return f"{model} itself, without ζ, {found}; {proved}."


def _worth(bound: Bound) -> str:
    """Return the type of a bound on the gain in a word or two: proved, estimated."""
    kind = "certified at most" if isinstance(bound, Certified) else "not certified, at most about"
    return f"{kind} {bound.value:.3g} times{' (vacuous)' if bound.vacuous else ''} by {bound.name}"
