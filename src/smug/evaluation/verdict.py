"""One sentence about an evaluation, the same in terminal and report.

It says which model loses least under attack, and whether that can be relied on; without attacks, which has the best
images.
"""

import math
from collections.abc import Mapping, Sequence

from smug.evaluation.row import Row
from smug.evaluation.statistics import Interval, interval, no_interval, paired
from smug.evaluation.summary import Summary, grid, summarise
from smug.system.words import counted, listed

Slice = tuple[str, str]
"""The subject and the name of a slice."""

Losses = Mapping[str, Mapping[Slice, float]]
"""By model and slice: how many dB of PSNR the attack takes that took most."""

UNATTACKED = "No attack was run, so that this says nothing about robustness."


def worst_case_losses(rows: Sequence[Row]) -> dict[str, dict[Slice, float]]:
    """Return PSNR without perturbation less the least PSNR under any attack, in dB, by model and slice.

    Slices without a clean row or an attacked one are left out, and so are models without any.
    """
    clean = {(row.model, row.subject, row.slice): row.psnr for row in rows if row.condition == "clean"}
    found: dict[str, dict[Slice, float]] = {}
    for row in rows:
        before = clean.get((row.model, row.subject, row.slice))
        if row.attack and before is not None:
            losses, where = found.setdefault(row.model, {}), (row.subject, row.slice)
            losses[where] = _larger(losses.get(where, -math.inf), before - row.psnr)
    return found


def verdict(rows: Sequence[Row], reference: str | None = None) -> str:
    """Return the sentence. It says that a model loses least only where the intervals of all differences say so.

    Without attacks, the best model is set against the ``reference``.
    """
    if not any(row.attack for row in rows):
        return f"{_unattacked(rows, reference)} {UNATTACKED}"
    losses = worst_case_losses(rows)
    means = {name: _mean(values) for name, values in losses.items()}
    broken = [name for name, mean in means.items() if not math.isfinite(mean)]
    ranked = sorted((name for name in means if name not in broken), key=lambda name: means[name])
    if not losses:
        return "No model was scored without attack, so that losses are not known: see the table."
    remarks = [*_broken(broken), *_better_images(ranked, rows), *_warnings(ranked, rows)]
    return "; ".join([_ranking(ranked, losses, means) if ranked else "No model can be compared", *remarks]) + "."


def _unattacked(rows: Sequence[Row], reference: str | None) -> str:
    """Return which model has the best images under the hardest condition, by how much, and what that costs."""
    summaries = summarise(rows, reference)
    _, conditions, cells = grid(summaries)
    if not all(math.isfinite(summary.psnr.mean) for summary in summaries):
        return "Not every PSNR is finite, so that means cannot be compared: see the table."
    hardest, best, other = contest(summaries)
    first = conditions[0]

    def cost(model: str) -> str:
        change = cells[model, hardest].psnr.mean - cells[model, first].psnr.mean
        return f"{model} {'loses' if change < 0 else 'gains'} {abs(change):.2f} dB"

    if other is None:
        text = f"Under {hardest} the mean PSNR of {best} is {cells[best, hardest].psnr.mean:.2f} dB"
        return f"{text}; from {first} to there, {cost(best)}." if hardest != first else f"{text}."
    a, b = ([row for row in rows if (row.model, row.condition) == (model, hardest)] for model in (best, other))
    theirs = {row.slice: row.psnr for row in b}
    shared = [row for row in a if row.slice in theirs]
    higher = sum(row.psnr > theirs[row.slice] for row in shared)
    gap = cells[best, hardest].psnr.mean - cells[other, hardest].psnr.mean
    text = (
        f"Under {hardest}{', where PSNR is lowest,' if len(conditions) > 1 else ''} {best} has the highest mean PSNR, "
        f"{cells[best, hardest].psnr.mean:.2f} dB: {gap:.2f} dB above {other}{_bounds(paired(a, b))}, "
        f"and higher on {higher} of {counted(len(shared), 'slice')}"
    )
    return f"{text}; from {first} to there, {cost(best)} and {cost(other)}." if hardest != first else f"{text}."


