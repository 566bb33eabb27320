"""Train MoDL, SMUG, Weighted SMUG, RS-E2E and adversarial training on sparse-view CT.

python -m recipes.tomography.train RUNS [SEED ...] [--views 30]

A denoiser first, by equation (6); then every method, with as many updates from its weights, as in the paper. 64 x 64
pixels, 100,000 photons a ray; weights go to RUNS/METHOD-SEED.safetensors, which hold the number of views, and what is
there is not trained again. The losses are the library's, and so are the reconstructors; only the loop over batches is
here. Prints the PSNR on validation phantoms and the processor time of every run; all of a seed take about half an hour
of one core.
Then: python -m recipes.tomography.score RUNS OUT.json
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

import smug
from recipes.tomography import tomograph

START = "pretrain"
METHODS = ("modl", "smug", "weighted-smug", "rs-e2e", "adversarial")
UPDATES = dict.fromkeys(METHODS, 300) | {START: 1500}
BATCH, PHANTOMS, RATE = 2, 400, 1e-3

SMALL = smug.training.PRESETS["small"]
BASE = replace(
    SMALL,
    lam=0.05,
    learn_lam=True,
    reconstruction_weight=30.0,
    smoothing=smug.Smoothing(sigma=0.05, num_samples=2, noise="antithetic"),
    network=replace(SMALL.network, channels=16),
    perturbation=replace(SMALL.perturbation, threat=smug.Threat(0.02, "l2", "kspace-l2")),
)
"""Five steps; smoothing noise of a twentieth of the image, an antithetic pair; the attack in training changes 2 %."""


def config(name: str, seed: int) -> smug.training.Config:
    """Return the configuration of a method."""
    return replace(BASE, method=name, seed=seed)


def check_views(path: Path, views: int) -> None:
    """Raise SystemExit for weights that were trained for another number of views."""
    with safe_open(path, "pt") as file:
        trained = (file.metadata() or {}).get("views")
    if trained != str(views):
        raise SystemExit(f"{path}: expected weights for {views} views, got {trained}; name another folder, or --views")


def built(path: Path, views: int) -> Any:
    """Return the reconstructor whose weights are in RUNS/METHOD-SEED.safetensors, of normalised measurements."""
    check_views(path, views)
    name, _, seed = path.stem.rpartition("-")
    f = smug.training.build(config(name, int(seed)))
    f.networks().load_state_dict(load_file(path))
    f.networks().requires_grad_(False).eval()
    return f


def train(f: Any, own: smug.training.Config, images: Tensor, updates: int, views: int) -> None:
    """Train the networks of ``f`` in place; images, noise and smoothing depend on the seed and the update alone."""
    networks = f.networks()
    loss = smug.training.training_loss(own, smug.losses.frozen(f.denoiser))
    optimiser = torch.optim.Adam(networks.parameters(), RATE, betas=own.optimizer.betas)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, updates, pct_start=0.1, cycle_momentum=False)
    for update in range(updates):
        address = update + 2**20 * own.seed
        draw = torch.Generator().manual_seed(address)
        rows = torch.randint(len(images), (BATCH,), generator=draw)
        scan = tomograph.scan(images[rows], views, seed=address).normalised()
        terms = loss(f, scan, torch.arange(BATCH) + BATCH * address)
        optimiser.zero_grad()
        sum(terms.values()).backward()
        torch.nn.utils.clip_grad_norm_(networks.parameters(), own.optimizer.clip_norm)
        optimiser.step()
        schedule.step()


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is not trained."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--views", type=int, default=tomograph.VIEWS)
    asked = parser.parse_args(arguments)
    views = {"views": str(asked.views)}
    runs, images = asked.runs, tomograph.phantoms("train", PHANTOMS)
    validation = tomograph.scan(tomograph.phantoms("val", 8), asked.views)
    runs.mkdir(parents=True, exist_ok=True)
    for seed, name in product(asked.seeds, (START, *METHODS)):
        path = runs / f"{name}-{seed}.safetensors"
        if path.exists():
            check_views(path, asked.views)
            continue
        own, before = config(name, seed), time.process_time()
        f: Any = smug.training.build(own)
        if name != START:  # but for a weight encoder, which is new
            f.networks().load_state_dict(load_file(runs / f"{START}-{seed}.safetensors"), strict=False)
        train(f, own, images, UPDATES[name], asked.views)
        whole = path.with_suffix(".part")
        save_file({key: value.contiguous() for key, value in f.networks().state_dict().items()}, whole, views)
        whole.replace(path)
        spent = time.process_time() - before
        with torch.no_grad():
            quality = smug.metrics.psnr(smug.normalised(f)(validation.y, validation.A), validation.truth).mean()
        print(f"{path.stem}: {float(quality):.2f} dB on validation, {spent:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
