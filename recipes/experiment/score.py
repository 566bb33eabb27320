"""Score the arms of the experiment on people whom nobody trained on: python -m recipes.experiment.score RUNS OUT.json.

RUNS is the folder of one length, such as runs/3000; SMUG_DATA names the folder of the image sets. After them may follow
the configuration that was trained, if it was not base.toml, and a device such as cuda. All finished arms
are scored on 18 slices of the six SIAT subjects, acquired as in training, with an antithetic pair where they smooth:
PSNR of every slice and, of attacks on the measurements, the gain ``||F(y + d) - F(y)|| / ||d||``. OUT.json keeps what
is scored, so that it goes on where it was stopped. An arm takes about two minutes of one core, SMUG three; clean, PGD
and fast attacks, which are scored of all arms first, half of that. Last come shipped models that were not trained for
this regime, the REFERENCES; a ridge regulariser takes an hour. Then: python -m recipes.experiment.table OUT.json
"""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import smug
from recipes import robustness
from recipes.experiment import image_attack
from recipes.experiment.run import BASE

SCHEMA = "smug-experiment-1"
SOURCE, SLICES = "siat", 18
EPSILON, SIZES = 0.02, (0.005, 0.05)
REFERENCES = ("cg-sense", "tv", "ridge", "ridge lam 1")
STEPS, RATES = (1, 2, 4, 6, 12, 16), (2.0, 3.0, 6.0, 8.0)
Scores = dict[str, list[float]]


@dataclass(frozen=True)
class Regime:
    """What is scored: the configuration that all arms share, and where to compute."""

    base: str = str(BASE)
    device: str = "cpu"


@cache
def images(regime: Regime) -> Any:
    """Return the slices, spread over all subjects, with their names and subjects."""
    return smug.load_images(SOURCE, "all", smug.training.load_config(regime.base).data.size, count=SLICES)


@cache
def scan(regime: Regime, rate: float = 4.0) -> smug.Scan:
    """Return all slices as one normalised scan at an acceleration."""
    acquisition = replace(smug.training.load_config(regime.base).data.acquisition, acceleration=rate)
    people = images(regime)
    return smug.simulate(people.images, acquisition.draw(0), names=people.names).normalised().to(regime.device)


def plain(f: Any, regime: Regime, rate: float = 4.0, delta: Tensor | None = None) -> Scores:
    """Score without a perturbation or with one, at equal noise."""
    s, seeds = scan(regime, rate), torch.arange(SLICES) + 2**40
    with torch.no_grad():
        before = f(s.y, s.A, generator=seeds)
        if delta is None:
            return {"psnr": smug.metrics.psnr(before, s.truth).tolist()}
        after = f(s.y + delta, s.A, generator=seeds)
    moved, size = ((after - before).flatten(1).norm(dim=1), delta.flatten(1).norm(dim=1))
    return {"psnr": smug.metrics.psnr(after, s.truth).tolist(), "gain": (moved / size).tolist()}


def attacked(f: Any, regime: Regime, attack: Callable[..., Any], threat: smug.Threat) -> Scores:
    """Score under an attack on the measurements, made for the reconstructor or what stands for it."""
    s = scan(regime)
    return plain(f, regime, delta=attack(robustness.stand_in(f, s), s, threat, generator=torch.arange(SLICES)).delta)


def on_image(f: Any, regime: Regime, adaptive: bool) -> Scores:
    """Score under an attack on the aliased image."""
    s, core = scan(regime), f.reconstructor
    perturbed = s.A.H(s.y) + image_attack.attack(core, s, EPSILON, adaptive=adaptive)
    with torch.no_grad():
        image = image_attack.reconstruct(core, perturbed, perturbed, s.A, torch.arange(SLICES) * 1000 + 2**40)
    return {"psnr": smug.metrics.psnr(image, s.truth).tolist()}


def _steps(f: Any, regime: Regime, steps: int) -> Scores:
    return plain(f.replace(steps=steps), regime)