def contest(summaries: Sequence[Summary]) -> tuple[str, str, str | None]:
    """Return the hardest condition, its best model, and whom that is compared with; None if it is alone.

    The hardest is the attack, or else the condition, with the lowest mean PSNR. The best model is compared with the
    reference, or, where it is the reference, with the next best.
    """
    candidates = [s for s in summaries if s.attacks] or summaries
    hardest = min(candidates, key=lambda s: _finite(s.psnr.mean, math.inf)).condition
    there = [s for s in summaries if s.condition == hardest]
    best = _best(there)
    others = [s for s in there if s is not best]
    if not others:
        return hardest, best.model, None
    rival = next((s for s in others if s.model == s.reference), _best(others))
    return hardest, best.model, rival.model


def difference(losses: Losses, model: str, other: str) -> Interval | None:
    """Return how many dB more ``other`` loses than ``model``, over the slices of both; None where they share none."""
    shared = [where for where in losses[other] if where in losses[model]]
    if not shared:
        return None
    return interval([losses[other][w] - losses[model][w] for w in shared], [subject for subject, _ in shared])


def _ranking(ranked: Sequence[str], losses: Losses, means: Mapping[str, float]) -> str:
    best, *others = ranked
    own = interval(list(losses[best].values()), [subject for subject, _ in losses[best]])
    if not others and math.isnan(own.low):
        few = f"On {counted(len(losses[best]), 'slice')}, {best} lost {_decibels(means[best])}"
        return f"{few} under the worst attack found: too few to say it of others"
    if not others:
        return f"Under the worst attack found, {best} loses {_decibels(means[best])}{_bounds(own)}"
    differences = {name: difference(losses, best, name) for name in others}
    if any(d is None or math.isnan(d.low) for d in differences.values()):
        return (
            f"On {counted(len(losses[best]), 'slice')}, {best} lost least under the worst attack found, "
            f"{_decibels(means[best])}, and {others[0]} {_decibels(means[others[0]])}: too few to say it of others"
        )
    near = [name for name, d in differences.items() if d is not None and not d.low > 0]
    if near:
        return (
            f"Under the worst attack found, {listed([best, *near])} lose least, {_decibels(means[best])} to "
            f"{_decibels(means[near[-1]])}, and the intervals do not tell which of them"
        )
    nearest = differences[others[0]]
    return (
        f"Under the worst attack found, {best} loses least: {_decibels(means[best])}{_bounds(own)}, "
        f"{_decibels(nearest.mean if nearest else math.nan)} less than {others[0]}{_bounds(nearest)}"
    )


def _better_images(ranked: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Say so where another model still has the better image: what starts low has little to lose."""
    worst: dict[str, dict[Slice, float]] = {}
    for row in rows:
        if row.attack and row.model in ranked:
            found, where = worst.setdefault(row.model, {}), (row.subject, row.slice)
            found[where] = min(found.get(where, math.inf), row.psnr)
    means = {name: _mean(values) for name, values in worst.items()}
    if len(means) < 2:
        return []
    best = max(means, key=lambda name: means[name])
    if best == ranked[0] or means[best] - means[ranked[0]] < 0.05:
        return []
    return [f"the best image under it is on average that of {best}, {means[best]:.1f} dB to {means[ranked[0]]:.1f} dB"]


def _warnings(ranked: Sequence[str], rows: Sequence[Row]) -> list[str]:
    flagged = [name for name in ranked if any(row.flags for row in rows if row.attack and row.model == name)]
    whose = listed(flagged)
    return [f"but this is unreliable: warnings say that attacks may be too weak for {whose}"] if flagged else []


def _broken(names: Sequence[str]) -> list[str]:
    return [f"{listed(names)} cannot be ranked: images are not finite, or perfect"] if names else []


def _bounds(found: Interval | None) -> str:
    if found is None:
        return ""
    if not math.isfinite(found.low):
        return f" (n = {found.units}: no interval)" if no_interval([found]) else ""
    return f" (95 % interval {found.low:.2f} to {found.high:.2f} over {counted(found.units, found.unit)})"


def _decibels(value: float) -> str:
    return f"{value:.2f} dB"


def _mean(values: Mapping[Slice, float]) -> float:
    return sum(values.values()) / len(values)


def _larger(one: float, other: float) -> float:
    return math.nan if math.isnan(one) or math.isnan(other) else max(one, other)


def _best(summaries: Sequence[Summary]) -> Summary:
    return max(summaries, key=lambda s: _finite(s.psnr.mean, -math.inf))


def _finite(value: float, otherwise: float) -> float:
    return value if math.isfinite(value) else otherwise
