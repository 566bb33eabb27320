"""Summaries as tables: what a comparison found, what its perturbations are like, and what training seeds are worth."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from smug.evaluation.statistics import Interval, SeedSpread, holm, sentence
from smug.evaluation.summary import DATA_CRIME, KspaceSource, Subjects, Summary, distinct, grid, per_cent
from smug.reports.palette import styles
from smug.system.table import Cell, Column, Group, Table
from smug.system.words import counted

NONE = "—"

LEVEL = 0.05
"""Differences whose corrected p is below it are marked."""

CALLS = "Calls: how often the denoiser runs for one image; a dash where a model does not say."

Text = Callable[[Summary], str]


def headline(summaries: Sequence[Summary], descriptions: Mapping[str, str] | None = None) -> Table:
    """Return quality over the image and in the head, the physics alone, the difference to the reference, and cost.

    ``descriptions`` explain conditions by name.
    """
    best, differ = highest(summaries), significant(summaries)
    columns: dict[Column, Text] = {
        Column("PSNR", "dB"): _psnr,
        Column("SSIM"): lambda s: fixed(s.ssim.mean, 3),
        Column("head\nPSNR", "dB"): lambda s: fixed(s.psnr_head.mean, 2),
        Column("head\nSSIM"): lambda s: fixed(s.ssim_head.mean, 3),
        Column("physics\nonly", "dB"): lambda s: fixed(s.identity_psnr, 2),
        _difference_column(summaries): lambda s: "*" * ((s.model, s.condition) in differ) + _difference(s),
        Column("feature"): lambda s: fixed(s.feature, 2),
        Column("relative\nl2"): lambda s: per_cent([s.relative_l2]),
    }
    return _table(summaries, columns, _headline_notes(summaries, bool(best), bool(differ)), best, descriptions or {})


def attack_table(summaries: Sequence[Summary]) -> Table:
    """Return what the perturbations are like and what they do, for conditions that perturb the measurements."""
    columns: dict[Column, Text] = {
        Column("relative\nl2"): lambda s: per_cent([s.relative_l2]),
        Column("in\nrange"): lambda s: fixed(s.range_fraction, 2),
        Column("gain"): lambda s: fixed(s.gain, 2),
        Column("physics\ngain"): lambda s: fixed(s.identity_gain, 2),
        Column("false\nfeature"): lambda s: fixed(s.spurious, 2),
        Column("strongest\nattack"): _strongest,
        Column("optimism", "dB"): lambda s: fixed(s.optimism, 2),
        Column("over draws", "dB"): lambda s: fixed(s.psnr_sd, 3),
    }
    perturbed = [s for s in summaries if math.isfinite(s.gain)]
    notes = (
        "With d the perturbation and F the model: in range is ‖Aᴴd‖ / ‖d‖, how much of d reaches the image; gain is "
        "‖F(y + d) − F(y)‖ / ‖d‖, how much the model amplifies it; physics gain is that of the same loop without a "
        "denoiser. False feature: the contrast of the strongest one, where 1 is a lesion of a tenth of the image's "
        "maximum.",
        "Strongest attack: the one that did most damage on most slices. Optimism: by how much its objective was "
        "higher on the noise it was selected on than on fresh noise. Over draws: standard deviation of PSNR over the "
        "model's own noise.",
    )
    return _table(perturbed, columns, (*notes, CALLS, *_warning(perturbed)) if perturbed else ())


def seed_table(spreads: Iterable[SeedSpread]) -> Table:
    """Return mean and standard deviation over training seeds."""
    groups: dict[str, list[tuple[str, ...]]] = {}
    for s in spreads:
        groups.setdefault(s.condition, []).append((s.method, f"{fixed(s.mean, 2)} ±{fixed(s.sd, 2)}", str(s.seeds)))
    columns = (Column("method", align="left"), Column("PSNR ± SD over seeds", "dB"), Column("training seeds"))
    return Table(columns, tuple(Group(name, rows) for name, rows in groups.items()), grouping="condition")


def caption(summaries: Sequence[Summary], *, kspace: KspaceSource, subjects: Subjects = ()) -> str:
    """Return what every table says: the metrics' conventions, how much data, and whether k-space is simulated."""
    counts = sorted({summary.n for summary in summaries}) or [0]
    slices = counted(counts[0], "slice") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} slices"
    text = f"Magnitude-slice PSNR in dB, mean ± SD over {slices}{of_subjects(subjects)}; SSIM of magnitudes, mean."
    if any(math.isfinite(summary.psnr_head.mean) for summary in summaries):
        text += " Head: the same inside the head only, so that empty background does not count."
    return f"{text} {DATA_CRIME if kspace == 'simulated' else 'From measured k-space.'}"


def of_subjects(subjects: Subjects) -> str:
    """Return how many subjects the slices are of, to follow "slices"; nothing where that is unknown.

    >>> of_subjects(["anna", "ben"]), of_subjects({"slice 1": "anna"}), of_subjects([])
    (' of 2 subjects', ' of 1 subject', '')
    """
    count = len(distinct(subjects))
    return f" of {counted(count, 'subject')}" if count else ""


def statistics_of(summaries: Iterable[Summary]) -> str:
    """Return the sentence about the intervals of differences."""
    return sentence(differences(summaries).values())


def table(
    summaries: Sequence[Summary],
    *,
    kspace: KspaceSource,
    subjects: Subjects = (),
    title: str = "",
    descriptions: Mapping[str, str] | None = None,
) -> Table:
    """Return the headline table under a title, with all that a reader must know in its notes."""
    notes = filter(None, (caption(summaries, kspace=kspace, subjects=subjects), statistics_of(summaries)))
    found = headline(summaries, descriptions)
    return Table(found.columns, found.groups, title, (*notes, *found.notes), found.grouping)


