"""Summaries as tables for terminals, for markdown and for the report: one line per condition and model."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from smug.evaluation.statistics import Interval, SeedSpread, holm, sentence
from smug.evaluation.summary import DATA_CRIME, Kspace, Subjects, Summary, distinct, grid, per_cent

if TYPE_CHECKING:
    from rich.table import Table

NONE = "—"

LEVEL = 0.05
"""Differences whose corrected p is below it are marked."""

CALLS = "Calls: denoiser calls per image; a dash where a reconstructor does not tell."

Text = Callable[[Summary], str]


@dataclass(frozen=True)
class Sheet:
    """A table as texts: ``groups`` are its conditions, each with a line per model, which is the first column."""

    columns: tuple[str, ...]
    groups: Mapping[str, Sequence[tuple[str, ...]]]
    notes: tuple[str, ...] = ()


def headline(summaries: Sequence[Summary]) -> Sheet:
    """Return PSNR and SSIM, the identity-denoiser reference, the difference to the reference model, and the cost."""
    reference = summaries[0].reference if summaries else ""
    differ = significant(summaries)
    columns: dict[str, Text] = {
        "PSNR (dB)": _spread,
        "SSIM": lambda s: fixed(s.ssim.mean, 3),
        "identity\n(dB)": lambda s: fixed(s.identity_psnr, 2),
        f"minus {reference}\n[95 %] (dB)": lambda s: "*" * ((s.model, s.condition) in differ) + _difference(s),
        "feature": lambda s: fixed(s.feature, 2),
        "relative\nl2": lambda s: per_cent([s.relative_l2]),
    }
    return _sheet(summaries, columns, _notes(summaries, bool(differ)))


def attack_table(summaries: Sequence[Summary]) -> Sheet:
    """Return what the perturbations are like and what they do, for conditions that perturb the measurements."""
    columns: dict[str, Text] = {
        "relative\nl2": lambda s: per_cent([s.relative_l2]),
        "in\nrange": lambda s: fixed(s.range_fraction, 2),
        "gain": lambda s: fixed(s.gain, 2),
        "identity\ngain": lambda s: fixed(s.identity_gain, 2),
        "false\nfeature": lambda s: fixed(s.spurious, 2),
        "strongest\nattack": _strongest,
        "optimism\n(dB)": lambda s: fixed(s.optimism, 2),
        "over draws\n(dB)": lambda s: fixed(s.psnr_sd, 3),
    }
    perturbed = [s for s in summaries if math.isfinite(s.gain)]
    notes = (
        "With d the perturbation: in range is ‖Aᴴd‖ / ‖d‖, gain ‖F(y + d) − F(y)‖ / ‖d‖, identity gain that of the "
        "same loop with the identity for a denoiser; false feature: contrast of the strongest one, in lesions of a "
        "tenth of the image's maximum.",
        "Strongest attack: the one that won most slices. Optimism: how much higher its objective was on the draws it "
        "was selected on. Over draws: standard deviation of PSNR over the reconstructor's own noise.",
    )
    return _sheet(perturbed, columns, (*notes, CALLS, *_warning(perturbed)) if perturbed else ())


def seed_table(spreads: Iterable[SeedSpread]) -> Sheet:
    """Return mean and standard deviation over training seeds."""
    groups: dict[str, list[tuple[str, ...]]] = {}
    for s in spreads:
        groups.setdefault(s.condition, []).append((s.method, f"{fixed(s.mean, 2)} ±{fixed(s.sd, 2)}", str(s.seeds)))
    return Sheet(("method", "PSNR (dB) ± SD over seeds", "training seeds"), groups)


def caption(summaries: Sequence[Summary], *, kspace: Kspace, subjects: Subjects = ()) -> str:
    """Return what every table says: the metrics' conventions, how much data, and whether k-space is simulated."""
    counts = sorted({summary.n for summary in summaries}) or [0]
    slices = _plural(counts[0], "slice") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} slices"
    text = f"Magnitude-slice PSNR in dB, mean ± SD over {slices}{whom(subjects)}; SSIM of magnitudes, mean."
    return f"{text} {DATA_CRIME}" if kspace == "simulated" else text


def whom(subjects: Subjects) -> str:
    """Return how many subjects the slices are of, to follow "slices"; nothing where that is unknown."""
    count = len(distinct(subjects))
    return {0: "", 1: ", within one subject"}.get(count, f" of {count} subjects")


def statistics_of(summaries: Iterable[Summary], subjects: Subjects = ()) -> str:
    """Return the sentence about the intervals of differences."""
    return sentence(differences(summaries).values(), len(distinct(subjects)) == 1)


def table(
    summaries: Sequence[Summary], *, kspace: Kspace, subjects: Subjects = (), title: str = "", notes: str = ""
) -> "Table":
    """Return the headline table for terminals; ``notes`` is added to the caption."""
    text = (caption(summaries, kspace=kspace, subjects=subjects), statistics_of(summaries, subjects), notes)
    return terminal(headline(summaries), title=title, text=text)


