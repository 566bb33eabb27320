"""One HTML file that shows an evaluation: its conclusion, warnings, tables, curves, and the images behind them."""

import base64
import json
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smug.diagnosis.flags import FLAGS
from smug.evaluation.row import Outcome, Row
from smug.evaluation.statistics import Interval, over_seeds, paired
from smug.evaluation.summary import DATA_CRIME, Summary, grid, summarise
from smug.reports.card import card_json, cards
from smug.reports.curves import curve_figure, families
from smug.reports.figure import ERROR_COLOURS, Picture, error_limit, picture
from smug.reports.palette import styles
from smug.reports.pareto import pareto_figure
from smug.reports.tables import attack_table, caption, differences, fixed, headline, seed_table, statistics_of, whom
from smug.system.documents import RESEARCH
from smug.system.figures import Array, figure_bytes
from smug.system.files import write_text

Bytes = NDArray[np.uint8]

LISTED = 6
"""So many conditions are listed in a sentence; of more, their number is told."""

PICTURES = 300
"""About so many reconstructions are in the viewer: of many conditions, fewer slices."""


def write_report(
    path: Path,
    document: Mapping[str, Any],
    outcomes: Sequence[Outcome] = (),
    *,
    title: str,
    notes: Sequence[str] = (),
    methods: Mapping[str, str] | None = None,
) -> None:
    """Write a self-contained HTML report, whole or not at all.

    ``document`` is that of :func:`smug.evaluation.summary.to_json`. ``outcomes`` are the images of the viewer, each an
    8-bit PNG in the file with one of its error map: a few slices of 128 x 128 make a file of a few MB; of many
    conditions, only the first slices are taken. ``notes`` are paragraphs of plain text; ``methods`` names the method of
    models that are training seeds of one. Raises ValueError for a document without rows, OSError where the file cannot
    be written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    if not document["rows"]:
        raise ValueError("got a document without rows, expected at least one slice")
    environment = Environment(
        loader=PackageLoader("smug.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rows = _rows(document)
    summaries = summarise(rows, document["reference"])
    subjects = document["subjects"]
    models, conditions, _ = grid(summaries)
    seeds = over_seeds(rows, methods or {})
    text = environment.get_template("report.html.j2").render(
        title=title,
        notes=notes,
        document=document,
        research=RESEARCH,
        crime=DATA_CRIME if document["kspace"] == "simulated" else "",
        seen=seen(document),
        conclusion=conclusion(document),
        warnings=_warnings(summaries),
        headline=headline(summaries),
        best=[(c, _best([s for s in summaries if s.condition == c]).model) for c in conditions],
        attacks=attack_table(summaries),
        seeds=seed_table(seeds) if seeds else None,
        described={c["name"]: c["description"] for c in document["conditions"]},
        colours={model: look.colour for model, look in styles(models).items()},
        caption=caption(summaries, kspace="measured", subjects=subjects),
        statistics=statistics_of(summaries, subjects),
        figures=figures(summaries),
        differences=bool(differences(summaries)),
        cards=[(card.model, json.dumps(card_json(card), indent=1, ensure_ascii=False)) for card in cards(document)],
        configuration=json.dumps({k: v for k, v in document.items() if k not in ("rows", "summaries")}, indent=2),
        viewer=_viewer(outcomes, _contest(summaries)) if outcomes else None,
    )
    write_text(path, text)


def seen(document: Mapping[str, Any]) -> str:
    """Return a sentence that says what was compared."""
    slices = len({row["slice"] for row in document["rows"]})
    models, conditions = (list(dict.fromkeys(row[name] for row in document["rows"])) for name in ("model", "condition"))
    data = document["data"]
    source = f"{data['source']}, {data['split']} split" if data.get("split") else data["source"]
    tested = f"conditions: {_listed(conditions)}" if len(conditions) <= LISTED else f"{len(conditions)} conditions"
    return (
        f"{slices} {'slice' if slices == 1 else 'slices'}{whom(document['subjects'])} ({source}; {document['kspace']} "
        f"k-space), reconstructed by {_listed(models)}; {tested}."
    )


def conclusion(document: Mapping[str, Any]) -> str:
    """Return a sentence of numbers: who is best under the hardest condition, by how much, and what it cost.

    That is the hardest attack, where there is one. The best model is set against the reference, or, where it is the
    reference, against the next best.
    """
    rows = _rows(document)
    summaries = summarise(rows, document["reference"])
    _, conditions, cells = grid(summaries)
    if not all(math.isfinite(summary.psnr.mean) for summary in summaries):
        return "Not every PSNR is finite, so that means cannot be compared: see the table."
    hardest, best, other = _contest(summaries)
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
    attacks = any(summary.attacks for summary in summaries)
    which = ", the attack with the lowest PSNR," if attacks else ", where PSNR is lowest,"
    where = f"Under {hardest}{which if len(conditions) > 1 else ''}"
    text = (
        f"{where} {best} has the highest mean PSNR, {cells[best, hardest].psnr.mean:.2f} dB: "
        f"{gap:.2f} dB above {other}{_bounds(paired(a, b))}, and higher on {higher} of {len(shared)} slices"
    )
    return f"{text}; from {first} to there, {cost(best)} and {cost(other)}." if hardest != first else f"{text}."


def figures(summaries: Sequence[Summary]) -> list[dict[str, str]]:
    """Return the curves and the Pareto plot as SVG in base64, each with what it shows."""
    models, conditions, cells = grid(summaries)
    drawn = [
        (curve_figure(family, summaries), f"PSNR of {_listed(models)} over {family.name}: {family.axis}")
        for family in families(summaries)
    ]
    hardest = _contest(summaries)[0]
    both = [m for m in models if all(_has(cells.get((m, c))) for c in (conditions[0], hardest))]
    if hardest != conditions[0] and len(both) > 1:
        figure = pareto_figure(summaries, hardest, conditions[0])
        drawn.append((figure, f"PSNR under {hardest} against that on {conditions[0]}: {_listed(both)}"))
    return [
        {"svg": base64.b64encode(figure_bytes(figure, ".svg")).decode("ascii"), "text": text} for figure, text in drawn
    ]


def png(values: Bytes, palette: Bytes | None = None) -> bytes:
    """Return 8-bit ``(y, x)`` as PNG: greyscale, or with a palette ``(256, 3)`` of RGB."""
    height, width = values.shape
    lines = np.zeros((height, 1 + width), np.uint8)
    lines[:, 0] = 2  # filter "up": each line as the difference from the one above, which compresses better
    lines[:, 1:] = np.diff(values, axis=0, prepend=np.uint8(0))
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if palette is None else 3, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b"")]
    if palette is not None:
        chunks.insert(1, (b"PLTE", palette.tobytes()))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def _viewer(outcomes: Sequence[Outcome], contest: tuple[str, str, str | None]) -> dict[str, Any]:
    """Everything that the viewer shows; methods are the target and the models."""
    from matplotlib import colormaps

    palette = np.asarray(colormaps[ERROR_COLOURS](np.arange(256), bytes=True))[:, :3].copy()
    pictures = {(o.row.slice, o.row.condition, o.row.model): picture(o) for o in outcomes}
    slices, conditions, models = (list(dict.fromkeys(names)) for names in zip(*pictures, strict=True))
    slices = slices[: max(1, PICTURES // (len(conditions) * len(models)))]
    targets = {(slice, condition): p.target for (slice, condition, _), p in pictures.items()}  # shifts change them
    limit = error_limit(pictures.values())
    hardest, best, other = contest

    def cell(shown: Picture | None) -> dict[str, Any] | None:
        if shown is None:
            return None
        return {
            "image": _encoded(shown.image),
            "error": _encoded(shown.error / limit, palette),
            "text": _quality(shown.row),
        }

    def index(names: Sequence[str], name: str | None, default: int) -> int:
        return names.index(name) if name in names else default

    return {
        "slices": slices,
        "conditions": conditions,
        "methods": ["target", *models],
        "limit": limit,
        "blank": _encoded(np.zeros(next(iter(pictures.values())).image.shape)),
        "ramp": _encoded(np.linspace(0, 1, 256)[None], palette),
        "targets": [[_encoded(targets[s, c]) if (s, c) in targets else None for c in conditions] for s in slices],
        "cells": [[[cell(pictures.get((s, c, m))) for m in models] for c in conditions] for s in slices],
        "start": {
            "condition": index(conditions, hardest, 0),
            "a": 1 + index(models, other, -1),
            "b": 1 + index(models, best, 0),
        },
    }


def _rows(document: Mapping[str, Any]) -> list[Row]:
    return [Row.from_json(values) for values in document["rows"]]


def _warnings(summaries: Sequence[Summary]) -> list[dict[str, str]]:
    """Each flag that was raised, what it means, and where."""
    where: dict[str, list[str]] = {}
    for s in summaries:
        for flag, count in s.flags.items():
            where.setdefault(flag, []).append(f"{s.model} under {s.condition} ({count} of {s.n})")
    return [
        {"name": flag, "sentence": FLAGS[flag].sentence if flag in FLAGS else "", "where": "; ".join(places)}
        for flag, places in where.items()
    ]


def _bounds(difference: Interval | None) -> str:
    if difference is None or not math.isfinite(difference.low):
        return ""
    whose = f"{difference.units} {difference.unit}s"
    return f" (95 % interval over {whose}: {difference.low:.2f} to {difference.high:.2f})"


def _has(summary: Summary | None) -> bool:
    return summary is not None and math.isfinite(summary.psnr.mean)


def _contest(summaries: Sequence[Summary]) -> tuple[str, str, str | None]:
    """The attack, or else the condition, with the lowest mean PSNR; its best model; the reference, or the next best.

    None if it is alone.
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


def _best(summaries: Sequence[Summary]) -> Summary:
    return max(summaries, key=lambda s: _finite(s.psnr.mean, -math.inf))


def _finite(value: float, otherwise: float) -> float:
    return value if math.isfinite(value) else otherwise


def _encoded(values: Array, palette: Bytes | None = None) -> str:
    levels = np.rint(255 * np.nan_to_num(values, posinf=1).clip(0, 1)).astype(np.uint8)
    return base64.b64encode(png(levels, palette)).decode("ascii")


def _quality(row: Row) -> str:
    return f"PSNR {fixed(row.psnr, 2)} dB, SSIM {fixed(row.ssim, 3)}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
