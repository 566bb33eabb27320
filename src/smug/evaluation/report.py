"""One HTML file that shows an evaluation: its conclusion, its table, and the images behind the numbers."""

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

from smug.evaluation.figure import ERROR_COLOURS, Array, Picture, error_limit, picture
from smug.evaluation.protocol import Outcome, Row
from smug.evaluation.summary import DATA_CRIME, RESEARCH, Spread, Summary, caption, grid, per_cent, whom
from smug.files import write_text

Bytes = NDArray[np.uint8]


def write_report(
    path: Path, document: Mapping[str, Any], outcomes: Sequence[Outcome] = (), *, title: str, notes: Sequence[str] = ()
) -> None:
    """Write a self-contained HTML report, whole or not at all.

    ``document`` is that of :func:`smug.evaluation.summary.to_json`. ``outcomes`` are the images of the viewer, each an
    8-bit PNG in the file with one of its error map: a few slices of 128 x 128 make a file of a few MB. ``notes`` are
    paragraphs of plain text. Raises ValueError for a document without rows, OSError where the file cannot be written.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    if not document["summaries"]:
        raise ValueError("got a document without rows, expected at least one slice")
    environment = Environment(
        loader=PackageLoader("smug.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"fixed": _fixed, "per_cent": per_cent}
    summaries = [_summary(values) for values in document["summaries"]]
    models, conditions, cells = grid(summaries)
    text = environment.get_template("report.html.j2").render(
        title=title,
        notes=notes,
        document=document,
        research=RESEARCH,
        crime=DATA_CRIME if document["kspace"] == "simulated" else "",
        seen=seen(document),
        conclusion=conclusion(document),
        models=models,
        conditions=conditions,
        cells=cells,
        best={c: _best([s for s in summaries if s.condition == c]).model for c in conditions},
        caption=caption(summaries, kspace="measured", subjects=document["subjects"]),
        configuration=json.dumps({k: v for k, v in document.items() if k not in ("rows", "summaries")}, indent=2),
        viewer=_viewer(outcomes, _contest(summaries, document["reference"])) if outcomes else None,
    )
    write_text(path, text)


def seen(document: Mapping[str, Any]) -> str:
    """Return a sentence that says what was compared."""
    slices = len({row["slice"] for row in document["rows"]})
    models, conditions, _ = grid(map(_summary, document["summaries"]))
    data = document["data"]
    source = f"{data['source']}, {data['split']} split" if data.get("split") else data["source"]
    return (
        f"{slices} {'slice' if slices == 1 else 'slices'}{whom(document['subjects'])} ({source}; {document['kspace']} "
        f"k-space), reconstructed by {_listed(models)}; conditions: {_listed(conditions)}."
    )


def conclusion(document: Mapping[str, Any]) -> str:
    """Return a sentence of numbers: who is best under the hardest condition, by how much, and what it cost.

    The best model is set against the reference, or, where it is the reference, against the next best.
    """
    summaries = [_summary(values) for values in document["summaries"]]
    _, conditions, cells = grid(summaries)
    if not all(math.isfinite(summary.psnr.mean) for summary in summaries):
        return "Not every PSNR is finite, so that means cannot be compared: see the table."
    hardest, best, other = _contest(summaries, document["reference"])
    first = conditions[0]

    def cost(model: str) -> str:
        change = cells[model, hardest].psnr.mean - cells[model, first].psnr.mean
        return f"{model} {'loses' if change < 0 else 'gains'} {abs(change):.2f} dB"

    if other is None:
        text = f"Under {hardest} the mean PSNR of {best} is {cells[best, hardest].psnr.mean:.2f} dB"
        return f"{text}; from {first} to there, {cost(best)}." if hardest != first else f"{text}."
    there = [row for row in document["rows"] if row["condition"] == hardest]
    a, b = ({row["slice"]: row["psnr"] for row in there if row["model"] == model} for model in (best, other))
    shared = a.keys() & b.keys()
    higher = sum(a[name] > b[name] for name in shared)
    gap = cells[best, hardest].psnr.mean - cells[other, hardest].psnr.mean
    where = f"Under {hardest}, where PSNR is lowest," if len(conditions) > 1 else f"Under {hardest}"
    text = (
        f"{where} {best} has the highest mean PSNR, {cells[best, hardest].psnr.mean:.2f} dB: "
        f"{gap:.2f} dB above {other}, and higher on {higher} of {len(shared)} slices"
    )
    return f"{text}; from {first} to there, {cost(best)} and {cost(other)}." if hardest != first else f"{text}."


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
        "targets": [_encoded(next(p.target for p in pictures.values() if p.row.slice == name)) for name in slices],
        "cells": [[[cell(pictures.get((s, c, m))) for m in models] for c in conditions] for s in slices],
        "start": {
            "condition": index(conditions, hardest, 0),
            "a": 1 + index(models, other, -1),
            "b": 1 + index(models, best, 0),
        },
    }


def _contest(summaries: Sequence[Summary], reference: str) -> tuple[str, str, str | None]:
    """The condition with the lowest mean PSNR; its best model; the reference, or the next best; None if alone."""
    hardest = min(summaries, key=lambda s: _finite(s.psnr.mean, math.inf)).condition
    there = [s for s in summaries if s.condition == hardest]
    best = _best(there)
    others = [s for s in there if s is not best]
    if not others:
        return hardest, best.model, None
    rival = next((s for s in others if s.model == reference), _best(others))
    return hardest, best.model, rival.model


def _best(summaries: Sequence[Summary]) -> Summary:
    return max(summaries, key=lambda s: _finite(s.psnr.mean, -math.inf))


def _finite(value: float, otherwise: float) -> float:
    return value if math.isfinite(value) else otherwise


def _summary(values: dict[str, Any]) -> Summary:
    """Read a summary back from JSON, where null stands for NaN."""

    def number(value: float | None) -> float:
        return math.nan if value is None else value

    spreads = {
        name: Spread(**{key: number(x) for key, x in v.items()}) for name, v in values.items() if isinstance(v, dict)
    }
    rest = {name: number(values[name]) for name in ("relative_l2", "psnr_difference")}
    return Summary(**{**values, **rest, **spreads})


def _encoded(values: Array, palette: Bytes | None = None) -> str:
    levels = np.rint(255 * np.nan_to_num(values, posinf=1).clip(0, 1)).astype(np.uint8)
    return base64.b64encode(png(levels, palette)).decode("ascii")


def _quality(row: Row) -> str:
    return f"PSNR {_fixed(row.psnr, 2)} dB, SSIM {_fixed(row.ssim, 3)}"


def _fixed(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "—"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
