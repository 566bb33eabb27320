"""The images of a report, as its viewer takes them: PNG in base64, with what stands below each."""

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smug.evaluation.row import Outcome, Row
from smug.reports.figure import ERROR_COLOURS, Picture, error_limit, picture
from smug.reports.tables import fixed
from smug.system.figures import Array

Bytes = NDArray[np.uint8]

PICTURES = 300
"""About the most reconstructions in the viewer: with many conditions it has fewer slices."""


def viewer(outcomes: Sequence[Outcome], contest: tuple[str, str, str | None]) -> dict[str, Any]:
    """Return everything that the viewer shows; its methods are the target and the models.

    It starts with the condition of a :func:`smug.evaluation.verdict.contest` and its two models.
    """
    from matplotlib import colormaps

    palette = np.asarray(colormaps[ERROR_COLOURS](np.arange(256), bytes=True))[:, :3].copy()
    pictures = {(o.row.slice, o.row.condition, o.row.model): picture(o) for o in outcomes}
    slices, conditions, models = (list(dict.fromkeys(names)) for names in zip(*pictures, strict=True))
    slices = slices[: max(1, PICTURES // (len(conditions) * len(models)))]
    # Shifts change the target: each condition of a slice has its own, and its own window.
    targets = {(slice, condition): p for (slice, condition, _), p in reversed(pictures.items())}
    limit = error_limit(pictures.values())

    def cell(shown: Picture | None) -> dict[str, Any] | None:
        if shown is None:
            return None
        error = _encoded(shown.error / limit, palette)
        return {"image": _encoded(shown.image), "error": error, "text": _quality(shown.row)}

    def target(shown: Picture | None) -> dict[str, Any] | None:
        if shown is None:
            return None
        return {"image": _encoded(shown.target), "white": float(f"{min(shown.white, 1.0):.3g}")}

    return {
        "slices": slices,
        "conditions": conditions,
        "methods": ["target", *models],
        "limit": limit,
        "blank": _encoded(np.zeros(next(iter(pictures.values())).image.shape)),
        "ramp": _encoded(np.linspace(0, 1, 256)[None], palette),
        "targets": [[target(targets.get((s, c))) for c in conditions] for s in slices],
        "cells": [[[cell(pictures.get((s, c, m))) for m in models] for c in conditions] for s in slices],
        "start": _start(conditions, models, contest),
    }


def _start(conditions: Sequence[str], models: Sequence[str], contest: tuple[str, str, str | None]) -> Mapping[str, int]:
    hardest, best, other = contest

    def index(names: Sequence[str], name: str | None, default: int) -> int:
        return names.index(name) if name in names else default

    return {
        "condition": index(conditions, hardest, 0),
        "a": 1 + index(models, other, -1),
        "b": 1 + index(models, best, 0),
    }


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


def _encoded(values: Array, palette: Bytes | None = None) -> str:
    levels = np.rint(255 * np.nan_to_num(values, posinf=1).clip(0, 1)).astype(np.uint8)
    return base64.b64encode(png(levels, palette)).decode("ascii")


def _quality(row: Row) -> str:
    head = f"; head {fixed(row.psnr_head, 2)} dB, {fixed(row.ssim_head, 3)}" if np.isfinite(row.psnr_head) else ""
    return f"PSNR {fixed(row.psnr, 2)} dB, SSIM {fixed(row.ssim, 3)}{head}"