def markdown(summaries: Sequence[Summary], *, kspace: KspaceSource, subjects: Subjects = (), title: str = "") -> str:
    """Return the headline table and that of attacks as GitHub-flavoured Markdown, with captions and notes."""
    attacks = attack_table(summaries)
    first = table(summaries, kspace=kspace, subjects=subjects, title=title)
    return "\n".join(made.markdown() for made in (first, attacks) if made is first or made.groups)


def significant(summaries: Iterable[Summary]) -> set[tuple[str, str]]:
    """Return which models differ from the reference, and where, after Holm's correction for all comparisons."""
    p = {key: difference.p for key, difference in differences(summaries).items()}
    return {key for key, value in holm(p).items() if value < LEVEL}


def differences(summaries: Iterable[Summary]) -> dict[tuple[str, str], Interval]:
    """Return the differences to the reference model, by model and condition."""
    return {(s.model, s.condition): s.difference for s in summaries if s.difference and s.model != s.reference}


def highest(summaries: Sequence[Summary]) -> set[tuple[str, str]]:
    """Return the model and condition of the highest finite mean PSNR under each condition that compares several."""
    models, conditions, cells = grid(summaries)
    rivals = [[cells[m, c] for m in models if (m, c) in cells] for c in conditions]
    finite = [[s for s in there if math.isfinite(s.psnr.mean)] for there in rivals if len(there) > 1]
    return {(s.model, s.condition) for there in finite if there for s in [max(there, key=lambda s: s.psnr.mean)]}


def flagged(summaries: Iterable[Summary]) -> list[str]:
    """Return a line per model, condition and warning: which, and of how many slices."""
    return [
        f"{s.model} under {s.condition}: {flag} ({count} of {counted(s.n, 'slice')})"
        for s in summaries
        for flag, count in s.flags.items()
    ]


def fixed(value: float, digits: int, sign: str = "") -> str:
    """Return a number with so many digits, or a dash for NaN and infinity."""
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}" if math.isfinite(value) else NONE  # no -0.00


def _table(
    summaries: Sequence[Summary],
    columns: Mapping[Column, Text],
    notes: Sequence[str],
    best: Iterable[tuple[str, str]] = (),
    descriptions: Mapping[str, str] | None = None,
) -> Table:
    """Make a table of the columns that say anything, and of the denoiser calls, which every table has."""
    models, conditions, cells = grid(summaries)
    looks = styles(models)
    shown = {column: text for column, text in columns.items() if any(text(s) != NONE for s in summaries)}
    shown[Column("calls")] = lambda s: fixed(s.denoiser_calls, 0)

    def row(s: Summary) -> tuple[Cell, ...]:
        name = Cell(f"{s.model} †" if s.unreliable else s.model, colour=looks[s.model].colour)
        first, *rest = (Cell(text(s)) for text in shown.values())
        return name, Cell(first.text, strong=(s.model, s.condition) in best), *rest

    groups = [
        Group(c, tuple(row(cells[m, c]) for m in models if (m, c) in cells), (descriptions or {}).get(c, ""))
        for c in conditions
    ]
    return Table((Column("model", align="left"), *shown), groups, notes=tuple(notes), grouping="condition")


def _headline_notes(summaries: Sequence[Summary], best: bool, marked: bool) -> tuple[str, ...]:
    notes = []
    if best:
        notes.append("Bold: the highest mean PSNR under a condition.")
    if any(math.isfinite(s.identity_psnr) for s in summaries):
        notes.append("Physics only: PSNR of the same loop without its denoiser, on the same perturbed measurements.")
    if any(math.isfinite(s.feature) for s in summaries):
        notes.append("Feature: the contrast that is left of an inserted one; 1 is all of it.")
    if any(s.relative_l2 > 0 for s in summaries):
        notes.append("Relative l2: the size of the perturbation, relative to the measurements.")
    notes.append(CALLS)
    if marked:
        tests = len(differences(summaries))
        notes.append(f"* p < {LEVEL:g} after Holm's correction for {counted(tests, 'comparison')}.")
    return (*notes, *_warning(summaries))


def _warning(summaries: Sequence[Summary]) -> list[str]:
    lines = flagged(summaries)
    return [f"† unreliable, the numbers may flatter the model. {'; '.join(lines)}."] if lines else []


def _difference_column(summaries: Sequence[Summary]) -> Column:
    bounded = any(math.isfinite(difference.low) for difference in differences(summaries).values())
    reference = summaries[0].reference if summaries else ""
    return Column(f"minus {reference}" + "\n[95 %]" * bounded, "dB")


def _difference(s: Summary) -> str:
    if s.difference is None or s.model == s.reference:
        return NONE
    low, high = s.difference.low, s.difference.high
    bounds = f" [{fixed(low, 2, '+')}, {fixed(high, 2, '+')}]" if math.isfinite(low) else ""
    return f"{fixed(s.difference.mean, 2, '+')}{bounds}"


def _psnr(s: Summary) -> str:
    if not math.isfinite(s.psnr.mean):
        return NONE if math.isnan(s.psnr.mean) else str(s.psnr.mean)
    return f"{s.psnr.mean:.2f}" + (f" ±{s.psnr.sd:.2f}" if math.isfinite(s.psnr.sd) else "")


def _strongest(s: Summary) -> str:
    name, count = max(s.attacks.items(), key=lambda item: item[1], default=(NONE, 0))
    return f"{name} {count}/{s.n}" if count else NONE
