"""Store trained runs as the shipped weights, in half precision: python recipes/ship.py RUNS.

RUNS is the folder that holds the runs modl, rs-e2e, smug and weighted-smug. Refuses where half precision changes the
clean PSNR by more than 0.01 dB.
"""

import sys
from pathlib import Path

import torch

from smug.data.simulate import Acquisition
from smug.evaluation.datasets import simulated_set
from smug.training.runs import load_weights, save_weights
from smug.training.validation import validate
from smug.zoo import SHIPPED, shipped

scans = simulated_set("phantom", "val", 128, Acquisition(), count=8).scans
for name in SHIPPED:
    run = load_weights(Path(sys.argv[1]) / name)
    new = shipped(name).with_suffix(".new")
    notes = {key: run.metadata[key] for key in ("update", "validation_psnr")}
    save_weights(new, run.reconstructor, run.config, notes, half=True)
    single, half = (validate(model.reconstructor, scans, torch.device("cpu")) for model in (run, load_weights(new)))
    print(f"{name}: {single:.4f} dB in single, {half:.4f} dB in half precision")
    if abs(single - half) > 0.01:
        new.unlink()
        raise SystemExit(f"{name}: half precision changes the PSNR by {abs(single - half):.4f} dB")
    new.replace(shipped(name))