def terminal(sheet: Sheet, *, title: str = "", text: Iterable[str] = ()) -> "Table":
    """Return a sheet as a table for terminals, with its notes and more ``text`` below."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    result = Table(
        title=Text(title) if title else None,
        caption=Text("\n".join(filter(None, (*text, *sheet.notes)))),
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        caption_justify="left",
        title_justify="left",
    )
    first, *rest = sheet.columns
    widest = max((len(row[0]) for rows in sheet.groups.values() for row in rows), default=0)
    result.add_column(Text(first), vertical="bottom", overflow="fold", min_width=min(widest + 1, 10))
    for name in rest:
        result.add_column(Text(name), justify="right", vertical="bottom", overflow="fold")
    for condition, lines in sheet.groups.items():
        result.add_row(Text(condition, style="bold"))
        for model, *cells in lines:
            result.add_row(Text(f" {model}"), *map(Text, cells))
        result.add_section()
    return result


def markdown(summaries: Sequence[Summary], *, kspace: Kspace, subjects: Subjects = ()) -> str:
    """Return the headline table and that of attacks as GitHub-flavoured markdown, with captions and notes."""
    text = (caption(summaries, kspace=kspace, subjects=subjects), statistics_of(summaries, subjects))
    attacks = attack_table(summaries)
    parts = [to_markdown(headline(summaries), text), *([to_markdown(attacks)] if attacks.groups else [])]
    return "\n\n".join(parts) + "\n"


def to_markdown(sheet: Sheet, text: Iterable[str] = ()) -> str:
    """Return a sheet as a markdown table, with more ``text`` and its notes below."""
    lines = [
        ("condition", *(name.replace("\n", " ") for name in sheet.columns)),
        ("---", "---", *("---:" for _ in sheet.columns[1:])),
    ]
    lines += [
        (condition if first == 0 else "", *cells)
        for condition, rows in sheet.groups.items()
        for first, cells in enumerate(rows)
    ]
    body = "\n".join("| " + " | ".join(map(_escaped, line)) + " |" for line in lines)
    return "\n\n".join((body, *(_escaped(note) for note in (*text, *sheet.notes) if note)))


def significant(summaries: Iterable[Summary]) -> set[tuple[str, str]]:
    """Return which models differ from the reference, and where, after Holm's correction for all comparisons."""
    p = {key: difference.p for key, difference in differences(summaries).items()}
    return {key for key, value in holm(p).items() if value < LEVEL}


def differences(summaries: Iterable[Summary]) -> dict[tuple[str, str], Interval]:
    """Return the differences to the reference model, by model and condition."""
    return {(s.model, s.condition): s.difference for s in summaries if s.difference and s.model != s.reference}


def flagged(summaries: Iterable[Summary]) -> list[str]:
    """Return a line per model, condition and warning: which, and of how many slices."""
    return [
        f"{s.model} under {s.condition}: {flag} ({count} of {_plural(s.n, 'slice')})"
        for s in summaries
        for flag, count in s.flags.items()
    ]


def fixed(value: float, digits: int, sign: str = "") -> str:
    """Return a number with so many digits, or a dash for NaN and infinity."""
    return f"{value:{sign}.{digits}f}" if math.isfinite(value) else NONE


def _sheet(summaries: Sequence[Summary], columns: Mapping[str, Text], notes: tuple[str, ...]) -> Sheet:
    """Make a sheet of the columns that say anything, and of the denoiser calls, which every table has."""
    models, conditions, cells = grid(summaries)
    shown = {name: text for name, text in columns.items() if any(text(s) != NONE for s in summaries)}
    shown["calls"] = lambda s: fixed(s.denoiser_calls, 0)
    groups = {
        condition: [
            (f"{model} †" if s.unreliable else model, *(text(s) for text in shown.values()))
            for model in models
            if (s := cells.get((model, condition))) is not None
        ]
        for condition in conditions
    }
    return Sheet(("model", *shown), groups, notes)


def _notes(summaries: Sequence[Summary], marked: bool) -> tuple[str, ...]:
    notes = []
    if any(math.isfinite(s.identity_psnr) for s in summaries):
        notes.append("Identity: the same loop with the identity for a denoiser, on the same perturbed measurements.")
    if any(math.isfinite(s.feature) for s in summaries):
        notes.append("Feature: the contrast that is left of an inserted one; 1 is all of it.")
    notes.append(CALLS)
    if marked:
        tests = len(differences(summaries))
        notes.append(f"* p < {LEVEL:g} after Holm's correction for {_plural(tests, 'comparison')}.")
    return (*notes, *_warning(summaries))


def _warning(summaries: Sequence[Summary]) -> list[str]:
    lines = flagged(summaries)
    return [f"† unreliable, the numbers may flatter the model. {'; '.join(lines)}."] if lines else []


def _difference(s: Summary) -> str:
    if s.difference is None or s.model == s.reference:
        return NONE
    low, high = s.difference.low, s.difference.high
    bounds = f" [{low:+.2f}, {high:+.2f}]" if math.isfinite(low) else ""
    return f"{fixed(s.difference.mean, 2, '+')}{bounds}"


def _spread(s: Summary) -> str:
    if not math.isfinite(s.psnr.mean):
        return NONE if math.isnan(s.psnr.mean) else str(s.psnr.mean)
    return f"{s.psnr.mean:.2f}" + (f" ±{s.psnr.sd:.2f}" if math.isfinite(s.psnr.sd) else "")


def _strongest(s: Summary) -> str:
    name, count = max(s.attacks.items(), key=lambda item: item[1], default=(NONE, 0))
    return f"{name} {count}/{s.n}" if count else NONE


def _escaped(text: str) -> str:
    # An asterisk marks a difference here, no emphasis.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("*", "\\*").replace("\n", " ")


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
