"""One sentence about an evaluation: which model loses least under attack, and whether that can be relied on."""

import math
from collections.abc import Mapping, Sequence

from smug.evaluation.row import Row
from smug.evaluation.statistics import Interval, interval
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


def verdict(rows: Sequence[Row]) -> str:
    """Return the sentence. It says that a model loses least only where the intervals of all differences say so."""
    losses = worst_case_losses(rows)
    means = {name: _mean(values) for name, values in losses.items()}
    broken = [name for name, mean in means.items() if not math.isfinite(mean)]
    ranked = sorted((name for name in means if name not in broken), key=lambda name: means[name])
    if not losses:
        return UNATTACKED
    remarks = [*_broken(broken), *_better_images(ranked, rows), *_warnings(ranked, rows)]
    return "; ".join([_ranking(ranked, losses, means) if ranked else "No model can be compared", *remarks]) + "."


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
    if found is None or math.isnan(found.low):
        return ""
    return f" (95 % interval {found.low:.2f} to {found.high:.2f} over {counted(found.units, found.unit)})"


def _decibels(value: float) -> str:
    return f"{value:.2f} dB"


def _mean(values: Mapping[Slice, float]) -> float:
    return sum(values.values()) / len(values)


def _larger(one: float, other: float) -> float:
    return math.nan if math.isnan(one) or math.isnan(other) else max(one, other)