def _box(epsilon: float) -> smug.Threat:
    return smug.Threat(epsilon, "linf", "image-max")


def _share(epsilon: float) -> smug.Threat:
    return smug.Threat(epsilon, "l2", "kspace-l2")


FAST = partial(smug.attacks.fast, score_draws=2)

FIRST: Mapping[str, Callable[[Any, Regime], Scores]] = {
    "clean": plain,
    "PGD 0.02": partial(attacked, attack=smug.attacks.paper, threat=_box(EPSILON)),
    "fast 1 %": partial(attacked, attack=FAST, threat=_share(0.01)),
    "fast 5 %": partial(attacked, attack=FAST, threat=_share(0.05)),
}
"""Scored of all arms before anything else."""

THEN: Mapping[str, Callable[[Any, Regime], Scores]] = {
    "image, blind": partial(on_image, adaptive=False),
    "image, adaptive": partial(on_image, adaptive=True),
    **{f"steps {steps}": partial(_steps, steps=steps) for steps in STEPS},
    **{f"rate {rate:g}": partial(plain, rate=rate) for rate in RATES},
    **{f"PGD {epsilon}": partial(attacked, attack=smug.attacks.paper, threat=_box(epsilon)) for epsilon in SIZES},
}


def models(runs: Path) -> dict[str, Any]:
    """Return the loop with the identity for a denoiser, what the physics alone does; finished arms; REFERENCES."""
    found: dict[str, Any] = {"identity-0": smug.normalised(smug.MoDL(lambda x: x))}
    for path in sorted(runs.glob("*/run.json"), key=lambda path: path.stat().st_mtime):
        if not path.parent.name.startswith("pretrain"):
            f: Any = smug.load(path.parent)
            smooths = "num_samples" in f.settings()
            found[path.parent.name] = f.replace(noise="antithetic", num_samples=2) if smooths else f
    return found | {f"{name}-0": robustness.load(name) for name in REFERENCES}


def asked(f: Any, conditions: Mapping[str, Callable[[Any, Regime], Scores]]) -> Mapping[str, Any]:
    """Return the conditions that a reconstructor can be scored under: only what unrolls has steps and a first image."""
    if "steps" in f.settings():
        return conditions
    return {name: score for name, score in conditions.items() if not name.startswith(("image", "steps"))}


def read(out: Path, regime: Regime) -> dict[str, Any]:
    """Return what is scored already; raises SystemExit for scores of other slices."""
    people = images(regime)
    new = {"schema": SCHEMA, "slices": list(people.names), "subjects": list(people.subjects), "arms": {}}
    old: dict[str, Any] = json.loads(out.read_text()) if out.exists() else new
    if {**old, "arms": {}} != new:
        raise SystemExit(f"{out}: expected scores of these slices, got another document; name another file")
    return old


def arm_of(document: dict[str, Any], runs: Path, name: str) -> dict[str, Scores]:
    """Return what is scored of an arm; nothing where its weights are others."""
    weights = runs / name / "model.safetensors"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest() if weights.exists() else ""
    arm = document["arms"].get(name)
    if arm is None or arm["weights"] != digest:
        arm = document["arms"][name] = {"weights": digest, "scores": {}}
    scores: dict[str, Scores] = arm["scores"]
    return scores


def main(runs: str, out: str, base: str = str(BASE), device: str = "cpu") -> None:
    """Score what is not scored."""
    path, found, regime = Path(out), models(Path(runs)), Regime(base, device)
    document = read(path, regime)
    for conditions, (name, f) in product((FIRST, THEN), found.items()):
        scores = arm_of(document, Path(runs), name)
        f = f.to(device)
        for condition, score in asked(f, conditions).items():
            if condition not in scores:
                scores[condition] = score(f, regime)
                whole = path.with_name(f"{path.name}.part")
                whole.write_text(json.dumps(document))
                whole.replace(path)
                mean = sum(scores[condition]["psnr"]) / SLICES
                print(f"{name}, {condition}: {mean:.2f} dB", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
