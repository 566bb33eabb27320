"""What is measured on a perturbed reconstruction, beside its quality: gains, and the identity-denoiser reference.

Everything is per slice, real ``(batch,)``.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from smug.attacks import relative_l2
from smug.data.scan import Scan
from smug.evaluation.conditions import Perturbed
from smug.metrics import head_mask, hfen, nmse, psnr, ssim
from smug.models.lam import ResidualLam
from smug.models.reconstructors import MoDL
from smug.norm import L2
from smug.physics.operator import Operator
from smug.reconstructor import Reconstructor, described
from smug.shifts import lesion, spurious

LESION = 0.1
"""The contrast of the lesion that false features are compared with, as a share of the image's maximum."""

STEPS, LAM = 8, 1.0
"""The loop of the identity reference for reconstructors that have none: the paper's."""


@torch.no_grad()
def reconstructions(f: Reconstructor, y: Tensor, A: Operator, seeds: Sequence[Tensor]) -> Tensor:
    """Return reconstructions for several draws of the reconstructor's noise, ``(draw, batch, y, x)``.

    One draw is enough, and returned, where the second is equal to the first: nothing is random.
    """
    images = [f(y, A, generator=seeds[0])]
    for draw in seeds[1:]:
        images.append(f(y, A, generator=draw))
        if len(images) == 2 and torch.equal(*images):
            return images[0][None]
    return torch.stack(images)


def qualities(images: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Return the metrics of ``(draw, batch, y, x)`` as means over draws, and the spread of PSNR over them."""
    head = head_mask(target)
    metrics: dict[str, Callable[[Tensor], Tensor]] = {
        "psnr": lambda x: psnr(x, target),
        "ssim": lambda x: ssim(x, target),
        "nmse": lambda x: nmse(x, target),
        "hfen": lambda x: hfen(x, target),
        "psnr_complex": lambda x: psnr(x, target, "complex"),
        "psnr_head": lambda x: psnr(x, target, region=head),
        "ssim_head": lambda x: ssim(x, target, region=head),
    }
    values = {name: torch.stack([metric(image) for image in images]) for name, metric in metrics.items()}
    spread = values["psnr"].std(0) if len(images) > 1 else torch.zeros_like(values["psnr"][0])
    return {name: value.mean(0) for name, value in values.items()} | {"psnr_sd": spread}


@torch.no_grad()
def effects(f: Reconstructor, scan: Scan, made: Perturbed, clean: Tensor, images: Tensor) -> dict[str, Tensor]:
    """Return what the perturbation of a scan did to its reconstructions, ``clean`` and then ``images``.

    Where the condition has another operator or target, there is no perturbation to relate to; nor where d is zero.
    """
    after, nothing = made.scan, torch.full((len(scan.id),), math.nan, dtype=torch.float64)
    if after.A is not scan.A or (after.target is not scan.target and made.feature is None):
        return {"relative_l2": nothing}
    d, A = after.y - scan.y, scan.A
    size, moved = norm(d), torch.stack([norm(x - x0) for x, x0 in zip(images, clean, strict=True)]).mean(0)
    found = {"relative_l2": relative_l2(d, scan.y, A).double()}
    if made.feature is not None:
        v = seen(made.feature, scan.truth, images)
        shown = ((images - clean).mean(0) * v.conj()).real.flatten(1).sum(1)
        found["feature"] = shown.double() / norm(v).square()
    if not bool(d.any()):
        return found
    loop, inserted = identity_loop(f), 0 if made.feature is None else seen(made.feature, scan.truth, images)
    mark = seen(lesion(scan, LESION, torch.zeros(len(scan.id), dtype=torch.int64)), scan.truth, images)
    return found | {
        "spurious": spurious(images.mean(0), clean.mean(0) + inserted, mark).double(),
        "range_fraction": norm(A.H(d)) / size,
        "gain": moved / size,
        "robustness_error": moved / torch.stack([norm(x) for x in clean]).mean(0),
        "identity_psnr": psnr(loop(after.y, A), after.truth),
        "identity_gain": norm(loop(d, A)) / size,
    }


def seen(feature: Tensor, target: Tensor, images: Tensor) -> Tensor:
    """Return what a feature adds to the target in images of this kind, complex ones or real magnitudes."""
    return feature if images.is_complex() else (target + feature).abs() - target.abs()


def identity_loop(f: Reconstructor) -> MoDL:
    """Return the loop of ``f`` with the identity for a denoiser: what the physics alone makes of a perturbation.

    It is linear, so that it needs no scale. Reconstructors without a loop are compared with the paper's, and a lam that
    follows the data with the paper's lam.
    """
    settings = described(f).settings()
    if "steps" not in settings or isinstance(settings["lam"], ResidualLam):  # lam of others weighs something else
        return MoDL(lambda x: x, settings.get("steps", STEPS), LAM)
    return MoDL(lambda x: x, settings["steps"], settings["lam"])


def norm(values: Tensor) -> Tensor:
    """Return the l2 norm of every slice, in double precision."""
    return L2().size(values)
