"""Row: the measures of one slice under one condition, and their form as JSON."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from torch import Tensor


@dataclass(frozen=True)
class Row:
    """One slice under one condition; NaN where a number has no meaning.

    ``psnr`` (magnitude slice, dB), ``ssim``, ``nmse``, ``hfen`` and the authors' ``psnr_complex`` are means over draws
    of the reconstructor's own noise, ``psnr_sd`` is the standard deviation of the first over these; ``psnr_head`` and
    ``ssim_head`` are those of the pixels inside the target's :func:`smug.metrics.head_mask`. With d the perturbation of
    the measurements y, and F the reconstructor at equal noise: ``relative_l2`` is ``||d|| / ||y||``, ``range_fraction``
    ``||A^H d|| / ||d||``, ``gain`` ``||F(y + d) - F(y)|| / ||d||``, ``robustness_error`` ``||F(y + d) - F(y)|| /
    ||F(y)||``; ``identity_psnr`` and ``identity_gain`` are those of the same loop with the identity for a denoiser, on
    the same y + d. ``feature`` is the contrast that is left of an inserted feature, ``spurious`` that of the strongest
    false one, relative to a lesion of a tenth of the image's maximum. ``denoiser_calls`` counts them per image.
    ``attack`` is the one that won, ``optimism`` (dB) how much higher its objective was on the draws that it was
    selected on, ``flags`` are warnings.
    """

    model: str
    condition: str
    slice: str
    psnr: float
    ssim: float
    nmse: float
    psnr_complex: float
    relative_l2: float
    hfen: float = math.nan
    psnr_head: float = math.nan
    ssim_head: float = math.nan
    range_fraction: float = math.nan
    gain: float = math.nan
    robustness_error: float = math.nan
    identity_psnr: float = math.nan
    identity_gain: float = math.nan
    feature: float = math.nan
    spurious: float = math.nan
    denoiser_calls: float = math.nan
    psnr_sd: float = math.nan
    attack: str = ""
    optimism: float = math.nan
    flags: tuple[str, ...] = ()
    subject: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values; null stands for what is not finite."""
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote: null is NaN."""
        read: dict[str, Any] = {key: math.nan if value is None else value for key, value in values.items()}
        return cls(**{**read, "flags": tuple(values.get("flags", ()))})


@dataclass(frozen=True, eq=False)
class Outcome:
    """A row, and the reconstruction ``(y, x)`` and target that it was computed from."""

    row: Row
    image: Tensor
    target: Tensor
